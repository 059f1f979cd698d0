import { type Command, InvalidArgumentError } from 'commander';
import { readInstant } from '../options/option-values.ts';
import type { Tool } from '../options/tool.ts';
import { type OutputFlags, outputOf, withOutput } from '../output/listing.ts';
import { type LetterFilter, listDeadLetters, replayDeadLetters } from './dead-letters.ts';

interface FilterFlags {
  readonly code?: readonly string[];
  readonly from?: number;
  readonly to?: number;
}

/**
 * Adds the commands of dead letters to a program.
 *
 * @param end sets the exit code of a command that ended normally but has to report a result
 */
export function addDeadCommands(program: Command, tool: () => Tool, end: (code: number) => void): void {
  const dead = program.command('dead').description('records that could not be read or that killed workers');
  withOutput(
    filtered(
      dead.command('list').description('list dead letters: where they are from, and why they are dead'),
    ),
    'one object a line',
  ).action((flags: FilterFlags & OutputFlags) =>
    listDeadLetters(tool(), filterOf([], flags), outputOf(flags)),
  );
  withOutput(
    filtered(
      dead
        .command('replay')
        .description(
          'publish the requests of dead letters once more; exit code 1 when a named one cannot be',
        ),
    ),
    'one object a line',
  )
    .argument('[letters...]', 'which, as the list names them: 3/17', readLetterIds)
    .option('--all', 'all that the other options leave')
    .option('--dry-run', 'only say what would be published')
    .action(async (ids: readonly string[] = [], flags: ReplayFlags, command: Command) => {
      if (ids.length === 0 && !flags.all)
        command.error('error: say which letters, as "dead list" names them (3/17), or --all');
      const filter = filterOf(ids, flags);
      if (!(await replayDeadLetters(tool(), filter, flags.dryRun ?? false, outputOf(flags)))) end(1);
    });
}

type ReplayFlags = FilterFlags & OutputFlags & { readonly all?: boolean; readonly dryRun?: boolean };

function filtered(command: Command): Command {
  return command
    .option(
      '--code <code>',
      'those that are dead for this reason; may be repeated',
      (code: string, before: readonly string[] = []) => [...before, code],
    )
    .option('--from <time>', 'those that were written at that time or later', readInstant)
    .option('--to <time>', 'those that were written before that time (default: now)', readInstant);
}

function filterOf(ids: readonly string[], { code = [], from, to }: FilterFlags): LetterFilter {
  return {
    ids: new Set(ids),
    codes: new Set(code),
    from: from ?? Number.NEGATIVE_INFINITY,
    to: to ?? Date.now(),
  };
}

function readLetterIds(id: string, before: readonly string[] = []): readonly string[] {
  if (/^\d+\/\d+$/.test(id)) return [...before, id];
  throw new InvalidArgumentError('It is a partition and an offset as "dead list" prints them, such as 3/17.');
}
