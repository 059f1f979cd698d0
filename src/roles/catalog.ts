import { createPriceSource } from '../adapters/http/price-source.ts';
import { createModelStore, createPriceStore } from '../adapters/mongo/catalog/catalog-store.ts';
import { createWaitingPrices } from '../adapters/mongo/catalog/quarantined-prices.ts';
import { createTaskLead } from '../adapters/mongo/leases/task-lead.ts';
import { startWorkerLease } from '../adapters/mongo/leases/worker-lease.ts';
import { syncModels } from '../catalog/models/sync-models.ts';
import { importPriceSource } from '../catalog/prices/import-price-source.ts';
import { type CatalogStep, keepCatalog, TaskLost } from '../catalog/upkeep/keep-catalog.ts';
import { logChanges } from '../catalog/upkeep/log-changes.ts';
import { untilAborted } from '../runtime/until-aborted.ts';
import { createCatalogMetrics } from '../telemetry/catalog-metrics.ts';
import { startAnnouncer, startModelLister } from './catalog-parts.ts';
import { quietWarning } from './quiet-warning.ts';
import type { RoleContext, RunningRole } from './role.ts';
import { StartedParts } from './started-parts.ts';

const TASK = 'catalog';
const HELD_BACK =
  'a suspicious price change was quarantined; check it, then accept it with: completion-bus prices accept';
/** How soon a process notices that a step is due, or that a command has stored changes to publish. */
const LOOK_MS = 5_000;

/** Starts the role `catalog`: one process at a time keeps models and prices up to date and publishes their changes. */
export async function startCatalog(context: RoleContext): Promise<RunningRole> {
  const { config, logger, telemetry, clock, db, signal } = context;
  const parts = new StartedParts(logger);
  try {
    const metrics = createCatalogMetrics(telemetry.meter);
    parts.add(metrics, () => metrics.close());
    let turn = new AbortController();
    // A turn that another process may have taken over is aborted.
    const endTurn = () => {
      turn.abort(new TaskLost('This process could not keep its lease.'));
      turn = new AbortController();
    };
    const startingLease = startWorkerLease({
      db,
      leaseMs: config.ledger.leaseMs,
      clock,
      onLost: endTurn,
      onRenewed: endTurn,
      onRetry: quietWarning(logger, clock, 'a database operation failed; trying again'),
    });
    const lease = await untilAborted(startingLease, signal);
    parts.add(lease, () => lease.stop());

    const connecting = startAnnouncer(config, db, logger, (changes) => {
      for (const { change } of changes) metrics.announced(change);
      logChanges(changes, logger);
    });
    const announce = await untilAborted(connecting, signal);
    parts.add(announce, () => announce.close());
    const lister = startModelLister(config);
    parts.add(lister, () => lister.close());
    const models: CatalogStep = {
      name: 'models',
      async run(owner, turnSignal) {
        const store = createModelStore(db, { now: clock.now, task: { task: TASK, owner } });
        await syncModels({ lister, models: store, announce, now: clock.now }, turnSignal);
      },
    };

    const { priceSource } = config.catalog;
    const read = priceSource === null ? null : createPriceSource(priceSource);
    const prices: CatalogStep = {
      name: 'prices',
      async run(_owner, signal) {
        const stores = { prices: createPriceStore(db, { now: clock.now }), waiting: createWaitingPrices(db) };
        const { refused, held } = await importPriceSource({ read, ...stores, now: clock.now }, signal);
        metrics.pricesWaiting(held.length);
        for (const { version, reasons, isNew } of held) {
          if (isNew) logger.warn({ price: version.id, reasons }, HELD_BACK);
        }
        if (refused.length > 0)
          logger.warn(
            { refused },
            'prices of the source conflict with stored prices and were not taken over',
          );
      },
    };

    const stopping = new AbortController();
    const keeping = keepCatalog(
      {
        lead: createTaskLead(db, TASK, lease),
        steps: [models, prices],
        announce,
        intervalMs: config.catalog.syncIntervalMs,
        lookMs: Math.min(LOOK_MS, config.catalog.syncIntervalMs),
        random: Math.random,
        metrics,
        logger,
      },
      stopping.signal,
      () => turn.signal,
    );
    keeping.catch((error: unknown) =>
      context.onFatal(error instanceof Error ? error : new Error(String(error))),
    );
    parts.add(keeping, () => {
      stopping.abort(new Error('the service is stopping'));
      return keeping;
    });
    return {
      // The results of its last steps are in the metrics.
      ready: () => [],
      stop: () => parts.close(),
    };
  } catch (error) {
    await parts.close();
    throw error;
  }
}
