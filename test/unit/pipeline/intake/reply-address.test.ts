import { describe, expect, test } from 'vitest';
import { type ReplyRules, readReplyAddress } from '../../../../src/pipeline/intake/reply-address.ts';
import type { RecordHeaders } from '../../../../src/ports/kafka.ts';

const counts: Readonly<Record<string, number>> = { 'chat.replies': 4, 'my.replies': 9, 'chat.chunks': 6 };
const rules: ReplyRules = {
  topics: new Set(['chat.replies', 'my.replies']),
  defaultTopic: 'chat.replies',
  chunkTopic: 'chat.chunks',
  partitionsOf: (topic) => counts[topic] ?? 0,
};
const text = (value: string) => Buffer.from(value);
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const read = (headers: RecordHeaders, own: Partial<ReplyRules> = {}) =>
  readReplyAddress(Object.assign(Object.create(null), headers), { ...rules, ...own });

describe('an address', () => {
  test.each<[string, RecordHeaders, { topic: string; partition: number | null } | null]>([
    ['none', { 'reply-client': text('me') }, null],
    ['of empty headers', { 'reply-topic': text(''), 'reply-partition': null }, null],
    ['a topic', { 'reply-topic': text('my.replies') }, { topic: 'my.replies', partition: null }],
    [
      'a partition of the default topic',
      { 'reply-partition': text('3') },
      { topic: 'chat.replies', partition: 3 },
    ],
    [
      'both',
      { 'reply-topic': text('my.replies'), 'reply-partition': text('5') },
      { topic: 'my.replies', partition: 5 },
    ],
    [
      'Spring’s',
      { kafka_replyTopic: text('my.replies'), kafka_replyPartition: int32(2) },
      { topic: 'my.replies', partition: 2 },
    ],
    [
      'Spring’s in text',
      { kafka_replyTopic: text('my.replies'), kafka_replyPartition: text('2') },
      { topic: 'my.replies', partition: 2 },
    ],
    [
      'ours before Spring’s',
      { 'reply-topic': text('my.replies'), kafka_replyTopic: text('chat.replies') },
      { topic: 'my.replies', partition: null },
    ],
  ])('%s', (_, headers, expected) => {
    const { address, problems } = read(headers);
    expect(problems).toEqual([]);
    expect(address && { topic: address.topic, partition: address.partition }).toEqual(expected);
  });

  test('repeats the headers of the caller byte for byte, and no others', () => {
    const repeated = {
      'reply-client': text('me'),
      'correlation-id': Buffer.from([0, 255, 1]),
      kafka_correlationId: Buffer.from([7]),
    };
    const { address } = read({ ...repeated, 'reply-topic': text('my.replies'), 'tenant-id': text('acme') });
    expect({ ...address?.headers }).toEqual(repeated);
  });
});

describe('what is not allowed', () => {
  test.each<[string, RecordHeaders, string]>([
    ['a topic of somebody else', { 'reply-topic': text('chat.costs') }, 'headers.reply-topic'],
    ['a topic that is no text', { 'reply-topic': Buffer.from([255, 254]) }, 'headers.reply-topic'],
    ['two topics', { 'reply-topic': [text('my.replies'), text('chat.replies')] }, 'headers.reply-topic'],
    ['a topic by the name of an object’s own', { 'reply-topic': text('__proto__') }, 'headers.reply-topic'],
    ['Spring’s topic', { kafka_replyTopic: text('other') }, 'headers.kafka_replyTopic'],
    [
      'a partition that the reply topic does not have',
      { 'reply-partition': text('4') },
      'headers.reply-partition',
    ],
    [
      'a partition that the chunks do not have',
      { 'reply-topic': text('my.replies'), 'reply-partition': text('6') },
      'headers.reply-partition',
    ],
    ['a negative partition', { 'reply-partition': text('-1') }, 'headers.reply-partition'],
    ['a fraction', { 'reply-partition': text('1.5') }, 'headers.reply-partition'],
    ['a partition with spaces', { 'reply-partition': text(' 1') }, 'headers.reply-partition'],
    ['a partition of too many digits', { 'reply-partition': text('00000000001') }, 'headers.reply-partition'],
    ['two partitions', { 'reply-partition': [text('1'), text('2')] }, 'headers.reply-partition'],
    ['Spring’s negative partition', { kafka_replyPartition: int32(-1) }, 'headers.kafka_replyPartition'],
    [
      'Spring’s partition that is not there',
      { kafka_replyPartition: int32(4) },
      'headers.kafka_replyPartition',
    ],
    [
      'a correlation id that is too long',
      { 'reply-partition': text('1'), 'correlation-id': Buffer.alloc(1_025) },
      'headers.correlation-id',
    ],
    [
      'two names of a client',
      { 'reply-partition': text('1'), 'reply-client': [text('a'), text('b')] },
      'headers.reply-client',
    ],
  ])('%s', (_, headers, path) => {
    const { address, problems } = read(headers);
    expect(address).toBeNull();
    expect(problems.map((problem) => problem.path)).toEqual([path]);
  });

  test('any reply, when the operator allows none', () => {
    const { address, problems } = read({ 'reply-partition': text('0') }, { topics: new Set() });
    expect(address).toBeNull();
    expect(problems).toMatchObject([
      { path: 'headers.reply-topic', message: expect.stringContaining('none') },
    ]);
  });
});
