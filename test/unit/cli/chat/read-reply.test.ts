import { expect, it } from 'vitest';
import { createSingleObjectCodec } from '../../../../src/adapters/avro/single-object-codec.ts';
import { readReply } from '../../../../src/cli/chat/read-reply.ts';
import type { ChatChunk } from '../../../../src/contract/record-types.ts';
import { topicNames } from '../../../../src/contract/topics.ts';

const topics = topicNames('chat');
const codec = createSingleObjectCodec(1_000_000);

const chunk = (requestId: string): ChatChunk => ({
  requestId,
  tenantId: 'default',
  attempt: 1,
  sequence: 0,
  choiceIndex: 0,
  content: 'Hi',
  role: null,
  refusal: null,
  toolCalls: [],
  audio: null,
  annotationsJson: null,
  logprobsJson: null,
  finishReason: null,
  last: false,
  emittedAt: 0,
  extraJson: null,
});

function reader() {
  const read: unknown[] = [];
  const add = (record: unknown) => void read.push(record);
  const take = readReply(topics, codec, 'mine', { chunk: add, response: add, cost: add });
  const place = { partition: 0, offset: 0, timestamp: 0, key: null, headers: {} };
  return { read, take: (topic: string, value: Buffer | null) => take({ ...place, topic, value }) };
}

it('hands over the records of its request alone', () => {
  const { read, take } = reader();
  for (const id of ['theirs', 'mine']) take(topics.chunks, codec.encode('ChatChunk', chunk(id)));
  expect(read).toEqual([chunk('mine')]);
});

it.each([
  ['a tombstone', null],
  ['text', Buffer.from('hello')],
  ['a record of another type', codec.encode('ChatChunk', chunk('mine'))],
  ['a record that was cut', codec.encode('ChatChunk', chunk('mine')).subarray(0, 14)],
])('skips %s in every topic that it does not belong to', (_, value) => {
  const { read, take } = reader();
  for (const topic of [topics.responses, topics.costs]) take(topic, value);
  if (value === null || value.length < 20) take(topics.chunks, value);
  expect(read).toEqual([]);
});

it('passes on what a handler throws', () => {
  const take = readReply(topics, codec, 'mine', {
    chunk: () => {
      throw new Error('the output is closed');
    },
    response: () => undefined,
    cost: () => undefined,
  });
  const value = codec.encode('ChatChunk', chunk('mine'));
  const record = {
    topic: topics.chunks,
    partition: 0,
    offset: 0,
    timestamp: 0,
    key: null,
    headers: {},
    value,
  };
  expect(() => take(record)).toThrow('the output is closed');
});
