import type { PriceVersion } from '../../stores.ts';

/** The versions that no later one supersedes. The others are kept as the record of what was charged, and why. */
export function liveVersions<Version extends Pick<PriceVersion, 'id' | 'supersedes'>>(
  versions: readonly Version[],
): Version[] {
  const superseded = new Set(versions.flatMap(({ supersedes }) => supersedes ?? []));
  return superseded.size === 0 ? [...versions] : versions.filter(({ id }) => !superseded.has(id));
}

/** The revision number in a version's id: `gpt-4@2025-01-01T00:00:00.000Z#2` is 2; 1 without a number. */
export function revisionOf(id: string): number {
  return Number(/#(\d{1,9})$/.exec(id)?.[1] ?? 1);
}
