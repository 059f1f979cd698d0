import type { PriceVersion } from '../stores.ts';

/** Formats versions as a price file of our own format. Importing it into an empty catalog gives the same versions. */
export function formatPriceFile(versions: readonly PriceVersion[]): string {
  const entries = versions.map(({ id: _id, sourceHash: _hash, effectiveFrom, effectiveTo, ...price }) => ({
    ...price,
    effectiveFrom: new Date(effectiveFrom).toISOString(),
    effectiveTo: effectiveTo === null ? null : new Date(effectiveTo).toISOString(),
  }));
  return `${JSON.stringify(entries, null, 2)}\n`;
}
