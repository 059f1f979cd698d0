import { type Check, startHealthServer } from '../adapters/http/health-server.ts';
import type { Role } from '../config/environment.ts';
import type { Config } from '../config/load-config.ts';
import type { Clock } from '../ports/clock.ts';
import { startCatalog } from '../roles/catalog.ts';
import { CheckHistory } from '../roles/check-history.ts';
import { databaseCheck } from '../roles/database-check.ts';
import { startLedger } from '../roles/ledger.ts';
import { openDatabase, type WatchedDatabase } from '../roles/open-database.ts';
import { restarted } from '../roles/restarted-role.ts';
import type { RunningRole, StartRole } from '../roles/role.ts';
import { StartedParts } from '../roles/started-parts.ts';
import { startWorker } from '../roles/worker/worker.ts';
import type { Logger } from '../runtime/logger.ts';
import { EventLoopWatch } from '../telemetry/event-loop-watch.ts';
import { createProcessMetrics } from '../telemetry/process-metrics.ts';
import type { Telemetry } from '../telemetry/start.ts';

/** How each role starts. A process without its worker is useless; the other roles fail alone. */
const starters: Readonly<Record<Role, StartRole>> = {
  worker: startWorker,
  catalog: restarted('catalog', startCatalog),
  ledger: restarted('ledger', startLedger),
};

/** How often checks are run, so that they know when their result last changed. */
const LOOK_MS = 1_000;

export interface ServiceOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Fires when the service has to stop. If it is still starting, the start finishes its current step and rejects. */
  readonly signal?: AbortSignal;
  /** Called when a role cannot continue. The process must end, so that it is restarted. */
  readonly onFatal: (error: Error, role: Role) => void;
}

export interface Service {
  readonly httpPort: number;
  /** Drains and stops; resolves when everything is closed. Repeated calls wait for the first. */
  stop(): Promise<void>;
}

/**
 * Starts what every role needs, then the configured roles in parallel. If a part fails, everything started is closed again.
 *
 * @throws the error that prevents the start, with a message that says what to do; the signal's reason
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, logger, telemetry, clock, onFatal } = options;
  const parts = new StartedParts(logger);
  const running = new Map<Role, RunningRole>();
  // Each reports the time since its previous call.
  const eventLoop = new EventLoopWatch();
  parts.add(eventLoop, () => eventLoop.stop());
  const measuredLoop = new EventLoopWatch();
  parts.add(measuredLoop, () => measuredLoop.stop());
  const failed = new AbortController();
  const signal =
    options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal]);
  const history = new CheckHistory();
  let database: WatchedDatabase | null = null;
  const metrics = createProcessMetrics(telemetry.meter, {
    eventLoopDelayMs: () => measuredLoop.takeLongestMs(),
    databaseIsUp: () => database?.state.isUp ?? null,
    openReservations: () => database?.openReservations ?? null,
  });
  parts.add(metrics, () => metrics.close());
  let isStopping = false;
  let starting: Promise<unknown> = Promise.resolve();

  const ready = () => {
    const runs = !isStopping && !signal.aborted;
    const checks = [
      { name: 'running', ok: runs, why: runs ? 'not stopping' : 'stopping' },
      databaseCheck(database?.state ?? null, config.roles),
      ...config.roles.flatMap(
        (role) => running.get(role)?.ready() ?? [{ name: role, ok: false, why: 'starting' }],
      ),
    ];
    return history.note(checks, clock.now());
  };
  const look = setInterval(ready, LOOK_MS).unref();
  parts.add(look, () => clearInterval(look));

  try {
    // 1 Health first: a process that is starting is alive and not ready.
    const health = await startHealthServer({
      ...config.http,
      checks: { live: () => liveness(running, eventLoop, config.http.stuckAfterMs), ready },
      metricsHandler: telemetry.metricsHandler,
    });
    parts.add(health, () => health.close());

    // 2 The database, and the cluster that its rows belong to.
    const onAnswered = (durationMs: number) => metrics.databaseAnswered(durationMs);
    database = await openDatabase({ config, logger, clock, signal, parts, onAnswered });
    const { db } = database;

    // 3 The roles: none needs another, and each joins a group of its own.
    const start = async (role: Role) => {
      const fatal = (error: Error) => onFatal(error, role);
      running.set(
        role,
        await starters[role]({ config, logger, telemetry, clock, db, signal, onFatal: fatal }),
      );
    };
    const starts = config.roles.map(start);
    starting = Promise.allSettled(starts);
    await Promise.all(starts);
    signal.throwIfAborted();

    let stopped: Promise<void> | null = null;
    return {
      httpPort: health.port,
      stop: () => {
        isStopping = true;
        stopped ??= (async () => {
          logger.info('stopping: finishing requests in flight');
          await stopAll(running);
          await parts.close();
          logger.info('stopped');
        })();
        return stopped;
      },
    };
  } catch (error) {
    failed.abort(error);
    await starting;
    await stopAll(running).catch(() => undefined);
    await parts.close();
    if (options.signal?.aborted) logger.info('stopped');
    throw options.signal?.aborted ? options.signal.reason : error;
  }
}

/** In parallel: a worker may take long, and no role needs another. */
async function stopAll(running: ReadonlyMap<Role, RunningRole>): Promise<void> {
  await Promise.all([...running.values()].map((role) => role.stop()));
}

/** A blocked event loop does not answer at all. One that was blocked for long is reported here. */
function liveness(
  running: ReadonlyMap<Role, RunningRole>,
  eventLoop: EventLoopWatch,
  stuckAfterMs: number,
): Check[] {
  const delayMs = eventLoop.takeLongestMs();
  const loop = {
    name: 'event loop',
    ok: delayMs < stuckAfterMs,
    why: `longest delay ${Math.round(delayMs)} ms since the previous request of /livez`,
  };
  return [loop, ...[...running.values()].flatMap((role) => role.live?.() ?? [])];
}
