import type { PriceImport } from '../../catalog/prices/import-prices.ts';
import type { ImportSummary } from '../../catalog/prices/import-summary.ts';

/** Counts, then each refused entry with its reason. */
export function describeImport({ added, changed, unchanged, refused }: ImportSummary): string {
  const counts = `${added.length} added, ${changed.length} changed, ${unchanged.length} unchanged, ${refused.length} refused\n`;
  return counts + refused.map(({ name, reason }) => `  refused ${name}: ${reason}\n`).join('');
}

/** Counts and refusals, each new version with the old and the new figures, then the keys that were not used. */
export function describePriceImport(done: PriceImport): string {
  const differences = done.differences.map(({ name, changes }) => {
    const figures = changes.map(
      ({ figure, before, after }) => `${figure} ${before ?? 'none'} → ${after ?? 'none'}`,
    );
    return `  ${name}: ${figures.length === 0 ? 'the same figures' : figures.join(', ')}\n`;
  });
  const unused = done.unusedKeys.map(({ key, models }) => `  ${key} (${models})\n`);
  return [
    describeImport(done),
    ...differences,
    ...(unused.length === 0 ? [] : ['keys that were not used, and how many models have them:\n', ...unused]),
  ].join('');
}
