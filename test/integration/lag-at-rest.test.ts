import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKafka, NO_RETRIES, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { request, silent, World } from '../support/world.ts';

let world: World;

beforeAll(async () => {
  world = await World.create({ partitions: 1 });
});
afterAll(() => world?.close());

/** The group's lag, as tools show it. */
async function lag(): Promise<number> {
  const { kafka } = world.config;
  const admin = createKafka(kafka, silent, PATIENT_RETRIES).admin();
  await admin.connect();
  try {
    const [log] = await admin.fetchTopicOffsets(world.topics.requests);
    const [group] = await admin.fetchOffsets({ groupId: kafka.groupId, topics: [world.topics.requests] });
    return Number(log?.high) - Number(group?.partitions[0]?.offset);
  } finally {
    await admin.disconnect();
  }
}

test('an idle group has no lag, even when publishers use transactions or abort them', async () => {
  const { kafka } = world.config;
  await world.startWorker();
  const history = await world.readHistory();
  const producer = createKafka(kafka, silent, NO_RETRIES).producer({
    transactionalId: `${kafka.groupId}-publisher`,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const publish = async (requestId: string, commit: boolean) => {
    const transaction = await producer.transaction();
    const value = world.codec.encode('ChatRequest', request(requestId).request);
    await transaction.send({ topic: world.topics.requests, messages: [{ key: requestId, value }] });
    await (commit ? transaction.commit() : transaction.abort());
  };
  try {
    await publish('kept', true);
    await history.untilAnswered(1);
    await expect.poll(lag, { timeout: 20_000 }).toBe(0);
    await publish('aborted', false);
    await expect.poll(lag, { timeout: 20_000 }).toBe(0);
  } finally {
    await producer.disconnect();
  }
  expect(history.responses).toHaveLength(1);
}, 90_000);
