import type { PriceVersion } from '../../catalog/stores.ts';
import type { Price } from '../../domain/price.ts';

/** The prices of one model in order of time, each with its real end. */
export type PriceTimeline = readonly Price[];

const datedSnapshot = /^(?<base>.+)-\d{4}-\d{2}-\d{2}$/;

/** Timelines by `provider/model`: a version without an end of its own ends where the next begins. */
export function priceTimelines(versions: readonly PriceVersion[]): ReadonlyMap<string, PriceTimeline> {
  const byModel = Map.groupBy(versions, ({ provider, model }) => `${provider}/${model}`);
  return new Map([...byModel].map(([key, ofModel]) => [key, timelineOf(ofModel)]));
}

function timelineOf(versions: readonly PriceVersion[]): PriceTimeline {
  const inOrder = versions.toSorted((one, other) => one.effectiveFrom - other.effectiveFrom);
  return inOrder.map(({ sourceHash: _sourceHash, ...price }, index) => ({
    ...price,
    effectiveTo: price.effectiveTo ?? inOrder[index + 1]?.effectiveFrom ?? null,
  }));
}

/**
 * The price in force at an instant. A dated snapshot (`gpt-4o-2024-08-06`) that has no prices of its own at all has its
 * base model's (`gpt-4o`); the price then names that model. One that has its own has no other, at no instant.
 */
export function findPrice(
  timelines: ReadonlyMap<string, PriceTimeline>,
  provider: string,
  model: string,
  at: number,
): Price | null {
  const timeline = timelines.get(`${provider}/${model}`);
  const base = datedSnapshot.exec(model)?.groups?.['base'];
  if (timeline === undefined) return base === undefined ? null : findPrice(timelines, provider, base, at);
  return (
    timeline.find(
      ({ effectiveFrom, effectiveTo }) => effectiveFrom <= at && (effectiveTo === null || at < effectiveTo),
    ) ?? null
  );
}
