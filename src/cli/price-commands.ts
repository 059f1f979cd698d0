import { type Command, Option } from 'commander';
import { callComponents, tokenComponents } from '../domain/price.ts';
import type { AdjustmentReason } from '../spend/build-adjustment.ts';
import { acceptWaitingPrices } from './accept-prices.ts';
import { calculateCosts } from './calculate-costs.ts';
import { readInstant } from './option-values.ts';
import {
  exportPrices,
  importPriceFile,
  listPrices,
  type PriceFlags,
  type PriceImportFlags,
  setPrice,
} from './prices.ts';
import { repriceCosts } from './reprice-costs.ts';
import { addSpendCommands } from './spend-commands.ts';
import type { Tool } from './tool.ts';

const required: ReadonlySet<string> = new Set(['input', 'output']);

/** Adds the commands that begin with `prices`. */
export function addPriceCommands(program: Command, tool: () => Tool, end: (exitCode: number) => void): void {
  const prices = program.command('prices').description('versioned prices');
  prices
    .command('import')
    .description(
      'import prices from a file of our format or LiteLLM’s (default: those that ship with the service)',
    )
    .argument('[file]')
    .option('--dry-run', 'only say what would change')
    .option(
      '--effective-from <time>',
      'since when prices hold whose file does not say it (default: now; since ever for a model without a price)',
      readInstant,
    )
    .action((file: string | undefined, flags: PriceImportFlags) => importPriceFile(tool(), file, flags));
  prices
    .command('list')
    .description('list the versions of all prices, or of one model')
    .argument('[model]')
    .option('--model <model>', 'the same as the argument')
    .option('--json', 'as JSON lines, with everything')
    .action((model: string | undefined, flags: { model?: string; json?: boolean }) =>
      listPrices(tool(), model ?? flags.model, flags.json ?? false),
    );
  prices
    .command('export')
    .description('print all versions as a price file')
    .action(() => exportPrices(tool()));
  prices
    .command('accept')
    .description('put prices that waited into force; without a choice, list them')
    .argument('[models...]')
    .option('--all', 'all of them')
    .action(async (names: string[], flags: { all?: boolean }) =>
      end(await acceptWaitingPrices(tool(), names, flags.all ?? false)),
    );

  const set = prices
    .command('set')
    .description('add a version of one model’s price: the standard rate, without tiers')
    .argument('<model>')
    .option('--provider <name>', 'whose model it is', 'openai')
    .option('--currency <code>', 'ISO 4217', 'USD')
    .option('--effective-from <time>', 'since when it holds (default: now)', readInstant)
    .option('--effective-to <time>', 'until when it holds (default: until the next version)', readInstant)
    .option('--source <text>', 'where it is from', 'prices set')
    .option('--dry-run', 'only say what would change');
  for (const name of [...tokenComponents, ...callComponents]) {
    const flag = `--${kebabCase(name)} <amount>`;
    const unit = callComponents.some((ofCall) => ofCall === name) ? 'per call' : 'per million tokens';
    if (required.has(name)) set.requiredOption(flag, unit);
    else set.option(flag, unit);
  }
  set.action(async (model: string, flags: SetFlags) => {
    const {
      provider,
      currency,
      source,
      effectiveFrom = Date.now(),
      effectiveTo,
      dryRun,
      ...components
    } = flags;
    const options = { effectiveTo, dryRun };
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    end(await setPrice(tool(), model, { provider, currency, source, effectiveFrom, components, ...given }));
  });
}

type SetFlags = Omit<PriceFlags, 'components' | 'effectiveFrom' | 'effectiveTo' | 'dryRun'> & {
  readonly effectiveFrom?: number;
  readonly effectiveTo?: number;
  readonly dryRun?: boolean;
} & Readonly<Record<string, string>>;

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

interface CalculateFlags {
  readonly usage: string;
  readonly prices?: string;
  readonly at?: number;
  readonly provider: string;
}

/** Adds the commands that begin with `costs`. */
export function addCostCommands(program: Command, tool: () => Tool, end: (exitCode: number) => void): void {
  const costs = program.command('costs').description('what calls cost');
  costs
    .command('calculate')
    .description('price usages, JSON lines of {id?, model, service_tier?, usage}')
    .requiredOption('--usage <file>', 'JSON lines; - is standard input')
    .option('--prices <file>', 'a price file of our format or LiteLLM’s, instead of the database')
    .option('--at <time>', 'when the calls were sent (default: now)', readInstant)
    .option('--provider <name>', 'whose the models are where a line does not say so', 'openai')
    .action(async ({ at = Date.now(), ...flags }: CalculateFlags) =>
      end(await calculateCosts(tool(), { ...flags, at })),
    );

  costs
    .command('reprice')
    .description('publish adjustments for charges whose price came late, or was corrected')
    .option('--from <time>', 'charges whose first call was at that time or later', readInstant)
    .option('--to <time>', 'charges whose first call was before that time', readInstant)
    .addOption(
      new Option('--reason <reason>', 'which charges')
        .choices(['late_price', 'price_corrected'])
        .default('late_price'),
    )
    .option('--dry-run', 'only say what would be published')
    .action(({ from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY, ...flags }: RepriceFlags) =>
      repriceCosts(tool(), {
        from,
        to,
        reason: flags.reason,
        dryRun: flags.dryRun ?? false,
        now: Date.now(),
      }),
    );
  addSpendCommands(costs, tool, end);
}

interface RepriceFlags {
  readonly from?: number;
  readonly to?: number;
  readonly reason: AdjustmentReason;
  readonly dryRun?: boolean;
}
