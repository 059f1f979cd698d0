import { type Command, InvalidArgumentError, Option } from 'commander';
import { utcDay } from '../../domain/cost/spend.ts';
import { FORMATS } from '../../spend/report/format-report.ts';
import { DIMENSIONS, type Dimension } from '../../spend/report/spend-report.ts';
import type { Tool } from '../options/tool.ts';
import { type OutputFlags, outputOf, withOutput } from '../output/listing.ts';
import { rebuildCosts, reconcileCosts, reportCosts } from './spend-tool.ts';

const DAY_MS = 86_400_000;

interface Period {
  readonly from?: string;
  readonly to?: string;
}

/**
 * Adds the commands of spend to those that begin with `costs`.
 *
 * @param end sets the exit code of a command that ended well and has to say more than that
 */
export function addSpendCommands(costs: Command, tool: () => Tool, end: (code: number) => void): void {
  withFormat(
    costs.command('report').description('what was spent, exactly, by day, tenant, user, provider or model'),
  )
    .option('--by <list>', `any of ${DIMENSIONS.join(',')}, in the order of the columns`, readDimensions, [
      'tenant',
      'model',
    ] as Dimension[])
    .action((options: Period & OutputFlags & { by: Dimension[] }) => {
      const ready = tool();
      return reportCosts(ready, { by: options.by, ...days(options) }, outputOf(options, ready.printError));
    });
  withFormat(
    costs
      .command('reconcile')
      .description(
        'compare spend with the provider’s own usage and costs; exit code 1 when there are differences',
      ),
    'yesterday',
  )
    .option('--tolerance <amount>', 'largest difference of an amount that is not told', readAmount, '0')
    .action(async (options: Period & OutputFlags & { tolerance: string }) => {
      const ready = tool();
      const query = { ...days(options, DAY_MS), tolerance: options.tolerance };
      if (!(await reconcileCosts(ready, query, outputOf(options, ready.printError)))) end(1);
    });
  costs
    .command('rebuild')
    .description('count the whole cost topic from its first record, beside the listener, then put it to use')
    .action(() => rebuildCosts(tool()));
}

/** `--format` is what `--output` was called before. */
function withFormat(command: Command, last?: string): Command {
  const former = new Option('--format <format>').choices(FORMATS).hideHelp();
  return withOutput(period(command, last), 'one document').addOption(former);
}

function period(command: Command, last = 'today'): Command {
  return command
    .option('--from <day>', 'first UTC day, YYYY-MM-DD (default: the first of the last day’s month)', readDay)
    .option('--to <day>', `last UTC day, included (default: ${last})`, readDay);
}

/** @param agoMs how long ago the last day was unless it is given: a provider’s books of today are not closed */
function days({ from, to }: Period, agoMs = 0): { from: string; to: string } {
  const last = to ?? utcDay(Date.now() - agoMs);
  return { from: from ?? `${last.slice(0, 7)}-01`, to: last };
}

function readAmount(text: string): string {
  if (/^\d{1,20}(\.\d+)?$/.test(text)) return text;
  throw new InvalidArgumentError('It is an amount such as 0.01.');
}

function readDay(text: string): string {
  const at = Date.parse(`${text}T00:00:00Z`);
  if (/^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(at) && utcDay(at) === text) return text;
  throw new InvalidArgumentError('It is a UTC day such as 2026-11-30.');
}

function readDimensions(text: string): Dimension[] {
  return text.split(',').map((part) => {
    const found = DIMENSIONS.find((dimension) => dimension === part.trim());
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`It is a list of ${DIMENSIONS.join(', ')}.`);
  });
}
