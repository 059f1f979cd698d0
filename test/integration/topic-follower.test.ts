import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Admin, CompressionTypes, type Kafka, type Producer } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startKafkaCluster } from '../../scripts/stack/kafka-cluster.ts';
import { type FollowerOptions, TopicFollower } from '../../src/adapters/kafka/follow/topic-follower.ts';
import {
  createKafka,
  type KafkaSettings,
  PATIENT_RETRIES,
} from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { KafkaRecordSink } from '../../src/adapters/kafka/produce/record-sink.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { FetchedRecords } from '../../src/ports/kafka.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { type ReroutedWorker, rerouted } from '../support/rerouted.ts';
import { silent } from '../support/world.ts';

const FOLLOW_CHILD = fileURLToPath(new URL('../support/follow-child.ts', import.meta.url));
const name = `follower-${randomUUID().slice(0, 8)}`;

function settingsOf(brokers: string): KafkaSettings {
  const env = { KAFKA_BROKERS: brokers, KAFKA_GROUP_ID: name, CHAT_TOPIC_PREFIX: name };
  return loadConfig(env, { readFile: () => '' }).kafka;
}

const settings = settingsOf(process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092');
let kafka: Kafka;
let admin: Admin;
let producer: Producer;
const made: string[] = [];
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  kafka = createKafka(settings, silent, PATIENT_RETRIES);
  admin = kafka.admin();
  await admin.connect();
  producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
afterAll(async () => {
  await producer.disconnect();
  await admin.deleteTopics({ topics: made });
  await admin.disconnect();
});

async function newTopic(partitions = 1): Promise<string> {
  const topic = `${name}.${made.length}`;
  made.push(topic);
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true });
  return topic;
}

/** The records handed over, as `partition:value`. */
class Seen {
  readonly values: string[] = [];
  readonly fetched: FetchedRecords[] = [];
  private readonly waiting = new Set<{ holds: () => boolean; resolve: () => void }>();

  readonly add = (fetched: FetchedRecords): void => {
    this.fetched.push(fetched);
    for (const { partition, value } of fetched.records) this.values.push(`${partition}:${value}`);
    for (const entry of this.waiting) if (entry.holds()) entry.resolve();
  };

  until(holds: (values: readonly string[]) => boolean): Promise<void> {
    if (holds(this.values)) return Promise.resolve();
    return new Promise((resolve) => this.waiting.add({ holds: () => holds(this.values), resolve }));
  }

  of(partition: number): string[] {
    return this.values.filter((value) => value.startsWith(`${partition}:`));
  }
}

async function followerOf(seen: Seen, options: Partial<FollowerOptions> = {}): Promise<TopicFollower> {
  const follower = await TopicFollower.connect({
    settings,
    logger: silent,
    isolationLevel: 'read_committed',
    onFetched: seen.add,
    onFailed: (error) => {
      throw error;
    },
    ...options,
  });
  closers.push(() => follower.close());
  return follower;
}

const send = (topic: string, values: readonly string[], partition = 0) =>
  producer.send({ topic, messages: values.map((value) => ({ partition, value })) });

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

