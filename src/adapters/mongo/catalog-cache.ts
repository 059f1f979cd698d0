import type { Db } from 'mongodb';
import { findPrice, type PriceTimelines, priceTimelines } from '../../catalog/find-price.ts';
import type { CatalogModel } from '../../catalog/stores.ts';
import type { Catalog, Clock, ModelInfo } from '../../ports.ts';
import { createModelStore } from './catalog-store.ts';
import { boundedRead } from './durable-write.ts';
import { type PriceRow, priceVersion } from './map-price.ts';
import { pause } from './retry.ts';

export interface CatalogOptions {
  readonly db: Db;
  /** Time between two readings. */
  readonly refreshMs: number;
  readonly clock: Clock;
  /** Told of every reading that failed; what was read before goes on being used. */
  readonly onRefreshFailed: (error: unknown) => void;
}

export interface CachedCatalog extends Catalog {
  /** Milliseconds since what is used was read. */
  ageMs(): number;
  /** Reads now. */
  refresh(): Promise<void>;
  /** Ends the readings; the catalog goes on answering. */
  stop(): void;
}

interface Snapshot {
  readonly models: ReadonlyMap<string, ModelInfo>;
  readonly prices: PriceTimelines;
  readonly readAt: number;
}

/**
 * The catalog in memory, read from `models` and `prices` now and again at intervals.
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
    current = await readSnapshot(db, clock);
  };
  const keepFresh = async () => {
    for (;;) {
      await pause(refreshMs, stopped.signal);
      if (stopped.signal.aborted) return;
      await refresh().catch(onRefreshFailed);
    }
  };
  void keepFresh();

  return {
    model: (provider, id) => current.models.get(`${provider}/${id}`) ?? null,
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
    models: new Map(models.map((model) => [`${model.provider}/${model.id}`, modelInfo(model)])),
    prices: priceTimelines(prices.map(priceVersion)),
    readAt,
  };
}

/** Models that were imported before a field was there have its empty value. */
function modelInfo(model: CatalogModel): ModelInfo {
  const { capabilities, refusedWhileReasoning = [] } = model as Partial<CatalogModel>;
  return { ...model, refusedWhileReasoning, streams: capabilities?.includes('streaming') ?? true };
}
