import { randomUUID } from 'node:crypto';
import type { Admin } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KafkaRequestSource } from '../../src/adapters/kafka/consumer/request-source.ts';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { silent } from '../support/world.ts';

const topic = `interruption-${randomUUID().slice(0, 8)}`;
const settings = loadConfig(
  { KAFKA_BROKERS: process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092', KAFKA_GROUP_ID: topic },
  { readFile: () => '' },
).kafka;
const kafka = createKafka(settings, silent, PATIENT_RETRIES);

let admin: Admin;

beforeAll(async () => {
  admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  await producer.send({ topic, messages: [{ value: 'a' }, { value: 'b' }] });
  await producer.disconnect();
});
afterAll(async () => {
  await admin.deleteTopics({ topics: [topic] });
  await admin.deleteGroups([topic]);
  await admin.disconnect();
});

/** A failure that ends kafkajs's consumer at once, but may be temporary. */
const passingFailure = () =>
  Object.assign(new Error('no coordinator'), { name: 'KafkaJSNotImplemented', retriable: true });

test('a consumer with a temporary failure reports an interruption, rejoins automatically and redelivers what it had not handed over', async () => {
  const source = new KafkaRequestSource(settings, [topic], silent);
  const events: string[] = [];
  const brought = Promise.withResolvers<string[]>();
  const partition = { topic, partition: 0 };
  await source.start({
    assigned: (_memberId, partitions) => {
      events.push(`assigned ${partitions.length}`);
    },
    fetched: ({ records }) => {
      if (!events.includes('interrupted')) throw passingFailure();
      brought.resolve(records.map(({ value }) => String(value)));
      return true;
    },
    interrupted: () => {
      events.push('interrupted');
      // Outside the group, pause and seek are impossible. Closing lanes must not fail because of it.
      source.pause(partition);
      source.seek(partition, 1);
      source.resume(partition);
    },
    crashed: (error) => brought.reject(error),
  });
  expect(await brought.promise).toEqual(['a', 'b']);
  expect(events).toEqual(['assigned 1', 'interrupted', 'assigned 1']);
  await source.stop();
});
