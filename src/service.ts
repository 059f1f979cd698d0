import type { Admin } from 'kafkajs';
import { type Check, startHealthServer } from './adapters/http/health-server.ts';
import { createKafka, PATIENT_RETRIES } from './adapters/kafka/kafka-client.ts';
import { checkTopics } from './adapters/kafka/topics.ts';
import { bindDatabase, connectDatabase, ensureIndexes } from './adapters/mongo/database.ts';
import type { Role } from './config/environment.ts';
import type { Config } from './config.ts';
import type { Logger } from './logger.ts';
import type { Clock } from './ports.ts';
import { startCatalog } from './roles/catalog.ts';
import { startLedger } from './roles/ledger.ts';
import type { RunningRole, StartRole } from './roles/role.ts';
import { StartedParts } from './roles/started-parts.ts';
import { startWorker } from './roles/worker.ts';
import { EventLoopWatch } from './telemetry/event-loop-watch.ts';
import type { Telemetry } from './telemetry/start.ts';

/** How each role starts. */
const starters: Partial<Record<Role, StartRole>> = {
  worker: startWorker,
  catalog: startCatalog,
  ledger: startLedger,
};

export interface ServiceOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** The service cannot go on: the process must end, so that it is started again. */
  readonly onFatal: (error: Error) => void;
}

export interface Service {
  readonly httpPort: number;
  /** Drains and stops; resolves when everything is closed. Repeated calls wait for the first. */
  stop(): Promise<void>;
}

/**
 * Starts what every role needs, then each of the chosen roles, and undoes what was started when a part fails.
 *
 * @throws whatever keeps it from starting, with a message that names the way out
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, logger, telemetry, clock, onFatal } = options;
  const parts = new StartedParts(logger);
  const running = new Map<Role, RunningRole>();
  const eventLoop = new EventLoopWatch();
  parts.add(eventLoop, () => eventLoop.stop());
  let stopping: Promise<void> | null = null;

  try {
    // 1 Health first: a process that is starting is alive and not ready.
    const health = await startHealthServer({
      ...config.http,
      checks: {
        live: () => liveness(running, eventLoop, config.http.stuckAfterMs),
        ready: () => readiness(config.roles, running, stopping !== null),
      },
      metricsHandler: telemetry.metricsHandler,
    });
    parts.add(health, () => health.close());

    // 2 The database, and the cluster that its rows belong to.
    const database = await connectDatabase(config.mongo);
    parts.add(database, () => database.close());
    const kafkaClusterId = await checkCluster(config, logger);
    await bindDatabase(database.db, {
      kafkaClusterId,
      groupId: config.kafka.groupId,
      topicPrefix: config.topics.prefix,
    });
    await ensureIndexes(database.db);

    // 3 The roles.
    for (const role of config.roles) {
      const start = starters[role];
      if (start === undefined) continue;
      running.set(role, await start({ config, logger, telemetry, clock, db: database.db, onFatal }));
    }

    return {
      httpPort: health.port,
      stop: () => {
        stopping ??= (async () => {
          logger.info('stopping: finishing what runs');
          await stopAll(running);
          await parts.close();
          logger.info('stopped');
        })();
        return stopping;
      },
    };
  } catch (error) {
    await stopAll(running).catch(() => undefined);
    await parts.close();
    throw error;
  }
}

/** Side by side: a worker may take its time, and no role needs another. */
async function stopAll(running: ReadonlyMap<Role, RunningRole>): Promise<void> {
  await Promise.all([...running.values()].map((role) => role.stop()));
}

/** Makes sure that the topics are as they must be. @returns the cluster's id */
async function checkCluster(config: Config, logger: Logger): Promise<string> {
  const admin: Admin = createKafka(config.kafka, logger, PATIENT_RETRIES).admin();
  await admin.connect();
  try {
    await checkTopics(admin, config.topics, {
      ledgerTtlMs: config.ledger.ttlMs,
      recordMaxBytes: config.limits.recordMaxBytes,
    });
    return (await admin.describeCluster()).clusterId;
  } finally {
    await admin.disconnect();
  }
}

/** An event loop that is blocked does not answer at all; one that was blocked for long is reported here. */
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

function readiness(
  roles: readonly Role[],
  running: ReadonlyMap<Role, RunningRole>,
  isStopping: boolean,
): Check[] {
  return [
    { name: 'running', ok: !isStopping, why: isStopping ? 'stopping' : 'not stopping' },
    ...roles
      .filter((role) => starters[role] !== undefined)
      .flatMap((role) => running.get(role)?.ready() ?? [{ name: role, ok: false, why: 'starting' }]),
  ];
}
