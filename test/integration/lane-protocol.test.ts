import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KafkaRequestSource } from '../../src/adapters/kafka/consumer/request-source.ts';
import { readTopics } from '../../src/adapters/kafka/consumer/topic-reader.ts';
import { createKafka, NO_RETRIES, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { KafkaLaneTransport } from '../../src/adapters/kafka/transactions/lane-transport.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import {
  type CommittedPosition,
  type InboundRecord,
  type OutboundRecord,
  ProducerDisconnected,
  RecordRefused,
} from '../../src/ports/kafka.ts';
import { createLogger } from '../../src/runtime/logger.ts';

const name = `lane-${randomUUID().slice(0, 8)}`;
const requests = `${name}.requests`;
const responses = `${name}.responses`;
const costs = `${name}.costs`;
const lane = { topic: requests, partition: 1 };

const { kafka: settings } = loadConfig(
  {
    KAFKA_BROKERS: process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092',
    KAFKA_GROUP_ID: name,
    KAFKA_SESSION_TIMEOUT: '6s',
  },
  { readFile: () => '' },
);
const logger = createLogger({ level: 'silent' });
const kafka = createKafka(settings, logger, PATIENT_RETRIES);
const admin = kafka.admin();
let transport: KafkaLaneTransport;

const output = (topic: string, key: string, bytes = 1): OutboundRecord => ({
  topic,
  partition: lane.partition,
  key,
  value: Buffer.alloc(bytes, 'x'),
  headers: {},
});

beforeAll(async () => {
  await admin.connect();
  const topics = [requests, responses, costs].map((topic) => ({ topic, numPartitions: 2 }));
  await admin.createTopics({ topics, waitForLeaders: true });
  transport = await KafkaLaneTransport.connect(settings, [responses, costs], logger);
});
afterAll(async () => {
  await transport.close();
  await admin.deleteTopics({ topics: [requests, responses, costs] });
  await admin.deleteGroups([name]).catch(() => undefined);
  await admin.disconnect();
});

/** Settles a marker record and reads until it arrives. By then, everything visible before it has been read. */
async function visibleUntilMark(work: () => Promise<void>): Promise<string[]> {
  const mark = randomUUID();
  const keys: string[] = [];
  const marked = Promise.withResolvers<void>();
  const marks = new Set<string>();
  const onRecord = ({ topic, key }: InboundRecord) => {
    const text = String(key);
    if (text !== mark) keys.push(`${topic.slice(name.length + 1)} ${text}`);
    else if (marks.add(topic).size === 2) marked.resolve();
  };
  const topics = [responses, costs];
  const reader = await readTopics({
    settings,
    logger,
    topics,
    from: 'end',
    onRecord,
    onCrash: marked.reject,
  });
  try {
    await work();
    const producer = await transport.fence(lane);
    const { offset, metadata } = await transport.committedPosition(lane);
    await producer.settle({
      offset: offset ?? 0,
      metadata,
      records: topics.map((topic) => output(topic, mark)),
      topicId: null,
    });
    await producer.close();
    await marked.promise;
    return keys.sort();
  } finally {
    await reader.close();
  }
}

