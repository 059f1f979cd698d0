import { randomUUID } from 'node:crypto';
import kafkajs, { CompressionTypes, type Producer } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { KafkaRequestSource } from '../../src/adapters/kafka/consumer/request-source.ts';
import { readTopics } from '../../src/adapters/kafka/consumer/topic-reader.ts';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { KafkaRecordSink } from '../../src/adapters/kafka/produce/record-sink.ts';
import { checkTopics, createTopics, TopicsNotReady } from '../../src/adapters/kafka/topics/topics.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { settledTopics, topicNames } from '../../src/contract/topics.ts';
import type { FetchedRecords, InboundRecord, RequestSourceListener } from '../../src/ports/kafka.ts';
import { createLogger } from '../../src/runtime/logger.ts';

const name = `adapters-${randomUUID().slice(0, 8)}`;
const { kafka: settings, topics: plan } = loadConfig(
  {
    KAFKA_BROKERS: process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092',
    KAFKA_GROUP_ID: name,
    KAFKA_SESSION_TIMEOUT: '6s',
    CHAT_TOPIC_PREFIX: name,
    CHAT_TOPIC_PARTITIONS: '2',
  },
  { readFile: () => '' },
);
const silent = createLogger({ level: 'silent' });
const kafka = createKafka(settings, silent, PATIENT_RETRIES);
const admin = kafka.admin();
let producer: Producer;
const made: string[] = [];
const closers: (() => Promise<void>)[] = [];

/** A topic for one test. */
async function newTopic(partitions = 1): Promise<string> {
  const topic = `${name}.${made.length}`;
  made.push(topic);
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true });
  return topic;
}

beforeAll(async () => {
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
  const { groups } = await admin.listGroups();
  const ours = groups.map(({ groupId }) => groupId).filter((groupId) => groupId.startsWith(name));
  if (ours.length > 0) await admin.deleteGroups(ours);
  await admin.disconnect();
});

/** Collects records until it has the given number. */
class Collected {
  readonly records: InboundRecord[] = [];
  private readonly waiting = new Set<{ count: number; resolve: () => void }>();

  get values(): string[] {
    return this.records.map(({ value }) => String(value));
  }

  add(records: readonly InboundRecord[]): void {
    this.records.push(...records);
    for (const entry of this.waiting) if (this.records.length >= entry.count) entry.resolve();
  }

  until(count: number): Promise<void> {
    if (this.records.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.waiting.add({ count, resolve }));
  }
}

const taking =
  (collected: Collected) =>
  ({ records }: FetchedRecords) => {
    collected.add(records);
    return true;
  };

/** Ends kafkajs's consumer for good: an unsupported compression. */
const unreadable = () =>
  Object.assign(new Error('the batch has a compression that no codec was registered for'), {
    name: 'KafkaJSNotImplemented',
  });

const numbered = (from: number, to: number, partition = 0) =>
  Array.from({ length: to - from }, (_, index) => ({ value: String(from + index), partition }));

async function sourceOf(topic: string, listener: Partial<RequestSourceListener>) {
  const source = new KafkaRequestSource({ ...settings, groupId: `${name}-${randomUUID()}` }, [topic], silent);
  closers.push(() => source.stop());
  const start = () =>
    source.start({
      assigned: () => undefined,
      fetched: () => true,
      interrupted: () => undefined,
      crashed: () => undefined,
      ...listener,
    });
  return { source, start };
}

