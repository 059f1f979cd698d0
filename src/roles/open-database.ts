import type { Db } from 'mongodb';
import { createKafka, PATIENT_RETRIES } from '../adapters/kafka/kafkajs/kafka-client.ts';
import { checkTopics } from '../adapters/kafka/topics/topics.ts';
import { bindDatabase, connectDatabase, ensureIndexes } from '../adapters/mongo/client/database.ts';
import { DatabaseProbe, type DatabaseState } from '../adapters/mongo/client/database-probe.ts';
import type { Config } from '../config/load-config.ts';
import { topicNames } from '../contract/topics.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { untilAborted } from '../runtime/until-aborted.ts';
import type { StartedParts } from './started-parts.ts';

export interface OpenDatabaseOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Aborts the start. */
  readonly signal: AbortSignal;
  /** Receives the close function. */
  readonly parts: StartedParts;
  /** The primary answered a ping, with its round trip in milliseconds. */
  readonly onAnswered: (durationMs: number) => void;
}

/** A database and its availability. */
export interface WatchedDatabase {
  readonly db: Db;
  readonly state: DatabaseState;
  /** Number of reservations of all workers; null before they were counted. */
  readonly openReservations: number | null;
}

/**
 * Connects to the database, checks that its rows belong to this cluster, group and prefix, and watches its availability.
 *
 * @throws if it is unusable, with what to do; the signal's reason
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<WatchedDatabase> {
  const { config, logger, clock, signal, parts, onAnswered } = options;
  // 1 The database, and the cluster that its rows belong to.
  const connecting = connectDatabase(config.mongo);
  const { db, close } = await untilAborted(connecting, signal).catch((error: unknown) => {
    // The connection succeeded after the start was aborted.
    connecting.then((late) => late.close()).catch(() => undefined);
    throw error;
  });
  parts.add(db, close);
  const kafkaClusterId = await untilAborted(checkCluster(config, logger), signal);
  const owner = { kafkaClusterId, groupId: config.kafka.groupId, topicPrefix: config.topics.prefix };
  await untilAborted(
    bindDatabase(db, owner).then(() => ensureIndexes(db)),
    signal,
  );

  // 2 Watch its availability from now on.
  let openReservations: number | null = null;
  const countReservations = async () => {
    openReservations = await db.collection('reservations').estimatedDocumentCount();
  };
  const probe = new DatabaseProbe({
    db,
    clock,
    onAnswered: (durationMs) => {
      onAnswered(durationMs);
      void countReservations().catch(() => undefined);
    },
    onDown: (error) => logger.error({ err: error }, 'MongoDB does not answer; writes wait until it does'),
    onUp: (downMs) => logger.info({ downMs }, 'MongoDB answers again'),
  });
  parts.add(probe, () => probe.stop());
  return {
    db,
    get state() {
      return probe.state;
    },
    get openReservations() {
      return openReservations;
    },
  };
}

/** Checks the topics. @returns the cluster's id */
async function checkCluster(config: Config, logger: Logger): Promise<string> {
  const admin = createKafka(config.kafka, logger, PATIENT_RETRIES).admin();
  await admin.connect();
  try {
    await checkTopics(admin, config.topics, {
      ledgerTtlMs: config.ledger.ttlMs,
      recordMaxBytes: config.limits.recordMaxBytes,
      // Workers go on without it, and read it once it is there.
      optionalTopic: topicNames(config.topics.prefix).cancellations,
    });
    return (await admin.describeCluster()).clusterId;
  } finally {
    await admin.disconnect();
  }
}
