import type { KafkaMessage, Message, TopicMessages } from 'kafkajs';
import type {
  InboundRecord,
  OutboundRecord,
  RecordHeaders,
  TopicPartition,
  UnreadableRecord,
} from '../../../ports/kafka.ts';
import type { FetchedMessage } from '../fetch/record-reader.ts';

/** No date can be later or earlier. A publisher chooses a record's time as it likes. */
const FARTHEST_TIME_MS = 8_640_000_000_000_000;

/** kafkajs's message as a record of ours. */
export function mapInbound(
  { topic, partition }: TopicPartition,
  message: KafkaMessage | FetchedMessage,
): InboundRecord {
  const { unreadable } = message as { readonly unreadable?: UnreadableRecord };
  const timestamp = Number(message.timestamp);
  return {
    topic,
    partition,
    offset: Number(message.offset),
    timestamp: Math.max(-FARTHEST_TIME_MS, Math.min(FARTHEST_TIME_MS, timestamp)),
    key: message.key,
    value: message.value,
    headers: (message.headers as RecordHeaders | undefined) ?? Object.create(null),
    ...(unreadable !== undefined && { unreadable }),
  };
}

/** Our records grouped by topic, as kafkajs expects them. kafkajs's own grouping would copy arrays per message. */
export function mapOutbound(records: readonly OutboundRecord[]): TopicMessages[] {
  const byTopic = new Map<string, Message[]>();
  for (const record of records) {
    const message = mapMessage(record);
    const messages = byTopic.get(record.topic);
    if (messages === undefined) byTopic.set(record.topic, [message]);
    else messages.push(message);
  }
  return [...byTopic].map(([topic, messages]) => ({ topic, messages }));
}

/** A record of ours as kafkajs's message. */
export function mapMessage(record: OutboundRecord): Message {
  return {
    key: asBuffer(record.key),
    value: asBuffer(record.value),
    headers: mapHeaders(record),
    ...(record.partition !== undefined && { partition: record.partition }),
  };
}

/**
 * Headers without a prototype, for kafkajs: names come from outside. A header whose value is undefined is left out, and null
 * becomes a header without a value, which kafkajs's types do not have but Kafka has.
 */
function mapHeaders(record: OutboundRecord): NonNullable<Message['headers']> {
  const headers: NonNullable<Message['headers']> = Object.create(null);
  for (const name of Object.keys(record.headers)) {
    const value = record.headers[name];
    if (value === undefined) continue;
    headers[name] = (Array.isArray(value) ? value.map(asBuffer) : asBuffer(value)) as Buffer;
  }
  return headers;
}

function asBuffer(value: Uint8Array | string | null): Buffer | string | null {
  return value === null || typeof value === 'string' ? value : asView(value);
}

function asView(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
