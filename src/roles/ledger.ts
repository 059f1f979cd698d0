import { createSingleObjectCodec } from '../adapters/avro/single-object-codec.ts';
import type { Check } from '../adapters/http/health-server.ts';
import { KafkaRequestSource } from '../adapters/kafka/consumer/request-source.ts';
import { readTopicRanges } from '../adapters/kafka/consumer/topic-ranges.ts';
import { createSpendStore } from '../adapters/mongo/spend/spend-store.ts';
import { topicNames } from '../contract/topics.ts';
import { SpendListener } from '../spend/spend-listener.ts';
import { createSpendMetrics } from '../telemetry/spend-metrics.ts';
import { joinGroup, leaveUnjoined } from './join-group.ts';
import { quietWarning } from './quiet-warning.ts';
import type { RoleContext, RunningRole } from './role.ts';

/** A listener is not ready if its last answer from a broker is older than this. */
const FETCH_MAX_AGE_MS = 30_000;

/** Starts the role `ledger`: a member of its own consumer group that counts the cost topic. */
export async function startLedger({
  config,
  logger,
  telemetry,
  clock,
  db,
  signal,
  onFatal,
}: RoleContext): Promise<RunningRole> {
  const topic = topicNames(config.topics.prefix).costs;
  const stopping = new AbortController();
  const source = new KafkaRequestSource({ ...config.kafka, groupId: config.spend.groupId }, [topic], logger);
  const listener = new SpendListener({
    source,
    commit: (partition, offset) => source.commit(partition, offset),
    store: createSpendStore({
      db,
      policy: {
        signal: stopping.signal,
        onRetry: quietWarning(logger, clock, 'spend could not be written; trying again'),
      },
    }),
    topic,
    readRanges: () => readTopicRanges(config.kafka, logger, topic),
    codec: createSingleObjectCodec(config.limits.recordMaxBytes),
    chargeIdTtlMs: config.ledger.ttlMs,
    clock,
    logger,
    onFolded: ({ events, unreadable, durationMs }) =>
      metrics.folded({ events: events.length, unreadable, durationMs }),
    onCrash: onFatal,
  });
  const metrics = createSpendMetrics(telemetry.meter, {
    lag: () => listener.lag,
    partitions: () => ({ ...listener.states }),
  });
  try {
    await joinGroup(listener.start(), signal);
  } catch (error) {
    stopping.abort(error);
    metrics.close();
    await leaveUnjoined(listener.stop());
    throw error;
  }
  return {
    ready: () => readiness(listener, source),
    stop: async () => {
      stopping.abort(new Error('the service has stopped'));
      metrics.close();
      await listener.stop();
    },
  };
}

function readiness(listener: SpendListener, source: KafkaRequestSource): Check[] {
  const { open, opening, halted } = listener.states;
  const fetchAgeMs = source.lastFetchAgeMs();
  return [
    { name: 'spend group', ok: listener.hasJoined, why: 'ready after the first assignment of partitions' },
    {
      name: 'spend',
      ok: opening === 0 && halted === 0,
      why: `${open} partitions open, ${opening} opening, ${halted} halted; ${listener.lag} records to add`,
    },
    {
      name: 'spend kafka',
      ok: fetchAgeMs !== null && fetchAgeMs < FETCH_MAX_AGE_MS,
      why: fetchAgeMs === null ? 'nothing fetched yet' : `last answer ${Math.round(fetchAgeMs)} ms ago`,
    },
  ];
}