describe('a lane’s transactions on a real broker', () => {
  it('begin with nothing committed, and know the start and end of the log', async () => {
    const producer = kafka.producer();
    await producer.connect();
    const messages = [
      { value: 'a', partition: 1 },
      { value: 'b', partition: 1 },
    ];
    await producer.send({ topic: requests, messages });
    await producer.disconnect();
    expect(await transport.committedPosition(lane)).toEqual({
      offset: null,
      metadata: '',
      logStart: 0,
      logEnd: 2,
      topicId: await transport.topicId(requests),
    });
    expect((await admin.describeCluster()).clusterId).toBe(transport.clusterId);
  });

  it('are not committed once the request topic was recreated under the same name', async () => {
    const topic = `${name}.recreated`;
    const create = () => admin.createTopics({ topics: [{ topic }], waitForLeaders: true });
    const partition = { topic, partition: 0 };
    await create();
    const { topicId } = await transport.committedPosition(partition);
    const producer = await transport.fence(partition);
    await producer.settle({ offset: 1, metadata: 'old', records: [], topicId });
    await admin.deleteTopics({ topics: [topic] });
    await expect(transport.topicId(topic)).rejects.toThrow(`${topic} does not exist`);
    await vi.waitFor(create);
    await vi.waitFor(() => transport.topicId(topic));
    await expect(producer.settle({ offset: 2, metadata: 'zombie', records: [], topicId })).rejects.toThrow();
    await producer.close();

    const next = await transport.fence(partition);
    const position = await transport.committedPosition(partition);
    expect(position.metadata).not.toBe('zombie');
    expect(position.topicId).toMatch(/^[\w-]{22}$/);
    expect(position.topicId).not.toBe(topicId);
    await next.settle({ offset: 1, metadata: 'new', records: [], topicId: position.topicId });
    await next.close();
    // Read as a lane does. Right after a commit, the coordinator may still report the earlier position, here none.
    await (await transport.fence(partition)).close();
    expect(await transport.committedPosition(partition)).toMatchObject({ offset: 1, metadata: 'new' });
  });

  it('fail for a missing partition', async () => {
    await expect(transport.committedPosition({ topic: requests, partition: 9 })).rejects.toThrow(
      `partition 9 of ${requests} no longer exists`,
    );
  });

  it('are not begun when the broker refuses the producer, and leave nothing behind', async () => {
    const beyondTheBrokersLimit = { ...settings, transactionTimeoutMs: 86_400_000 };
    const impatient = await KafkaLaneTransport.connect(beyondTheBrokersLimit, [responses, costs], logger);
    await expect(impatient.fence(lane)).rejects.toThrow(/transaction timeout/i);
    await impatient.close();
  });

  it('commit position, map and records together', async () => {
    const metadata = `1:${transport.clusterId}:2:${'A'.repeat(3_900)}`;
    const keys = await visibleUntilMark(async () => {
      const producer = await transport.fence(lane);
      const records = [output(responses, 'first'), output(costs, 'first'), output(responses, 'second')];
      await producer.settle({ offset: 2, metadata, records, topicId: null });
      await untilCommitted({ offset: 2, metadata });
      await producer.close();
    });
    expect(keys).toEqual(['costs first', 'responses first', 'responses second']);
  });

  it('follow each other without a pause', async () => {
    const keys = await visibleUntilMark(async () => {
      const producer = await transport.fence(lane);
      for (const offset of [3, 4, 5])
        await producer.settle({
          offset,
          metadata: '',
          records: [output(responses, `at ${offset}`)],
          topicId: null,
        });
      await producer.close();
    });
    expect(keys).toEqual(['responses at 3', 'responses at 4', 'responses at 5']);
    await untilCommitted({ offset: 5 });
  });

  it('fence the earlier owner of the lane: none of its records becomes visible', async () => {
    const keys = await visibleUntilMark(async () => {
      const zombie = await transport.fence(lane);
      const owner = await transport.fence(lane);
      await owner.settle({
        offset: 6,
        metadata: 'owner',
        records: [output(responses, 'owner')],
        topicId: null,
      });
      await expect(
        zombie.settle({
          offset: 1,
          metadata: 'zombie',
          records: [output(responses, 'zombie')],
          topicId: null,
        }),
      ).rejects.toThrow();
      // The zombie's attempts do not disturb the owner.
      await owner.settle({ offset: 7, metadata: 'owner', records: [output(costs, 'owner')], topicId: null });
      await Promise.all([zombie.close(), owner.close()]);
    });
    expect(keys).toEqual(['costs owner', 'responses owner']);
    await untilCommitted({ offset: 7, metadata: 'owner' });
  });

  it('run in order when they are handed over together, each after the one before has settled', async () => {
    const keys = await visibleUntilMark(async () => {
      const producer = await transport.fence(lane);
      const settle = (offset: number) =>
        producer.settle({
          offset,
          metadata: 'owner',
          records: [output(responses, `together ${offset}`)],
          topicId: null,
        });
      const times = await Promise.all([settle(6), settle(7)]);
      expect(times[1]).toBeGreaterThan(times[0] ?? 0);
      await producer.close();
    });
    expect(keys).toEqual(['responses together 6', 'responses together 7']);
    await untilCommitted({ offset: 7, metadata: 'owner' });
  });

  it('fail together with an earlier one handed over with them', async () => {
    const keys = await visibleUntilMark(async () => {
      const producer = await transport.fence(lane);
      const settle = (offset: number, bytes: number) =>
        producer.settle({
          offset,
          metadata: 'never',
          records: [output(responses, 'never', bytes)],
          topicId: null,
        });
      const results = await Promise.allSettled([settle(8, 1_200_000), settle(9, 10)]);
      expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      await producer.close();
    });
    expect(keys).toEqual([]);
    expect(await transport.committedPosition(lane)).toMatchObject({ offset: 7, metadata: 'owner' });
  });

  it('are not begun over a connection that was cut since the last one: the lane must reopen', async () => {
    const keys = await visibleUntilMark(async () => {
      const producer = await transport.fence(lane);
      const before = { offset: 7, metadata: 'owner', topicId: null };
      await producer.settle({ ...before, records: [output(responses, 'before')] });
      await Reflect.get(Reflect.get(producer, 'producer'), 'coordinator').disconnect();
      const cut = producer.settle({ ...before, offset: 8, records: [output(responses, 'cut')] });
      await expect(cut).rejects.toThrow(ProducerDisconnected);
      await producer.close();
    });
    expect(keys).toEqual(['responses before']);
    expect(await transport.committedPosition(lane)).toMatchObject({ offset: 7, metadata: 'owner' });
  });

  it('abort what a dead worker left open: neither its records nor its position count', async () => {
    const keys = await visibleUntilMark(async () => {
      const dead = createKafka(settings, logger, NO_RETRIES).producer({
        transactionalId: `${name}/${requests}/1`,
        maxInFlightRequests: 1,
        retry: NO_RETRIES,
      });
      await dead.connect();
      const transaction = await dead.transaction();
      const topics = [{ topic: requests, partitions: [{ partition: 1, offset: '99' }] }];
      await transaction.sendOffsets({ consumerGroupId: name, topics });
      await transaction.send({ topic: responses, messages: [{ key: 'dead', value: 'x', partition: 1 }] });
      await dead.disconnect();
    });
    expect(keys).toEqual([]);
    expect((await transport.committedPosition(lane)).offset).toBe(7);
  });

  it('are all or nothing: one refused record holds back the others and the position', async () => {
    const keys = await visibleUntilMark(async () => {
      const producer = await transport.fence(lane);
      const records = [output(responses, 'small'), output(costs, 'large', 1_200_000)];
      const refusal = await producer
        .settle({ offset: 8, metadata: 'refused', records, topicId: null })
        .catch(String);
      expect(refusal).toContain('RecordRefused');
      await producer.close();
    });
    expect(keys).toEqual([]);
    expect(await transport.committedPosition(lane)).toMatchObject({ offset: 7, metadata: 'owner' });
  });

  it('distinguish a refused record from other failures', async () => {
    const producer = await transport.fence(lane);
    const records = [output(`${name}.nowhere`, 'lost')];
    const error = await producer
      .settle({ offset: 8, metadata: '', records, topicId: null })
      .catch((reason) => reason);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(RecordRefused);
    await producer.close();
  });
});

