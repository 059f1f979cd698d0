import { type Command, Option } from 'commander';
import { callComponents, isPerCall, tokenComponents } from '../../domain/cost/price.ts';
import type { AdjustmentReason } from '../../spend/build-adjustment.ts';
import { readInstant, readPriceAmount } from '../options/option-values.ts';
import type { Tool } from '../options/tool.ts';
import { type OutputFlags, outputOf, withOutput } from '../output/listing.ts';
import { addSpendCommands } from '../spend/spend-commands.ts';
import { acceptWaitingPrices } from './accept-prices.ts';
import { calculateCosts } from './calculate-costs.ts';
import {
  correctPrice,
  exportPrices,
  importPriceFile,
  listPrices,
  type PriceFlags,
  type PriceImportFlags,
  setPrice,
} from './prices.ts';
import { repriceCosts } from './reprice-costs.ts';

/** Adds the `prices` commands. */
export function addPriceCommands(program: Command, tool: () => Tool, end: (exitCode: number) => void): void {
  const prices = program.command('prices').description('versioned prices');
  prices
    .command('import')
    .description(
      'import prices from a file of our format or LiteLLM’s (default: those that ship with the service)',
    )
    .argument('[file]')
    .option('--dry-run', 'only say what would change')
    .option('--verbose', 'name each version with its old and new figures, and the keys that were not used')
    .option(
      '--effective-from <time>',
      'since when prices hold whose file does not say it (default: now; since ever for a model without a price)',
      readInstant,
    )
    .action(async (file: string | undefined, flags: PriceImportFlags) =>
      end(await importPriceFile(tool(), file, flags)),
    );
  withOutput(
    prices.command('list').description('list the versions of all prices, or of one model'),
    'one object a line',
  )
    .argument('[model]')
    .option('--model <model>', 'the same as the argument')
    .action((model: string | undefined, flags: OutputFlags & { model?: string }) =>
      listPrices(tool(), model ?? flags.model, outputOf(flags)),
    );
  prices
    .command('export')
    .description('print all versions as a price file')
    .action(() => exportPrices(tool()));
  withOutput(
    prices.command('accept').description('put prices that waited into force; without a choice, list them'),
    'one object a line',
  )
    .argument('[models...]')
    .option('--all', 'all of them')
    .action(async (names: string[], flags: OutputFlags & { all?: boolean }) =>
      end(await acceptWaitingPrices(tool(), names, flags.all ?? false, outputOf(flags))),
    );

  const set = prices
    .command('set')
    .description(
      'add a version of one model’s price: what is named changes, the rest stays as it is in force',
    )
    .argument('<model>')
    .option('--effective-from <time>', 'since when it holds (default: now)', readInstant)
    .option('--effective-to <time>', 'until when it holds (default: until the next version)', readInstant);
  addPriceOptions(set, 'prices set').action(async (model: string, flags: ChangeFlags) =>
    end(await setPrice(tool(), model, priceFlags(flags, Date.now()))),
  );

  const correct = prices
    .command('correct')
    .description(
      'correct a wrong version: what is named changes; the wrong one stays in the history, and holds no more',
    )
    .argument('<version>', 'id of the version (prices list --json), or a model: its version in force now')
    .option('--effective-from <time>', 'since when it should have held (default: as before)', readInstant)
    .option('--effective-to <time>', 'until when it should have held (default: as before)', readInstant);
  addPriceOptions(correct, 'prices correct').action(async (version: string, flags: ChangeFlags) =>
    end(await correctPrice(tool(), version, priceFlags(flags, null), Date.now())),
  );
}

/** As in a price file. */
const DECIMALS_PER_MILLION = 6;
const DECIMALS_PER_CALL = 12;

/** The options that `prices set` and `prices correct` share. */
function addPriceOptions(command: Command, source: string): Command {
  command
    .option('--provider <name>', 'whose model it is', 'openai')
    .option('--currency <code>', 'ISO 4217 (default: as before; USD for a model without a price)')
    .option('--source <text>', 'where it is from', source)
    .option('--replace', 'keep nothing: no other component, tier or service tier')
    .option('--dry-run', 'only say what would change');
  for (const name of [...tokenComponents, ...callComponents]) {
    const [unit, decimals] = isPerCall(name)
      ? (['per call', DECIMALS_PER_CALL] as const)
      : (['per million tokens', DECIMALS_PER_MILLION] as const);
    command.option(`--${kebabCase(name)} <amount>`, unit, readPriceAmount(decimals));
  }
  return command;
}

/** @param begin epoch ms, used without `--effective-from` */
function priceFlags(flags: ChangeFlags, begin: number | null): PriceFlags {
  const { provider, currency = null, source, replace = false, dryRun = false, ...others } = flags;
  const { effectiveFrom = begin, effectiveTo = null, ...components } = others;
  return { provider, currency, source, replace, dryRun, effectiveFrom, effectiveTo, components };
}

type ChangeFlags = {
  readonly provider: string;
  readonly source: string;
  readonly currency?: string;
  readonly effectiveFrom?: number;
  readonly effectiveTo?: number;
  readonly replace?: boolean;
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
  readonly region?: string;
}

/** Adds the `costs` commands. */
export function addCostCommands(program: Command, tool: () => Tool, end: (exitCode: number) => void): void {
  const costs = program.command('costs').description('what calls cost');
  costs
    .command('calculate')
    .description(
      'price usages: JSON lines of {id?, model, service_tier?, usage}, completions, or the output file of a batch',
    )
    .requiredOption('--usage <file>', 'JSON lines; - is standard input')
    .option('--prices <file>', 'a price file of our format or LiteLLM’s, instead of the database')
    .option('--at <time>', 'when the calls were sent (default: now)', readInstant)
    .option('--provider <name>', 'whose the models are where a line does not say so', 'openai')
    .option('--region <name>', 'region of the endpoint, such as eu, where a line does not say so')
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
    .option('--verbose', 'name each adjustment')
    .action(({ from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY, ...flags }: RepriceFlags) =>
      repriceCosts(tool(), {
        from,
        to,
        reason: flags.reason,
        dryRun: flags.dryRun ?? false,
        verbose: flags.verbose ?? false,
        now: Date.now(),
      }),
    );
  addSpendCommands(costs, tool, end);
}

interface RepriceFlags {
  readonly verbose?: boolean;
  readonly from?: number;
  readonly to?: number;
  readonly reason: AdjustmentReason;
  readonly dryRun?: boolean;
}
