import { type Command, InvalidArgumentError, Option } from 'commander';
import { utcDay } from '../../domain/cost/spend.ts';
import { FORMATS } from '../../spend/report/format-report.ts';
import { DIMENSIONS, type Dimension, LABEL, type ReportFilter } from '../../spend/report/spend-report.ts';
import type { Tool } from '../options/tool.ts';
import { type OutputFlags, outputOf, withOutput } from '../output/listing.ts';
import { rebuildCosts, reconcileCosts, reportCosts } from './spend-tool.ts';

const DAY_MS = 86_400_000;

interface Period {
  readonly from?: string;
  readonly to?: string;
}

/**
 * Adds the spend commands to the `costs` commands.
 *
 * @param end sets the exit code of a command that ended normally but has to report a result
 */
export function addSpendCommands(costs: Command, tool: () => Tool, end: (code: number) => void): void {
  withFormat(
    costs
      .command('report')
      .description('what was spent, exactly, by day, tenant, user, provider, model or label'),
  )
    .option('--tenant <id>', 'only what this tenant spent')
    .option('--user <id>', 'only what this user spent')
    .option('--model <name>', 'only calls that this model served')
    .option(
      '--label <name=value>',
      'only requests with this label; may be repeated. Reports by labels read the whole cost topic',
      readLabel,
    )
    .option(
      '--by <list>',
      `any of ${DIMENSIONS.join(',')},label:NAME, in the order of the columns`,
      readDimensions,
      ['tenant', 'model'] as Dimension[],
    )
    .action((options: Period & OutputFlags & FilterFlags & { by: Dimension[] }) => {
      const ready = tool();
      const { tenant, user, model, label: labels } = options;
      const given = Object.entries({ tenant, user, model, labels }).filter(
        ([, value]) => value !== undefined,
      );
      const where: ReportFilter = Object.fromEntries(given);
      const query = { by: options.by, ...days(options), ...(given.length > 0 && { where }) };
      return reportCosts(ready, query, outputOf(options, ready.printError));
    });
  withFormat(
    costs
      .command('reconcile')
      .description(
        'compare spend with the provider’s own usage and costs; exit code 1 when there are differences',
      ),
    'yesterday',
  )
    .option('--tolerance <amount>', 'largest difference of an amount that is not reported', readAmount, '0')
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

interface FilterFlags {
  readonly tenant?: string;
  readonly user?: string;
  readonly model?: string;
  readonly label?: Readonly<Record<string, string>>;
}

function readLabel(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It must be a label’s name and value, such as team=search.');
  const labels: Record<string, string> = Object.assign(Object.create(null), before);
  labels[text.slice(0, equals)] = text.slice(equals + 1);
  return labels;
}

/** `--format` is the former name of `--output`. */
function withFormat(command: Command, last?: string): Command {
  const former = new Option('--format <format>').choices(FORMATS).hideHelp();
  return withOutput(period(command, last), 'one document').addOption(former);
}

function period(command: Command, last = 'today'): Command {
  return command
    .option('--from <day>', 'first UTC day, YYYY-MM-DD (default: the first of the last day’s month)', readDay)
    .option('--to <day>', `last UTC day, included (default: ${last})`, readDay);
}

/** @param agoMs how long ago the last day was by default: the provider’s figures of today are not final */
function days({ from, to }: Period, agoMs = 0): { from: string; to: string } {
  const last = to ?? utcDay(Date.now() - agoMs);
  return { from: from ?? `${last.slice(0, 7)}-01`, to: last };
}

function readAmount(text: string): string {
  if (/^\d{1,20}(\.\d+)?$/.test(text)) return text;
  throw new InvalidArgumentError('It must be an amount such as 0.01.');
}

function readDay(text: string): string {
  const at = Date.parse(`${text}T00:00:00Z`);
  if (/^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(at) && utcDay(at) === text) return text;
  throw new InvalidArgumentError('It must be a UTC day such as 2026-11-30.');
}

function readDimensions(text: string): Dimension[] {
  return text.split(',').map((part) => {
    const name = part.trim();
    if (name.startsWith(LABEL) && name.length > LABEL.length) return name as Dimension;
    const found = DIMENSIONS.find((dimension) => dimension === name);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`It must be a list of ${DIMENSIONS.join(', ')} and label:NAME.`);
  });
}
