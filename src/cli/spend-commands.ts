import { type Command, InvalidArgumentError, Option } from 'commander';
import { utcDay } from '../domain/spend.ts';
import { FORMATS, type Format } from '../spend/format-report.ts';
import { DIMENSIONS, type Dimension } from '../spend/spend-report.ts';
import { rebuildCosts, reportCosts } from './spend-tool.ts';
import type { Tool } from './tool.ts';

interface Period {
  readonly from?: string;
  readonly to?: string;
}

/** Adds the commands of spend to a program. */
export function addSpendCommands(program: Command, tool: () => Tool): void {
  const costs =
    program.commands.find((command) => command.name() === 'costs') ??
    program.command('costs').description('what calls cost');
  period(
    costs.command('report').description('what was spent, exactly, by day, tenant, user, provider or model'),
  )
    .option('--by <list>', `any of ${DIMENSIONS.join(',')}, in the order of the columns`, readDimensions, [
      'tenant',
      'model',
    ] as Dimension[])
    .addOption(new Option('--format <format>', 'how it is written').choices(FORMATS).default('table'))
    .action((options: Period & { by: Dimension[]; format: Format }) =>
      reportCosts(tool(), { by: options.by, ...days(options) }, options.format),
    );
  costs
    .command('rebuild')
    .description('count the whole cost topic afresh, beside the listener, then put it to use')
    .action(() => rebuildCosts(tool()));
}

function period(command: Command): Command {
  return command
    .option('--from <day>', 'first UTC day, YYYY-MM-DD (default: the first of this month)', readDay)
    .option('--to <day>', 'last UTC day, included (default: today)', readDay);
}

function days({ from, to }: Period): { from: string; to: string } {
  const today = utcDay(Date.now());
  return { from: from ?? `${today.slice(0, 7)}-01`, to: to ?? today };
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
