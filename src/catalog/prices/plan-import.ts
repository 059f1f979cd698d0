import type { PriceVersion } from '../stores.ts';
import { priceAt, priceTimelines } from './versions/find-price.ts';
import { liveVersions, revisionOf } from './versions/live-versions.ts';
import { type PricePlan, planPriceVersions } from './versions/plan-price-versions.ts';
import { compareFigures } from './versions/price-figures.ts';

export interface WantedVersion {
  readonly version: PriceVersion;
  /** Its file says when it begins. */
  readonly isDated: boolean;
}

/**
 * Decides what an import adds to the history of one model. An entry whose figures are in force anyhow adds no version.
 *
 * @param wanted entries of the same model, in any order
 * @param isNewEdition an entry that begins with a version of the same source, and has other figures, supersedes it
 */
export function planImport(
  known: readonly PriceVersion[],
  wanted: readonly WantedVersion[],
  isNewEdition: boolean,
): PricePlan {
  // A history with corrections is an export. Its versions name each other, so that all of them are needed.
  const isExport = wanted.some(({ version }) => version.supersedes !== undefined);
  const entries = isNewEdition
    ? wanted.map((one) => ({ ...one, version: asCorrection(one.version, known) }))
    : wanted;
  const holding: PriceVersion[] = [];
  const others: PriceVersion[] = [];
  let accepted = known;
  for (const { version, isDated } of entries.toSorted(byBegin)) {
    const inForce = isDated && isExport ? null : whatHolds(version, isDated, accepted);
    if (inForce !== null) {
      holding.push({ ...version, id: inForce });
      continue;
    }
    others.push(version);
    accepted = [...accepted, ...planPriceVersions(accepted, [version]).append];
  }
  const inOrder = entries.map(({ version }) => version).filter((version) => others.includes(version));
  const plan = planPriceVersions(known, inOrder);
  return { ...plan, unchanged: [...holding, ...plan.unchanged] };
}

/** @returns the id of an earlier version that says all that this one does; null when there is none */
function whatHolds(version: PriceVersion, isDated: boolean, all: readonly PriceVersion[]): string | null {
  const [timeline = []] = priceTimelines(all).values();
  const inForce = priceAt(timeline, version.effectiveFrom);
  if (inForce === null || version.supersedes !== undefined) return null;
  if (compareFigures(inForce, version).length > 0) return null;
  if (!isDated) return inForce.id;
  const given = all.find(({ id }) => id === inForce.id)?.effectiveTo ?? null;
  const endsAlike = version.effectiveTo === (version.effectiveTo === null ? given : inForce.effectiveTo);
  return endsAlike && inForce.effectiveFrom < version.effectiveFrom ? inForce.id : null;
}

/** The version as a correction of the one that the earlier edition has in its place, unless it says the same. */
function asCorrection(version: PriceVersion, known: readonly PriceVersion[]): PriceVersion {
  const sameBegin = known.filter(({ effectiveFrom }) => effectiveFrom === version.effectiveFrom);
  const isKnown = sameBegin.some(
    (other) => other.effectiveTo === version.effectiveTo && compareFigures(other, version).length === 0,
  );
  const [live] = liveVersions(known).filter((other) => sameBegin.includes(other));
  if (isKnown || live === undefined || live.source !== version.source) return version;
  return { ...version, id: `${version.id}#${revisionOf(live.id) + 1}`, supersedes: live.id };
}

const byBegin = (one: WantedVersion, other: WantedVersion) =>
  one.version.effectiveFrom - other.version.effectiveFrom;
