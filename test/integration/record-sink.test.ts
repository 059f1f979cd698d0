import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readToEnd } from '../../src/adapters/kafka/consumer/topic-reader.ts';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { KafkaRecordSink, type RecordSinkOptions } from '../../src/adapters/kafka/produce/record-sink.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { type OutboundRecord, RecordRefused, type RefusedRecord } from '../../src/ports/kafka.ts';
import { createLogger } from '../../src/runtime/logger.ts';

const name = `sink-${randomUUID().slice(0, 8)}`;
const { kafka: settings } = loadConfig(
  { KAFKA_BROKERS: process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092', KAFKA_GROUP_ID: name },
  { readFile: () => '' },
);
const silent = createLogger({ level: 'silent' });
const admin = createKafka(settings, silent, PATIENT_RETRIES).admin();
const made: string[] = [];
const closers: (() => Promise<void>)[] = [];

beforeAll(() => admin.connect());
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
afterAll(async () => {
  await admin.deleteTopics({ topics: made });
  await admin.disconnect();
});

async function newTopic(config: Readonly<Record<string, string>> = {}, partitions = 3): Promise<string> {
  const topic = `${name}.${made.length}`;
  made.push(topic);
  const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }));
  await admin.createTopics({
    topics: [{ topic, numPartitions: partitions, configEntries }],
    waitForLeaders: false,
  });
  return topic;
}

async function connect(options: RecordSinkOptions = {}, logger = silent): Promise<KafkaRecordSink> {
  const sink = await KafkaRecordSink.connect(settings, logger, options);
  closers.push(() => sink.close());
  return sink;
}

function record(topic: string, value: string, key: string | null = 'k'): OutboundRecord {
  return { topic, key, value: Buffer.from(value), headers: {} };
}

function written(
  sink: KafkaRecordSink,
  topic: string,
  partition: number,
  values: readonly string[],
  key = 'k',
) {
  return new Promise<readonly RefusedRecord[]>((resolve) =>
    sink.write(
      [{ topic, partition, records: values.map((value) => record(topic, value, key)) }],
      (_batch, refused) => resolve(refused),
    ),
  );
}

async function read(topic: string): Promise<string[]> {
  const values: string[] = [];
  await readToEnd(settings, silent, topic, async ({ value }) => {
    values.push(String(value));
  });
  return values;
}

describe('the record sink, partition by partition', () => {
  it('continues with the others while one has no leader', async () => {
    const topic = await newTopic();
    const failures: string[] = [];
    const failedTwice = Promise.withResolvers<void>();
    const sink = await connect({
      topics: [topic],
      onFailed: (type) => failures.push(type) === 2 && failedTwice.resolve(),
    });
    let isWritten = false;
    void written(sink, topic, 7, ['nowhere']).then(() => {
      isWritten = true;
    });
    for (const partition of [0, 1, 2]) expect(await written(sink, topic, partition, ['a', 'b'])).toEqual([]);
    await failedTwice.promise;
    expect(await written(sink, topic, 1, ['c'])).toEqual([]);
    expect(isWritten).toBe(false);
    expect(new Set(failures)).toEqual(new Set(['LEADER_NOT_AVAILABLE']));
  });

  it('writes that one too once it exists, and reports the new partitions', async () => {
    const topic = await newTopic({}, 1);
    const grown = Promise.withResolvers<number>();
    const sink = await connect({
      topics: [topic],
      onTopics: ([facts]) => facts !== undefined && facts.partitions > 1 && grown.resolve(facts.partitions),
    });
    const late = written(sink, topic, 1, ['late']);
    await admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] });
    expect(await late).toEqual([]);
    expect(await grown.promise).toBe(2);
    expect(await read(topic)).toEqual(['late']);
  });

  it('gives up records that are too large, and writes the others in order', async () => {
    const topic = await newTopic({ 'max.message.bytes': '20000' });
    const sink = await connect({ topics: [topic] });
    expect(sink.maxBatchBytes(topic)).toBe(20_000);
    const large = 'x'.repeat(30_000);
    const values = ['a', large, 'b', 'c', large, 'd'];
    const refused = await written(sink, topic, 0, values);
    expect(refused).toEqual([
      { index: 1, errorType: 'MESSAGE_TOO_LARGE' },
      { index: 4, errorType: 'MESSAGE_TOO_LARGE' },
    ]);
    expect(await read(topic)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('splits a batch when the limit was lowered, and knows the new limit before the batch is answered', async () => {
    const topic = await newTopic();
    const sink = await connect({ topics: [topic] });
    expect(sink.maxBatchBytes(topic)).toBeGreaterThan(1_000_000);
    const resources = [
      {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: topic,
        configEntries: [{ name: 'max.message.bytes', value: '10000' }],
      },
    ];
    await admin.alterConfigs({ validateOnly: false, resources });
    const values = Array.from({ length: 50 }, (_, index) => `${index} ${'y'.repeat(2_000)}`);
    expect(await written(sink, topic, 0, values)).toEqual([]);
    expect(sink.maxBatchBytes(topic)).toBe(10_000);
    expect(await read(topic)).toEqual(values);
  });

  it('gives up records that a compacted topic refuses', async () => {
    const topic = await newTopic({ 'cleanup.policy': 'compact' });
    const sink = await connect();
    await expect(sink.send([{ ...record(topic, 'a', null), partition: 0 }])).rejects.toThrow(RecordRefused);
    await sink.send([record(topic, 'b')]);
    expect(await read(topic)).toEqual(['b']);
  });

  it('gives up a record that cannot be encoded, and writes the others', async () => {
    const topic = await newTopic();
    const sink = await connect({ topics: [topic] });
    const odd = { ...record(topic, 'odd'), headers: { odd: 7 as never } };
    const refused = await new Promise<readonly RefusedRecord[]>((resolve) =>
      sink.write(
        [{ topic, partition: 0, records: [record(topic, 'a'), odd, record(topic, 'b')] }],
        (_batch, of) => resolve(of),
      ),
    );
    expect(refused).toEqual([{ index: 1, errorType: 'UNENCODABLE' }]);
    expect(await read(topic)).toEqual(['a', 'b']);
  });

  it('logs a repeated failure once per interval, with the number suppressed', async () => {
    const topic = await newTopic();
    const lines: string[] = [];
    const logger = createLogger({ level: 'warn', destination: { write: (line) => lines.push(line) } });
    const failures = Promise.withResolvers<void>();
    let count = 0;
    const sink = await connect(
      {
        topics: [topic],
        onFailed: () => {
          count += 1;
          if (count === 4) failures.resolve();
        },
      },
      logger,
    );
    for (const partition of [8, 9]) void written(sink, topic, partition, ['a']);
    await failures.promise;
    const logged = lines.map((line) => JSON.parse(line)).filter(({ topic: of }) => of === topic);
    expect(logged).toMatchObject([
      { msg: 'records could not be written; trying again', error: 'LEADER_NOT_AVAILABLE', suppressed: 0 },
    ]);
  });

  it('does not start without its topics', async () => {
    await expect(KafkaRecordSink.connect(settings, silent, { topics: [`${name}.missing`] })).rejects.toThrow(
      `${name}.missing`,
    );
  });
});
