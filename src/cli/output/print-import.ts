import type { PriceImport } from '../../catalog/prices/import-prices.ts';
import type { ImportSummary } from '../../catalog/prices/import-summary.ts';
import { visibleName } from '../../domain/text/visible-text.ts';
import type { Tool } from '../options/tool.ts';

/** How an import is reported. */
export interface ImportReport {
  /** Whether nothing was written. */
  readonly dryRun: boolean;
  /** Whether each entry is reported, and not only how many there are. */
  readonly verbose: boolean;
}

/** Refusals that are reported without `--verbose`. */
const REFUSALS = 3;

/**
 * Prints what an import did: the counts and, when verbose, each entry to standard output; what was refused to standard error.
 *
 * @returns the exit code: 1 when an entry was refused
 */
export function printImport(tool: Tool, done: ImportSummary | PriceImport, report: ImportReport): number {
  tool.print(`${counts(done, report.dryRun)}\n`);
  if (report.verbose) for (const line of detailsOf(done)) tool.print(`  ${visibleName(line)}\n`);
  const { refused } = done;
  const shown = report.verbose ? refused : refused.slice(0, REFUSALS);
  for (const { name, reason } of shown) tool.printError(`refused ${visibleName(`${name}: ${reason}`)}\n`);
  const more = refused.length - shown.length;
  if (more > 0) tool.printError(`${more} more refused; --verbose names them\n`);
  return refused.length === 0 ? 0 : 1;
}

function counts({ added, changed, unchanged, refused }: ImportSummary, dryRun: boolean): string {
  return dryRun
    ? `would add ${added.length}, change ${changed.length}, leave ${unchanged.length} unchanged, refuse ${refused.length}`
    : `${added.length} added, ${changed.length} changed, ${unchanged.length} unchanged, ${refused.length} refused`;
}

/** What was added and changed, new versions of prices with the old and the new figures, then the keys that were not used. */
function detailsOf(done: ImportSummary | PriceImport): string[] {
  if (!('differences' in done))
    return [...done.added.map((name) => `added ${name}`), ...done.changed.map((name) => `changed ${name}`)];
  const differences = done.differences.map(({ name, changes }) => {
    const figures = changes.map(
      ({ figure, before, after }) => `${figure} ${before ?? 'none'} → ${after ?? 'none'}`,
    );
    return `${name}: ${figures.length === 0 ? 'the same figures' : figures.join(', ')}`;
  });
  const unused = done.unusedKeys.map(({ key, models }) => `${key} (${models})`);
  return [
    ...differences,
    ...(unused.length === 0 ? [] : ['keys that were not used, and how many models have them:', ...unused]),
  ];
}