describe('the start position', () => {
  test('at the start, at the end, at an offset, at a time', async () => {
    const topic = await newTopic(5);
    for (const partition of [0, 1, 2, 3, 4])
      await producer.send({
        topic,
        messages: ['a', 'b', 'c'].map((value, index) => ({
          partition,
          value,
          timestamp: String(1_000_000_000_000 + index * 1_000),
        })),
      });
    const seen = new Seen();
    const follower = await followerOf(seen);
    const offsets = await follower.follow([
      { topic, partition: 0, from: 'start' },
      { topic, partition: 1, from: 'end' },
      { topic, partition: 2, from: { offset: 2 } },
      { topic, partition: 3, from: { timestamp: 1_000_000_000_500 } },
      { topic, partition: 4, from: { timestamp: 1_000_000_009_000 } },
    ]);
    expect(offsets).toEqual([0, 3, 2, 1, 3]);
    for (const partition of [0, 1, 2, 3, 4]) await send(topic, ['d'], partition);
    await seen.until((values) => values.length === 11);
    expect(seen.values.toSorted()).toEqual(
      ['0:a', '0:b', '0:c', '0:d', '1:d', '2:c', '2:d', '3:b', '3:c', '3:d', '4:d'].toSorted(),
    );
  });

  test('an offset outside the log is the start of the log', async () => {
    const topic = await newTopic(2);
    await send(topic, numbers(0, 6), 0);
    await send(topic, numbers(0, 2), 1);
    // kafkajs finds leaders only of topics that it has been asked about before.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] });
    const seen = new Seen();
    const follower = await followerOf(seen);
    await follower.follow([
      { topic, partition: 0, from: { offset: 1 } },
      { topic, partition: 1, from: { offset: 77 } },
    ]);
    await seen.until((values) => values.length === 4);
    expect(seen.of(0)).toEqual(['0:4', '0:5']);
    expect(seen.of(1)).toEqual(['1:0', '1:1']);
  });

  test('a followed partition continues from its new position, and an unfollowed one delivers nothing more', async () => {
    const topic = await newTopic(2);
    const seen = new Seen();
    const follower = await followerOf(seen);
    await follower.follow([
      { topic, partition: 0, from: 'end' },
      { topic, partition: 1, from: 'end' },
    ]);
    await send(topic, ['a'], 0);
    await send(topic, ['a'], 1);
    await seen.until((values) => values.length === 2);
    follower.unfollow([{ topic, partition: 1 }]);
    await follower.follow([{ topic, partition: 0, from: 'start' }]);
    await send(topic, ['b'], 1);
    await send(topic, ['b'], 0);
    await seen.until((values) => values.includes('0:b'));
    expect(seen.of(0)).toEqual(['0:a', '0:a', '0:b']);
    expect(seen.of(1)).toEqual(['1:a']);
  });

  test('an unfollowed partition whose position is outside its log is not moved into it', async () => {
    const topic = await newTopic(2);
    await send(topic, ['a'], 0);
    await send(topic, ['a'], 1);
    const seen = new Seen();
    const refused: number[] = [];
    const destination = {
      write: (line: string) => {
        const { partition, error } = JSON.parse(line);
        // The first one to be refused is the first one to be looked for again.
        if (error === 'OFFSET_OUT_OF_RANGE' && refused.push(partition) === 1)
          follower.unfollow([{ topic, partition }]);
      },
    };
    const logger = createLogger({ level: 'warn', destination });
    const follower = await followerOf(seen, { logger });
    await follower.follow([
      { topic, partition: 0, from: { offset: 77 } },
      { topic, partition: 1, from: { offset: 77 } },
    ]);
    await seen.until((values) => values.length === 1);
    const [unfollowed] = refused;
    expect(new Set(seen.fetched.map(({ partition }) => partition))).toEqual(
      new Set([unfollowed === 0 ? 1 : 0]),
    );
  });
});

describe('transactions', () => {
  async function openAndAborted(topic: string) {
    const transactional = (id: string) =>
      kafka.producer({ transactionalId: `${name}-${id}-${topic}`, maxInFlightRequests: 1 });
    const [one, other] = [transactional('one'), transactional('other')];
    await one.connect();
    await other.connect();
    const aborted = await one.transaction();
    await aborted.send({ topic, messages: [{ value: 'aborted' }] });
    await aborted.abort();
    await send(topic, ['plain']);
    const open = await other.transaction();
    await open.send({ topic, messages: [{ value: 'open' }] });
    await send(topic, ['behind']);
    closers.push(async () => {
      await one.disconnect();
      await other.disconnect();
    });
    return open;
  }

  test('read_committed sees nothing aborted, and sees records behind an open transaction once it commits', async () => {
    const topic = await newTopic();
    const open = await openAndAborted(topic);
    const seen = new Seen();
    const follower = await followerOf(seen);
    await follower.follow([{ topic, partition: 0, from: 'start' }]);
    await seen.until((values) => values.length === 1);
    expect(seen.values).toEqual(['0:plain']);
    await open.commit();
    await seen.until((values) => values.length === 3);
    expect(seen.values).toEqual(['0:plain', '0:open', '0:behind']);
  });

  test('read_uncommitted sees everything at once', async () => {
    const topic = await newTopic();
    const open = await openAndAborted(topic);
    const seen = new Seen();
    const follower = await followerOf(seen, { isolationLevel: 'read_uncommitted' });
    await follower.follow([{ topic, partition: 0, from: 'start' }]);
    await seen.until((values) => values.length === 4);
    expect(seen.values).toEqual(['0:aborted', '0:plain', '0:open', '0:behind']);
    await open.abort();
  });

  test('a log that ends with transaction markers is read to its end', async () => {
    const topic = await newTopic();
    const transactional = kafka.producer({ transactionalId: `${name}-end`, maxInFlightRequests: 1 });
    await transactional.connect();
    closers.push(() => transactional.disconnect());
    const transaction = await transactional.transaction();
    await transaction.send({ topic, messages: [{ value: 'a' }] });
    await transaction.abort();
    const seen = new Seen();
    const follower = await followerOf(seen);
    const [end] = await follower.offsetsOf([{ topic, partition: 0, from: 'end' }]);
    await follower.follow([{ topic, partition: 0, from: 'start' }]);
    await expect.poll(() => seen.fetched.at(-1)?.nextOffset).toBe(end);
    expect(seen.values).toEqual([]);
  });
});

