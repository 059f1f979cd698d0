import type { Price } from '../../../domain/cost/price.ts';
import type { PriceVersion } from '../../stores.ts';
import { liveVersions } from './live-versions.ts';

/** The prices of one model in order of time, each with its real end. */
export type PriceTimeline = readonly Price[];

/** Timelines by `provider/model`. */
export type PriceTimelines = ReadonlyMap<string, PriceTimeline>;

const datedSnapshot = /^(?<base>.+)-\d{4}-\d{2}-\d{2}$/;
/** `ft:gpt-4o-2024-08-06:organization:name:id`: priced by the tuned model's base. */
const fineTuned = /^(?<base>ft:[^:]+):.+$/;

/** A version without an end ends when the next one starts. A corrected version no longer applies. */
export function priceTimelines(versions: readonly PriceVersion[]): PriceTimelines {
  const byModel = Map.groupBy(liveVersions(versions), ({ provider, model }) => `${provider}/${model}`);
  return new Map([...byModel].map(([key, ofModel]) => [key, timelineOf(ofModel)]));
}

function timelineOf(versions: readonly PriceVersion[]): PriceTimeline {
  const inOrder = versions.toSorted((one, other) => one.effectiveFrom - other.effectiveFrom);
  return inOrder.map(({ sourceHash: _sourceHash, ...price }, index) => ({
    ...price,
    effectiveTo: price.effectiveTo ?? inOrder[index + 1]?.effectiveFrom ?? null,
  }));
}

/** The model whose prices apply to a dated snapshot or a fine-tuned model without prices; null if it is neither. */
export function baseModel(model: string): string | null {
  return (fineTuned.exec(model) ?? datedSnapshot.exec(model))?.groups?.['base'] ?? null;
}

/**
 * The price in force at an instant. A dated snapshot (`gpt-4o-2024-08-06`) or a fine-tuned model has its base model's price until
 * its own first price starts; that price then names the base model. From then on only its own prices apply.
 */
export function findPrice(
  timelines: PriceTimelines,
  provider: string,
  model: string,
  at: number,
): Price | null {
  const timeline = timelines.get(`${provider}/${model}`) ?? [];
  const [first] = timeline;
  if (first !== undefined && first.effectiveFrom <= at) return priceAt(timeline, at);
  const base = baseModel(model);
  return base === null ? null : findPrice(timelines, provider, base, at);
}

/** The model's own price in force at an instant (epoch ms). */
export function priceAt(timeline: PriceTimeline, at: number): Price | null {
  const isInForce = ({ effectiveFrom, effectiveTo }: Price) =>
    effectiveFrom <= at && (effectiveTo === null || at < effectiveTo);
  return timeline.find(isInForce) ?? null;
}