describe('the request source', () => {
  it('reports an assignment before it fetches, and obeys pauses and seeks made then', async () => {
    const topic = await newTopic(2);
    await producer.send({ topic, messages: [...numbered(0, 10, 0), ...numbered(100, 103, 1)] });
    const events: string[] = [];
    const first = new Collected();
    const second = new Collected();
    const batches: FetchedRecords[] = [];
    const { source, start } = await sourceOf(topic, {
      assigned: (memberId, partitions) => {
        events.push(`assigned ${partitions.length} ${memberId === '' ? 'nobody' : 'a member'}`);
        source.pause({ topic, partition: 1 });
        source.seek({ topic, partition: 0 }, 6);
      },
      fetched: (batch) => {
        events.push(`fetched ${batch.partition}`);
        batches.push(batch);
        (batch.partition === 0 ? first : second).add(batch.records);
        return true;
      },
    });
    expect(source.lastFetchAgeMs()).toBeNull();
    await start();
    await first.until(4);
    expect(events[0]).toBe('assigned 2 a member');
    expect(first.records.map(({ offset }) => offset)).toEqual([6, 7, 8, 9]);
    expect(batches[0]).toMatchObject({ fetchedOffset: 6, highWatermark: 10 });
    // Later fetches do not include the paused partition either.
    await producer.send({ topic, messages: numbered(10, 11, 0) });
    await first.until(5);
    expect(second.records).toEqual([]);
    source.resume({ topic, partition: 1 });
    await second.until(3);
    expect(second.values).toEqual(['100', '101', '102']);
    expect(source.lastFetchAgeMs()).toBeLessThan(5_000);
  });

  it('redelivers records until they are accepted', async () => {
    const topic = await newTopic();
    await producer.send({ topic, messages: numbered(0, 3) });
    const collected = new Collected();
    let refusals = 2;
    const { start } = await sourceOf(topic, {
      fetched: ({ records }) => {
        collected.add(records);
        refusals -= 1;
        return refusals < 0;
      },
    });
    await start();
    await collected.until(9);
    await producer.send({ topic, messages: numbered(3, 4) });
    await collected.until(10);
    expect(collected.values).toEqual(['0', '1', '2', '0', '1', '2', '0', '1', '2', '3']);
  });

  it('obeys a seek made while a batch is handed over', async () => {
    const topic = await newTopic();
    await producer.send({ topic, messages: numbered(0, 4) });
    const collected = new Collected();
    let sought = false;
    const { source, start } = await sourceOf(topic, {
      fetched: ({ records }) => {
        collected.add(records);
        if (!sought) source.seek({ topic, partition: 0 }, 2);
        sought = true;
        return true;
      },
    });
    await start();
    await collected.until(6);
    expect(collected.values).toEqual(['0', '1', '2', '3', '2', '3']);
  });

  it('reads records as they were written: key, value, headers, time, or without a key', async () => {
    const topic = await newTopic();
    const value = Buffer.from([0, 255, 128]);
    const message = { key: 'k', value, headers: { tenant: 'acme' }, timestamp: '1767322800000' };
    await producer.send({ topic, messages: [message, { key: null, value: null }] });
    const collected = new Collected();
    const { start } = await sourceOf(topic, { fetched: taking(collected) });
    await start();
    await collected.until(2);
    expect(collected.records).toMatchObject([
      {
        topic,
        partition: 0,
        offset: 0,
        timestamp: 1_767_322_800_000,
        key: Buffer.from('k'),
        value,
        headers: { tenant: Buffer.from('acme') },
      },
      { offset: 1, key: null, value: null, headers: {} },
    ]);
  });

  it.each(['GZIP', 'Snappy', 'LZ4', 'ZSTD'] as const)('reads batches compressed with %s', async (codec) => {
    const topic = await newTopic();
    const messages = Array.from({ length: 50 }, (_, index) => ({ value: `${index} `.repeat(2_000) }));
    await producer.send({ topic, messages, compression: CompressionTypes[codec] });
    const collected = new Collected();
    const { start } = await sourceOf(topic, { fetched: taking(collected) });
    await start();
    await collected.until(50);
    expect(collected.values).toEqual(messages.map(({ value }) => value));
  });

  it('reports when it has ended for good', async () => {
    const topic = await newTopic();
    await producer.send({ topic, messages: numbered(0, 1) });
    const crashed = Promise.withResolvers<Error>();
    const { start } = await sourceOf(topic, {
      crashed: crashed.resolve,
      fetched: () => {
        throw unreadable();
      },
    });
    await start();
    expect((await crashed.promise).message).toContain('a compression that no codec was registered for');
  });
});

describe('the record sink', () => {
  /** Resolves once the given number of warnings is logged. */
  function loggerUntil(count: number) {
    const reached = Promise.withResolvers<void>();
    const lines: string[] = [];
    const write = (line: string) => {
      if (!line.includes('trying again')) return;
      lines.push(line);
      if (lines.length === count) reached.resolve();
    };
    return {
      logger: createLogger({ level: 'warn', destination: { write } }),
      reached: reached.promise,
      lines,
    };
  }

  it('resends identical records after an error, in order, until the broker accepts them', async () => {
    const topic = `${name}.late`;
    made.push(topic);
    const { logger, reached } = loggerUntil(2);
    const sink = await KafkaRecordSink.connect(settings, logger);
    closers.push(() => sink.close());
    const records = ['a', 'b', 'c'].map((key) => ({
      topic,
      partition: 0,
      key,
      value: Buffer.from(`value of ${key}`),
      headers: { mark: key },
    }));
    const sent = sink.send(records);
    await reached;
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
    await sent;
    await sink.send([{ topic, key: 'd', value: Buffer.from('value of d'), headers: {} }]);
    await sink.send([]);

    const collected = new Collected();
    const options = { settings, logger: silent, topics: [topic], from: 'start' as const };
    const onRecord = (record: InboundRecord) => collected.add([record]);
    const reader = await readTopics({ ...options, onRecord, onCrash: () => undefined });
    closers.push(() => reader.close());
    await collected.until(4);
    expect(collected.values).toEqual(['value of a', 'value of b', 'value of c', 'value of d']);
    expect(collected.records[0]).toMatchObject({
      key: Buffer.from('a'),
      headers: { mark: Buffer.from('a') },
    });
  });

  it('gives up only when it is closed, and reports it', async () => {
    const { logger, reached } = loggerUntil(1);
    const sink = await KafkaRecordSink.connect(settings, logger);
    const sent = sink.send([{ topic: `${name}.nowhere`, key: 'a', value: null, headers: {} }]);
    const ended = expect(sent).rejects.toThrow('the record sink was closed');
    await reached;
    await sink.close();
    await ended;
    await expect(sink.send([{ topic: 't', key: 'a', value: null, headers: {} }])).rejects.toThrow('closed');
  });
});

