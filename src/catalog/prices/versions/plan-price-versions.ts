import { isDeepStrictEqual } from 'node:util';
import type { PriceVersion } from '../../stores.ts';
import { liveVersions, revisionOf } from './live-versions.ts';

export interface PricePlan {
  readonly append: readonly PriceVersion[];
  readonly unchanged: readonly PriceVersion[];
  readonly refused: readonly { readonly version: PriceVersion; readonly reason: string }[];
}

/**
 * Decides which versions may join the history of one model, so that no instant has two prices and none is overwritten.
 *
 * A version without an end applies until the next one starts, so another version may start inside it. A version with an end was
 * promised until then, so nothing may start inside it.
 *
 * @param wanted versions of the same model, in any order; each is checked against those accepted before it
 */
export function planPriceVersions(
  known: readonly PriceVersion[],
  wanted: readonly PriceVersion[],
): PricePlan {
  const append: PriceVersion[] = [];
  const unchanged: PriceVersion[] = [];
  const refused: PricePlan['refused'][number][] = [];

  // Plan a version before its correction.
  for (const version of wanted.toSorted((one, other) => revisionOf(one.id) - revisionOf(other.id))) {
    const all = [...known, ...append];
    const live = liveVersions([...all, version]).filter((other) => other !== version);
    const sameStart = live.find(({ effectiveFrom }) => effectiveFrom === version.effectiveFrom);
    const clash = live.find((other) => beginsInside(version, other) || beginsInside(other, version));
    const problem = version.supersedes === undefined ? null : whyNoCorrection(version.supersedes, all);
    if (isKnown(version, all)) unchanged.push(version);
    else if (problem !== null) refused.push({ version, reason: problem });
    else if (sameStart !== undefined) refused.push({ version, reason: overwriting(sameStart) });
    else if (clash !== undefined) refused.push({ version, reason: overlapping(clash) });
    else append.push(version);
  }
  return { append, unchanged, refused };
}

/** Includes versions that were corrected since: importing them once more changes nothing. */
function isKnown(version: PriceVersion, all: readonly PriceVersion[]): boolean {
  const candidates =
    version.supersedes === undefined
      ? all.filter(({ effectiveFrom }) => effectiveFrom === version.effectiveFrom)
      : all.filter(({ id }) => id === version.id);
  return candidates.some((other) => isSamePrice(other, version));
}

function whyNoCorrection(supersedes: string, all: readonly PriceVersion[]): string | null {
  if (!all.some(({ id }) => id === supersedes)) return `supersedes ${supersedes}, which does not exist`;
  const by = all.find((other) => other.supersedes === supersedes);
  return by === undefined ? null : `supersedes ${supersedes}, which ${by.id} has already corrected`;
}

/** Only a given end is a promise. An open end yields to the next version. */
function beginsInside(inner: PriceVersion, outer: PriceVersion): boolean {
  const end = outer.effectiveTo;
  return end !== null && outer.effectiveFrom < inner.effectiveFrom && inner.effectiveFrom < end;
}

/** The same price from another source is not a change. */
function isSamePrice(one: PriceVersion, other: PriceVersion): boolean {
  const neutral = { id: '', source: '', sourceHash: '', supersedes: '' };
  return isDeepStrictEqual({ ...one, ...neutral }, { ...other, ...neutral });
}

function overwriting(existing: PriceVersion): string {
  return `${existing.id} (from ${existing.source}) starts at the same instant with other figures, and prices are never overwritten: set a later effectiveFrom, or correct the version (prices correct)`;
}

function overlapping(existing: PriceVersion): string {
  const span = `${iso(existing.effectiveFrom)} to ${existing.effectiveTo === null ? 'open' : iso(existing.effectiveTo)}`;
  return `overlaps ${existing.id} (${span}, from ${existing.source}): choose an effectiveFrom and effectiveTo outside of it`;
}

const iso = (instant: number) => new Date(instant).toISOString();