describe('the records read', () => {
  test('every partition is in order, whatever the size and compression of batches', async () => {
    const topic = await newTopic(3);
    const long = 'x'.repeat(40_000);
    for (const [partition, compression] of [
      [0, CompressionTypes.None],
      [1, CompressionTypes.GZIP],
      [2, CompressionTypes.LZ4],
    ] as const)
      for (let batch = 0; batch < 10; batch += 1)
        await producer.send({
          topic,
          compression,
          messages: numbers(batch * 20, batch * 20 + 20).map((value) => ({
            partition,
            value: `${value} ${long}`,
          })),
        });
    const seen = new Seen();
    const follower = await followerOf(seen);
    await follower.follow([0, 1, 2].map((partition) => ({ topic, partition, from: 'start' })));
    await seen.until((values) => values.length === 600);
    for (const partition of [0, 1, 2])
      expect(seen.of(partition).map((value) => value.slice(0, -long.length))).toEqual(
        numbers(0, 200).map((value) => `${partition}:${value} `),
      );
  });

  test('a slow handler gets nothing more until it is done', async () => {
    const topic = await newTopic();
    await send(topic, ['a']);
    const seen = new Seen();
    const release = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    const follower = await followerOf(seen, {
      onFetched: async (fetched) => {
        entered.resolve();
        await release.promise;
        seen.add(fetched);
      },
    });
    await follower.follow([{ topic, partition: 0, from: 'start' }]);
    await entered.promise;
    await send(topic, ['b']);
    expect(seen.values).toEqual([]);
    release.resolve();
    await seen.until((values) => values.length === 2);
    expect(seen.fetched).toHaveLength(2);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('no more');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no more'))],
  ])('a handler that %s ends the reading, once', async (_, onFetched) => {
    const topic = await newTopic(2);
    await send(topic, ['a'], 0);
    await send(topic, ['a'], 1);
    const failed = Promise.withResolvers<Error>();
    let failures = 0;
    const follower = await followerOf(new Seen(), {
      onFetched,
      onFailed: (error) => {
        failures += 1;
        failed.resolve(error);
      },
    });
    await follower.follow([0, 1].map((partition) => ({ topic, partition, from: 'start' })));
    expect((await failed.promise).message).toBe('no more');
    await follower.close();
    expect(failures).toBe(1);
    await expect(follower.follow([{ topic, partition: 0, from: 'end' }])).rejects.toThrow('no more');
  });
});

