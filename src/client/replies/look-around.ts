import { TopicFollower } from '../../adapters/kafka/follow/topic-follower.ts';
import {
  createKafka,
  type KafkaConnection,
  PATIENT_RETRIES,
} from '../../adapters/kafka/kafkajs/kafka-client.ts';
import { partitionOfKey } from '../../adapters/kafka/produce/partition-of-key.ts';
import type { RecordCodec } from '../../contract/codec.ts';
import type { ChatResponse } from '../../contract/record-types.ts';
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

/** The response to a request, if it has been published. Never rejects. */
export async function findResponse(parts: LookoutParts, point: ResumePoint): Promise<ChatResponse | null> {
  const { codec, topics } = parts;
  const { requestId, tenantId, responses } = point;
  const [partition, since] = responses;
  const place = { topic: topics.responses, partition, since };
  const read = ({ value, headers }: InboundRecord) => {
    const { record } = codec.decode('ChatResponse', value, headers);
    return record.requestId === requestId && record.tenantId === tenantId ? record : null;
  };
  return find(parts, place, read, AbortSignal.timeout(TIMEOUT_MS)).catch(() => null);
}

/** Whether a MessageSent event is about the request. */
async function wasSent(
  parts: LookoutParts,
  { requestId, tenantId, key }: ResumePoint,
  sentAt: number,
  signal: AbortSignal,
): Promise<boolean> {
  const { codec, topics } = parts;
  const place = { topic: topics.messageSent, key, since: sentAt - CLOCK_MARGIN_MS };
  const read = ({ value, headers }: InboundRecord) => {
    const { record } = codec.decode('MessageSent', value, headers);
    return record.requestId === requestId && record.tenantId === tenantId ? record : null;
  };
  return (await find(parts, place, read, signal)) !== null;
}

/** A partition, or the key that decides it, and the time (epoch ms) to begin at. */
type Place = { readonly topic: string; readonly since: number } & (
  | { readonly partition: number }
  | { readonly key: string }
);

/** The first record that `read` makes something of, among those that are there now. Null when there is none. */
async function find<Found>(
  { settings, logger }: LookoutParts,
  place: Place,
  read: (record: InboundRecord) => Found | null,
  signal: AbortSignal,
): Promise<Found | null> {
  const found = Promise.withResolvers<Found | null>();
  found.promise.catch(() => undefined);
  let end = 0;
  const follower = await within(
    TopicFollower.connect({
      settings,
      logger,
      isolationLevel: 'read_committed',
      onFetched: ({ records, nextOffset }) => {
        for (const record of records) {
          const result = tryRead(record, read);
          if (result !== null) found.resolve(result);
        }
        if (nextOffset >= end) found.resolve(null);
      },
      onFailed: found.reject,
      signal,
    }),
    signal,
  );
  try {
    const { topic, since } = place;
    const count = (await within(follower.partitionsOf([topic]), signal)).get(topic)?.length ?? 0;
    const partition = 'key' in place ? partitionOfKey(place.key, Math.max(1, count)) : place.partition;
    const [first = 0] = await follower.offsetsOf([{ topic, partition, from: { timestamp: since } }]);
    const [last = 0] = await follower.offsetsOf([{ topic, partition, from: 'end' }]);
    if (first >= last) return null;
    end = last;
    await follower.follow([{ topic, partition, from: { offset: first } }]);
    return await within(found.promise, signal);
  } finally {
    await follower.close();
  }
}

/** Null for what is not a record of the service. */
function tryRead<Found>(record: InboundRecord, read: (record: InboundRecord) => Found | null): Found | null {
  try {
    return read(record);
  } catch {
    return null;
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