describe('a reader outside the service', () => {
  async function read(topic: string, from: 'start' | 'end') {
    const collected = new Collected();
    const onRecord = (record: InboundRecord) => collected.add([record]);
    const onCrash = () => undefined;
    const options = { settings, logger: silent, topics: [topic], from, onRecord, onCrash };
    const reader = await readTopics(options);
    closers.push(() => reader.close());
    return collected;
  }

  it('sees exactly the records written after it started, in order per partition', async () => {
    const topic = await newTopic(3);
    await producer.send({ topic, messages: [0, 1, 2].flatMap((partition) => numbered(0, 5, partition)) });
    const collected = await read(topic, 'end');
    await producer.send({ topic, messages: [0, 1, 2].flatMap((partition) => numbered(5, 9, partition)) });
    await collected.until(12);
    for (const partition of [0, 1, 2]) {
      const values = collected.records.filter((record) => record.partition === partition);
      expect(values.map(({ value }) => String(value))).toEqual(['5', '6', '7', '8']);
    }
  });

  it('sees everything from the start, but nothing uncommitted', async () => {
    const topic = await newTopic();
    await producer.send({ topic, messages: numbered(0, 2) });
    const transactional = kafka.producer({ transactionalId: `${name}-aborted`, maxInFlightRequests: 1 });
    await transactional.connect();
    const transaction = await transactional.transaction();
    await transaction.send({ topic, messages: [{ value: 'aborted' }] });
    await transaction.abort();
    await transactional.disconnect();
    await producer.send({ topic, messages: numbered(2, 3) });
    const collected = await read(topic, 'start');
    await collected.until(3);
    expect(collected.values).toEqual(['0', '1', '2']);
  });

  it('joins no group', async () => {
    const before = new Set((await admin.listGroups()).groups.map(({ groupId }) => groupId));
    await read(await newTopic(), 'end');
    const { groups } = await admin.listGroups();
    const added = groups.map(({ groupId }) => groupId).filter((groupId) => !before.has(groupId));
    expect(added.filter((groupId) => groupId.startsWith(name))).toEqual([]);
  });

  it('names a missing topic at once', async () => {
    const missing = `${name}.nowhere`;
    await expect(read(missing, 'end')).rejects.toThrow(
      `these topics are missing: ${missing}; create them with: completion-bus topics create`,
    );
  });

  it('reports the final error once reading has ended for good', async () => {
    const topic = await newTopic();
    await producer.send({ topic, messages: numbered(0, 1) });
    const crashed = Promise.withResolvers<Error>();
    const reader = await readTopics({
      settings,
      logger: silent,
      topics: [topic],
      from: 'start',
      onRecord: () => {
        throw unreadable();
      },
      onCrash: crashed.resolve,
    });
    closers.push(() => reader.close());
    expect((await crashed.promise).message).toContain('a compression that no codec was registered for');
  });
});

describe('the topics', () => {
  const expected = { ledgerTtlMs: 14 * 86_400_000, recordMaxBytes: 900_000 };
  const names = topicNames(name);

  it('are created by command and checked at the start, and each problem names its fix', async () => {
    await expect(checkTopics(admin, plan, expected)).rejects.toThrow(
      new RegExp(`missing: ${names.requests}, .*completion-bus topics create`),
    );
    made.push(...(await createTopics(admin, plan)));
    expect(made).toEqual(expect.arrayContaining(Object.values(names)));
    expect(await createTopics(admin, plan)).toEqual([]);
    await checkTopics(admin, plan, expected);

    await admin.createPartitions({ topicPartitions: [{ topic: names.requests, count: 3 }] });
    const set = (topic: string, setting: string, value: string) =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [
          {
            type: kafkajs.ConfigResourceTypes.TOPIC,
            name: topic,
            configEntries: [{ name: setting, value }],
          },
        ],
      });
    await set(names.costs, 'max.message.bytes', '500000');
    await set(names.requests, 'retention.ms', '-1');
    const uneven = settledTopics(plan.prefix).map((topic) =>
      expect.stringContaining(`${topic} has 2 partitions and ${names.requests} has 3`),
    );
    const small = expect.stringContaining(`${names.costs} takes records up to 500000 bytes`);
    const kept = expect.stringContaining(`${names.requests} keeps requests for ever`);
    // A broker reports new settings a moment after it accepted them.
    await expect
      .poll(() => checkTopics(admin, plan, expected).catch((error: Error) => error.message.split('; ')), {
        interval: 20,
        timeout: 10_000,
      })
      .toEqual([...uneven, kept, small]);
    await expect(checkTopics(admin, plan, expected)).rejects.toThrow(TopicsNotReady);
  });
});
