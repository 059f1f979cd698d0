import { isDeepStrictEqual } from 'node:util';
import type { PriceStore, PriceVersion, WaitingPrice, WaitingPrices } from '../stores.ts';
import { amountsOf } from './describe-change.ts';
import { liveVersions } from './versions/live-versions.ts';
import { planPriceVersions } from './versions/plan-price-versions.ts';

export interface Acceptance {
  /** Versions that are in force now, or will be from their date on. */
  readonly accepted: readonly PriceVersion[];
  /** Those that clash with existing versions, each with the reason. They stay in quarantine. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Puts quarantined prices into force: from now on if their source had no date.
 *
 * @param now epoch ms
 */
export async function acceptPrices(
  prices: PriceStore,
  waiting: WaitingPrices,
  chosen: readonly WaitingPrice[],
  now: number,
): Promise<Acceptance> {
  const accepted: PriceVersion[] = [];
  const refused: Acceptance['refused'][number][] = [];
  for (const price of chosen) {
    const version = price.isDated ? price.version : beginningAt(price.version, now);
    const reason = await append(prices, version);
    if (reason === null) {
      accepted.push(version);
      await waiting.remove([price]);
    } else refused.push({ name: version.id, reason });
  }
  return { accepted, refused };
}

function beginningAt(version: PriceVersion, now: number): PriceVersion {
  const { provider, model } = version;
  return { ...version, id: `${provider}/${model}@${new Date(now).toISOString()}`, effectiveFrom: now };
}

/** @returns why it cannot join the history; null if it has joined */
async function append(prices: PriceStore, version: PriceVersion): Promise<string | null> {
  const { provider, model } = version;
  for (;;) {
    const { revision, versions } = await prices.history(provider, model);
    // An earlier process accepted it, and died before it could take it from the list.
    const before = liveVersions(versions).findLast(
      ({ effectiveFrom }) => effectiveFrom <= version.effectiveFrom,
    );
    if (before !== undefined && isDeepStrictEqual(amountsOf(before), amountsOf(version))) return null;
    const { refused } = planPriceVersions(versions, [version]);
    if (refused[0] !== undefined) return refused[0].reason;
    if (await prices.append(provider, model, revision, [version])) return null;
  }
}
