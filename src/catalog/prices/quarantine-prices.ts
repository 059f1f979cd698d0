import type { PriceStore, PriceVersion, WaitingPrice, WaitingPrices } from '../stores.ts';
import { suspicionsOf } from './suspicious-price.ts';
import { liveVersions } from './versions/live-versions.ts';

export interface HeldBack extends WaitingPrice {
  /** Whether it is newly quarantined. */
  readonly isNew: boolean;
}

export interface QuarantiningStore {
  /** Adds plausible versions, and quarantines the rest. */
  readonly store: PriceStore;
  /** The versions quarantined so far. */
  readonly held: readonly HeldBack[];
}

/**
 * A store that quarantines suspicious prices. A version that is suspicious compared with the one that it replaces waits until an
 * operator accepts it. All others are added.
 *
 * @param now epoch ms; a version that starts between this call and its storing has no date of its own
 */
export function quarantinePrices(
  prices: PriceStore,
  waiting: WaitingPrices,
  now: () => number,
): QuarantiningStore {
  const startedAt = now();
  const held: HeldBack[] = [];
  const store: PriceStore = {
    ...prices,
    async append(provider, model, revision, versions) {
      const history = await prices.history(provider, model);
      if (history.revision !== revision) return false;
      const { believed, doubted } = judge(history.versions, versions);
      if (believed.length > 0 && !(await prices.append(provider, model, revision, believed))) return false;
      const at = now();
      for (const { version, reasons } of doubted) {
        const isDated = version.effectiveFrom < startedAt || version.effectiveFrom > at;
        const price = { version, reasons, since: at, isDated };
        held.push({ ...price, isNew: await waiting.put(price) });
      }
      return true;
    },
  };
  return { store, held };
}

/**
 * Compares each version with what would be in force before it, never with another suspicious version. If a model has no price, its
 * whole history is accepted: there is nothing to compare with.
 */
function judge(known: readonly PriceVersion[], versions: readonly PriceVersion[]) {
  if (known.length === 0) return { believed: versions, doubted: [] };
  const believed: PriceVersion[] = [];
  const doubted: { version: PriceVersion; reasons: string[] }[] = [];
  for (const version of versions.toSorted(byBegin)) {
    const before = liveVersions([...known, ...believed])
      .sort(byBegin)
      .findLast(({ effectiveFrom }) => effectiveFrom < version.effectiveFrom);
    const reasons = before === undefined ? [] : suspicionsOf(before, version);
    if (reasons.length === 0) believed.push(version);
    else doubted.push({ version, reasons });
  }
  return { believed, doubted };
}

const byBegin = (one: PriceVersion, other: PriceVersion) => one.effectiveFrom - other.effectiveFrom;
