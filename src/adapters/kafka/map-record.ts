import type { KafkaMessage, Message, TopicMessages } from 'kafkajs';
import type { InboundRecord, OutboundRecord, TopicPartition } from '../../ports.ts';

/** kafkajs's message as a record of ours. */
export function mapInbound({ topic, partition }: TopicPartition, message: KafkaMessage): InboundRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    timestamp: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers: message.headers ?? {},
  };
}

/** Our records as kafkajs wants them: grouped by topic, which it would else do itself by copying arrays per message. */
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

function mapHeaders(record: OutboundRecord): NonNullable<Message['headers']> {
  const headers: NonNullable<Message['headers']> = {};
  for (const [name, value] of Object.entries(record.headers)) {
    headers[name] = Array.isArray(value)
      ? value.map(headerValue)
      : value === undefined
        ? undefined
        : headerValue(value);
  }
  return headers;
}

function headerValue(value: Uint8Array | string): Buffer | string {
  return typeof value === 'string' ? value : asView(value);
}

function asBuffer(value: Uint8Array | string | null): Buffer | string | null {
  return value === null || typeof value === 'string' ? value : asView(value);
}

function asView(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
