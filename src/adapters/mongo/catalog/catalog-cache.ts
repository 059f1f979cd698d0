import type { Db } from 'mongodb';
import { lifecycleAt, modelInfo } from '../../../catalog/models/model-info.ts';
import { nearestNames } from '../../../catalog/models/nearest-names.ts';
import {
  findPrice,
  type PriceTimelines,
  priceTimelines,
} from '../../../catalog/prices/versions/find-price.ts';
import { type CatalogModel, lifecycleOf } from '../../../catalog/stores.ts';
import type { Catalog, ModelInfo } from '../../../ports/catalog.ts';
import type { Clock } from '../../../ports/clock.ts';
import { boundedRead } from '../client/durable-write.ts';
import { answered, pause } from '../client/retry.ts';
import { createModelStore } from './catalog-store.ts';
import { watchCatalog } from './catalog-watch.ts';
import { type PriceRow, priceVersion } from './map-price.ts';

export interface CatalogOptions {
  readonly db: Db;
  /** Longest time between two reads. Normally the database reports changes earlier. */
  readonly refreshMs: number;
  readonly clock: Clock;
  /** Called for every failed read. The catalog read before stays in use. */
  readonly onRefreshFailed: (error: unknown) => void;
}

export interface CachedCatalog extends Catalog {
  /** Age of the catalog in use, in milliseconds. */
  ageMs(): number;
  /** Reads now. */
  refresh(): Promise<void>;
  /** Stops reading. The catalog keeps answering. */
  stop(): void;
}

interface Snapshot {
  /** By `provider/id` and `provider/alias`. */
  readonly models: ReadonlyMap<string, ModelInfo>;
  readonly prices: PriceTimelines;
  readonly readAt: number;
}

/**
 * The catalog in memory. It is read from `models` and `prices` now, when the database reports a change, and at intervals.
 *
 * @throws the driver's error when the first reading fails
 */
export async function createCatalog({
  db,
  refreshMs,
  clock,
  onRefreshFailed,
}: CatalogOptions): Promise<CachedCatalog> {
  const stopped = new AbortController();
  let current = await readSnapshot(db, clock);

  const refresh = async () => {
    current = await answered(readSnapshot(db, clock));
  };
  const watch = watchCatalog(db, stopped.signal);
  const keepFresh = async () => {
    let changed = watch.changed();
    for (;;) {
      const waiting = new AbortController();
      const wakeUp = AbortSignal.any([stopped.signal, waiting.signal]);
      const isChanged = await Promise.race([changed.then(() => true), pause(refreshMs, wakeUp)]);
      waiting.abort();
      if (isChanged === true) changed = watch.changed();
      if (stopped.signal.aborted) return;
      await refresh().catch(onRefreshFailed);
    }
  };
  void keepFresh();

  return {
    model: (provider, name) => current.models.get(`${provider}/${name}`) ?? null,
    nearest: (provider, name) => nearestNames(name, workingNames(current.models, provider, clock.now())),
    price: (provider, model, at) => findPrice(current.prices, provider, model, at),
    ageMs: () => clock.monotonic() - current.readAt,
    refresh,
    stop: () => stopped.abort(),
  };
}

async function readSnapshot(db: Db, clock: Clock): Promise<Snapshot> {
  const readAt = clock.monotonic();
  const [models, prices] = await Promise.all([
    createModelStore(db).list(),
    db.collection<PriceRow>('prices').find({}, boundedRead).toArray(),
  ]);
  return {
    models: byName(models, clock.now()),
    prices: priceTimelines(prices.map(priceVersion)),
    readAt,
  };
}

/** An id is never hidden by another model's alias. */
function byName(models: readonly CatalogModel[], now: number): ReadonlyMap<string, ModelInfo> {
  const infos = models.map((model) => ({ model, info: modelInfo(model, lifecycleOf(model, now)) }));
  return new Map([
    ...infos.flatMap(({ model, info }) =>
      model.aliases.map((alias) => [`${model.provider}/${alias}`, info] as const),
    ),
    ...infos.map(({ model, info }) => [`${model.provider}/${model.id}`, info] as const),
  ]);
}

/** A model may reach its removal date between two reads. */
function workingNames(models: ReadonlyMap<string, ModelInfo>, provider: string, now: number): string[] {
  const beginning = `${provider}/`;
  return [...models]
    .filter(
      ([name, model]) => name.startsWith(beginning) && model.chats && lifecycleAt(model, now) !== 'removed',
    )
    .map(([name]) => name.slice(beginning.length));
}