describe('the owner of a partition', () => {
  const sources: KafkaRequestSource[] = [];
  afterAll(() => Promise.all(sources.map((source) => source.stop())));

  /** Joins a member to the group. Resolves with its id when it has an assignment. */
  async function join(): Promise<string> {
    const source = new KafkaRequestSource(settings, [requests], logger);
    sources.push(source);
    const assigned = Promise.withResolvers<string>();
    await source.start({
      assigned: (memberId) => assigned.resolve(memberId),
      fetched: () => true,
      interrupted: assigned.reject,
      crashed: assigned.reject,
    });
    return assigned.promise;
  }

  const heldBy = (memberId: string) =>
    Promise.all([0, 1].map((partition) => transport.holds(memberId, { ...lane, partition })));

  it('is nobody while the group has no members, and then the assigned member', async () => {
    expect(await transport.holds('nobody', lane)).toBe(false);
    const memberId = await join();
    await expect.poll(() => heldBy(memberId), { interval: 20 }).toEqual([true, true]);
    expect(await transport.holds(memberId, { ...lane, partition: 2 })).toBe(false);
    expect(await transport.holds(memberId, { ...lane, topic: responses })).toBe(false);
    expect(await heldBy(`${memberId}-before`)).toEqual([false, false]);

    // During the rebalance for a new member, no partition has an owner. Afterwards each member has its own.
    const joining = join();
    await expect.poll(() => heldBy(memberId), { interval: 5, timeout: 10_000 }).toEqual([false, false]);
    const rival = await joining;
    const both = async () => {
      const [ours, theirs] = [await heldBy(memberId), await heldBy(rival)];
      return ours.map((isOurs, partition) => Number(isOurs) + Number(theirs[partition]));
    };
    await expect.poll(both, { interval: 20, timeout: 10_000 }).toEqual([1, 1]);

    await Promise.all(sources.splice(0).map((source) => source.stop()));
    expect(await heldBy(memberId)).toEqual([false, false]);
  });
});

/** Right after a commit, the coordinator may still report the earlier position. */
async function untilCommitted(expected: Partial<CommittedPosition>): Promise<void> {
  await vi.waitFor(async () => expect(await transport.committedPosition(lane)).toMatchObject(expected));
}
