import { TopicFollower } from '../../adapters/kafka/follow/topic-follower.ts';
import {
  createKafka,
  type KafkaConnection,
  PATIENT_RETRIES,
} from '../../adapters/kafka/kafkajs/kafka-client.ts';
import { partitionOfKey } from '../../adapters/kafka/produce/partition-of-key.ts';
import type { RecordCodec } from '../../contract/codec.ts';
import type { TopicNames } from '../../contract/topics.ts';
import type { InboundRecord } from '../../ports/kafka.ts';
import type { Logger } from '../../runtime/logger.ts';
import { within } from '../answer/within.ts';
import type { ResumePoint } from '../result/resume-token.ts';

const TIMEOUT_MS = 3_000;
/** MessageSent is looked for from this long before the request, since clocks differ. */
const CLOCK_MARGIN_MS = 60_000;

/** Null is what could not be found out in time. */
export interface Surroundings {
  readonly wasSeen: boolean | null;
  readonly workers: number | null;
}

interface LookoutParts {
  readonly settings: KafkaConnection;
  readonly logger: Logger;
  readonly codec: RecordCodec;
  readonly topics: TopicNames;
}

/**
 * Why a request may have no answer: whether a provider was called for it, and how many workers there are. Never rejects.
 *
 * @param sentAt epoch ms
 */
export async function lookAround(
  parts: LookoutParts,
  groupId: string,
  point: ResumePoint,
  sentAt: number,
): Promise<Surroundings> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const [wasSeen, workers] = await Promise.all([
    wasSent(parts, point, sentAt, signal).catch(() => null),
    within(countWorkers(parts, groupId), signal).catch(() => null),
  ]);
  return { wasSeen, workers };
}

/** Reads the MessageSent events since the request was sent. */
async function wasSent(
  { settings, logger, codec, topics }: LookoutParts,
  { requestId, tenantId, key }: ResumePoint,
  sentAt: number,
  signal: AbortSignal,
): Promise<boolean> {
  const found = Promise.withResolvers<boolean>();
  found.promise.catch(() => undefined);
  let end = 0;
  const isIt = ({ value, headers }: InboundRecord) => {
    try {
      const { record } = codec.decode('MessageSent', value, headers);
      return record.requestId === requestId && record.tenantId === tenantId;
    } catch {
      return false;
    }
  };
  const follower = await within(
    TopicFollower.connect({
      settings,
      logger,
      isolationLevel: 'read_uncommitted',
      onFetched: ({ records, nextOffset }) => {
        if (records.some(isIt)) found.resolve(true);
        else if (nextOffset >= end) found.resolve(false);
      },
      onFailed: found.reject,
      signal,
    }),
    signal,
  );
  try {
    const topic = topics.messageSent;
    const count = (await follower.partitionsOf([topic])).get(topic)?.length ?? 0;
    const partition = partitionOfKey(key, Math.max(1, count));
    const from = { timestamp: sentAt - CLOCK_MARGIN_MS };
    const [first = 0] = await follower.offsetsOf([{ topic, partition, from }]);
    const [last = 0] = await follower.offsetsOf([{ topic, partition, from: 'end' }]);
    if (first >= last) return false;
    end = last;
    await follower.follow([{ topic, partition, from: { offset: first } }]);
    return await within(found.promise, signal);
  } finally {
    await follower.close();
  }
}

async function countWorkers({ settings, logger }: LookoutParts, groupId: string): Promise<number> {
  const admin = createKafka(settings, logger, PATIENT_RETRIES).admin();
  try {
    await admin.connect();
    const { groups } = await admin.describeGroups([groupId]);
    return groups[0]?.members.length ?? 0;
  } finally {
    await admin.disconnect();
  }
}