describe('the end of reading', () => {
  test('a signal ends it, and pending waits reject', async () => {
    const ending = new AbortController();
    const seen = new Seen();
    const topic = await newTopic();
    const follower = await followerOf(seen, { signal: ending.signal });
    await follower.follow([{ topic, partition: 0, from: 'end' }]);
    const waits = follower.follow([{ topic: `${name}.nowhere`, partition: 0, from: 'end' }]);
    ending.abort();
    await expect(waits).rejects.toThrow('the follower was closed');
    await send(topic, ['late']);
    expect(seen.values).toEqual([]);
  });

  test('a signal that has already fired opens nothing', async () => {
    const reason = new Error('not wanted');
    await expect(followerOf(new Seen(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('a topic that does not exist has no partitions', async () => {
    const topic = await newTopic(2);
    const follower = await followerOf(new Seen());
    const nowhere = `${name}.nowhere`;
    expect(await follower.partitionsOf([topic, nowhere])).toEqual(
      new Map([
        [topic, [0, 1]],
        [nowhere, []],
      ]),
    );
  });
});

describe('a connection to the broker', () => {
  /** A separate process that reads through a proxy. */
  async function readThrough(topic: string, way: ReroutedWorker) {
    const child = spawn(process.execPath, [FOLLOW_CHILD, topic], {
      env: { ...process.env, KAFKA_BROKERS: settings.brokers.join(','), ...way.env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    closers.push(async () => {
      child.kill('SIGKILL');
      await exited;
      await way.close();
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async () => (await lines.next()).value;
    expect(await next()).toBe('following');
    return next;
  }

  const port = Number(settings.brokers[0]?.split(':')[1]);

  test('that is cut is restored, and nothing is lost or duplicated', async () => {
    const topic = await newTopic();
    const way = await rerouted([port]);
    const next = await readThrough(topic, way);
    for (let round = 0; round < 3; round += 1) {
      await send(topic, [`before ${round}`]);
      expect(await next()).toBe(`before ${round}`);
      await way.cut();
      await send(topic, [`while ${round}`]);
      await way.join();
      expect(await next()).toBe(`while ${round}`);
    }
  });

  test('that is silent is dropped, and reading continues when the broker answers again', async () => {
    const topic = await newTopic();
    const way = await rerouted([port]);
    const next = await readThrough(topic, way);
    await send(topic, ['before']);
    expect(await next()).toBe('before');
    const { accepted } = way;
    way.silence();
    await send(topic, ['while']);
    // It tries a new connection.
    await expect.poll(() => way.accepted, { timeout: 60_000 }).toBeGreaterThan(accepted);
    way.speak();
    expect(await next()).toBe('while');
    await send(topic, ['after']);
    expect(await next()).toBe('after');
  });
});

test('nothing is lost or duplicated when leaders stop, die and move', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'completion-bus-follower-'));
  const cluster = await startKafkaCluster({ brokers: 3, directory });
  try {
    const own = settingsOf(cluster.brokers.join(','));
    const client = createKafka(own, silent, PATIENT_RETRIES);
    const ownAdmin = client.admin();
    await ownAdmin.connect();
    const topic = 'followed';
    const configEntries = [{ name: 'min.insync.replicas', value: '2' }];
    await ownAdmin.createTopics({
      topics: [{ topic, numPartitions: 3, replicationFactor: 3, configEntries }],
      waitForLeaders: true,
    });
    const sink = await KafkaRecordSink.connect(own, silent);
    const seen = new Seen();
    const follower = await followerOf(seen, { settings: own });
    await follower.follow([0, 1, 2].map((partition) => ({ topic, partition, from: 'end' })));
    let sent = 0;
    const exchange = async () => {
      const value = String(sent);
      sent += 1;
      await sink.send(
        [0, 1, 2].map((partition) => ({
          topic,
          partition,
          key: null,
          value: Buffer.from(value),
          headers: {},
        })),
      );
      await seen.until((values) => [0, 1, 2].every((partition) => values.includes(`${partition}:${value}`)));
    };
    await exchange();
    for (const node of cluster.nodes) {
      const stopping = node.id === 2 ? node.kill() : node.stop();
      for (let round = 0; round < 20; round += 1) await exchange();
      await stopping;
      for (let round = 0; round < 5; round += 1) await exchange();
      await node.start();
      await cluster.whenInSync();
    }
    await exchange();
    for (const partition of [0, 1, 2]) {
      const values = seen.of(partition);
      // The sink writes at least once, so retried records may be there twice.
      expect([...new Set(values)]).toEqual(numbers(0, sent).map((value) => `${partition}:${value}`));
    }
    const offsets = seen.fetched.flatMap(({ records }) =>
      records.map(({ partition, offset }) => `${partition}/${offset}`),
    );
    expect(new Set(offsets).size).toBe(offsets.length);
    await sink.close();
    await ownAdmin.disconnect();
  } finally {
    for (const close of closers.splice(0)) await close();
    await cluster.close();
    await rm(directory, { recursive: true, force: true });
  }
}, 300_000);
