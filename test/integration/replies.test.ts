import { afterAll, beforeAll, expect, test } from 'vitest';
import { TopicFollower } from '../../src/adapters/kafka/follow/topic-follower.ts';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import type { ChatChunk, ChatRequestInput, ChatResponse } from '../../src/contract/record-types.ts';
import type { InboundRecord } from '../../src/ports/kafka.ts';
import type { History } from '../support/history.ts';
import { request, silent, World } from '../support/world.ts';

const OWN_TOPIC_PARTITIONS = 5;

let world: World;
let history: History;
let follower: TopicFollower;
let ownTopic: string;
const read: InboundRecord[] = [];

beforeAll(async () => {
  world = await World.create({ partitions: 3 });
  ownTopic = `${world.config.topics.prefix}.own-replies`;
  await withAdmin((admin) =>
    admin.createTopics({ topics: [{ topic: ownTopic, numPartitions: OWN_TOPIC_PARTITIONS }] }),
  );
  await world.startWorker({ CHAT_REPLY_TOPICS: `${world.topics.replies},${ownTopic}` });
  history = await world.readHistory();
  follower = await TopicFollower.connect({
    settings: world.config.kafka,
    logger: silent,
    isolationLevel: 'read_committed',
    onFetched: ({ records }) => {
      read.push(...records);
    },
    onFailed: (error) => {
      throw error;
    },
  });
  const partitions = await follower.partitionsOf([world.topics.replies, ownTopic]);
  await follower.follow(
    [...partitions].flatMap(([topic, all]) =>
      all.map((partition) => ({ topic, partition, from: 'start' as const })),
    ),
  );
});
afterAll(async () => {
  await follower?.close();
  await withAdmin((admin) => admin.deleteTopics({ topics: [ownTopic] }));
  await world?.close();
});

async function withAdmin(
  work: (admin: ReturnType<ReturnType<typeof createKafka>['admin']>) => Promise<unknown>,
) {
  const admin = createKafka(world.config.kafka, silent, PATIENT_RETRIES).admin();
  await admin.connect();
  await work(admin);
  await admin.disconnect();
}

async function publish(
  id: string,
  headers: Record<string, string | Buffer>,
  fields: Partial<ChatRequestInput> = {},
) {
  const { request: input } = request(id, { script: { text: `answer of ${id}`, gapMs: 10 }, ...fields });
  await world.sendTo(world.topics.requests, [
    { key: id, value: world.codec.encode('ChatRequest', input), headers },
  ]);
}

const responseOf = ({ value }: InboundRecord): ChatResponse =>
  world.codec.decode('ChatResponse', value).record;
const repliesTo = (id: string) => read.filter((record) => responseOf(record).requestId === id);
const chunksOf = (id: string) =>
  history.chunks
    .filter(({ value }: { value: ChatChunk }) => value.requestId === id)
    .map(({ source }) => source);

async function untilReplied(id: string, count = 1): Promise<InboundRecord> {
  await expect.poll(() => repliesTo(id).length, { timeout: 20_000, interval: 20 }).toBe(count);
  return repliesTo(id).at(-1) as InboundRecord;
}

test('chunks and a copy of the response go to the partition that the caller names', async () => {
  for (const partition of [0, 1, 2]) {
    const id = `to-${partition}`;
    await publish(id, {
      'reply-partition': String(partition),
      'reply-client': 'me',
      'correlation-id': `c-${id}`,
    });
    const reply = await untilReplied(id);
    const answer = await history.untilAnswerTo(id);
    expect(reply).toMatchObject({ topic: world.topics.replies, partition, key: Buffer.from(id) });
    expect(responseOf(reply)).toEqual(answer);
    expect(reply.headers).toMatchObject({
      'reply-client': Buffer.from('me'),
      'correlation-id': Buffer.from(`c-${id}`),
      ce_id: Buffer.from(answer.eventId),
      ce_type: Buffer.from('completionbus.v1.ChatResponse'),
    });
    expect(history.textOf(id)).toBe(`answer of ${id}`);
    for (const chunk of chunksOf(id)) {
      expect(chunk.partition).toBe(partition);
      expect(chunk.headers).toMatchObject({ 'reply-client': Buffer.from('me') });
    }
  }
});

test('Spring’s headers are understood, and its correlation id comes back byte for byte', async () => {
  const correlation = Buffer.from([1, 2, 0, 255]);
  await publish('spring', {
    kafka_replyTopic: ownTopic,
    kafka_replyPartition: Buffer.from([0, 0, 0, 2]),
    kafka_correlationId: correlation,
  });
  const reply = await untilReplied('spring');
  expect(reply).toMatchObject({ topic: ownTopic, partition: 2 });
  expect(reply.headers['kafka_correlationId']).toEqual(correlation);
});

test('a refused request and a request without chunks are replied to as well', async () => {
  await publish('refused', { 'reply-partition': '1' }, { temperature: 9 });
  expect(responseOf(await untilReplied('refused'))).toMatchObject({ error: { code: 'invalid_request' } });
  await publish('whole', { 'reply-partition': '1' }, { stream: false });
  expect(responseOf(await untilReplied('whole')).choices[0]?.content).toBe('answer of whole');
});

test('the same id published again is answered from the ledger, to where it asks now', async () => {
  await publish('again', { 'reply-partition': '0' });
  await untilReplied('again');
  await publish('again', { 'reply-partition': '2' });
  const reply = await untilReplied('again', 2);
  expect(reply.partition).toBe(2);
  expect(responseOf(reply)).toMatchObject({ replayed: true, choices: [{ content: 'answer of again' }] });
  const calls = (await world.standIn.calls()).filter(({ requestId }) => requestId?.includes('again'));
  expect(calls).toHaveLength(1);
});

test.each([
  ['topic', { 'reply-topic': 'somebody-elses' }, 'headers.reply-topic'],
  ['output', { 'reply-topic': 'COSTS' }, 'headers.reply-topic'],
  ['partition', { 'reply-partition': '3' }, 'headers.reply-partition'],
  ['partition-of-chunks', { 'reply-topic': 'OWN', 'reply-partition': '4' }, 'headers.reply-partition'],
])(
  'a %s that is not allowed is an invalid_request, and nothing is written there',
  async (id, headers, param) => {
    const named: Record<string, string> = { COSTS: world.topics.costs, OWN: ownTopic };
    const own = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, named[value] ?? value]),
    );
    await publish(`not-${id}`, own);
    const answer = await history.untilAnswerTo(`not-${id}`);
    expect(answer.error).toMatchObject({ code: 'invalid_request', param });
    expect(repliesTo(`not-${id}`)).toEqual([]);
  },
);

test('without the headers nothing is replied', async () => {
  await publish('plain', { 'correlation-id': 'x' });
  await history.untilAnswerTo('plain');
  await publish('after', { 'reply-partition': '0' });
  await untilReplied('after');
  expect(repliesTo('plain')).toEqual([]);
});
