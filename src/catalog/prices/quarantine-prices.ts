import type { PriceStore, PriceVersion, WaitingPrice, WaitingPrices } from '../stores.ts';
import { liveVersions } from './live-versions.ts';
import { suspicionsOf } from './suspicious-price.ts';

export interface HeldBack extends WaitingPrice {
  /** It was not waiting before. */
  readonly isNew: boolean;
}

export interface CautiousStore {
  /** Adds what may be believed, and lets the rest wait. */
  readonly store: PriceStore;
  /** What was held back so far. */
  readonly held: readonly HeldBack[];
}

/**
 * A store for prices that nobody has looked at: a version that is suspicious beside the one that it takes over from waits
 * until a person accepts it, the others go in.
 *
 * @param now epoch ms; a version that begins between this call and its storing has no date of its own
 */
export function holdBackPrices(prices: PriceStore, waiting: WaitingPrices, now: () => number): CautiousStore {
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
 * Each version is held against what would be in force before it, never against another one that is doubted. The whole
 * history of a model without a price is believed: there is nothing that it would change.
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
