import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Admin } from 'kafkajs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type KafkaCluster, startKafkaCluster } from '../../scripts/stack/kafka-cluster.ts';
import { errorType } from '../../src/adapters/kafka/kafkajs/broker-errors.ts';
import { COORDINATOR_TYPES, connectCluster } from '../../src/adapters/kafka/kafkajs/cluster-requests.ts';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { request, silent, World } from '../support/world.ts';

/** The only broker with the partitions that lose their leader. */
const LONELY = 3;
const PARTITIONS = 5;
const DEAD_MS = 35_000;

let directory: string;
let cluster: KafkaCluster;
let world: World;
let admin: Admin;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'completion-bus-leaderless-'));
  cluster = await startKafkaCluster({ brokers: 3, directory });
  world = await World.create({ brokers: cluster.brokers, replication: 3, partitions: PARTITIONS });
  admin = createKafka(world.config.kafka, silent, PATIENT_RETRIES).admin();
  await admin.connect();
});

afterAll(async () => {
  await world?.close();
  await admin?.disconnect();
  await cluster?.close();
  await rm(directory, { recursive: true, force: true });
});

/** Publishes this many requests, each to its own partition. */
async function publish(name: string, partitions: readonly number[]): Promise<void> {
  for (const partition of partitions)
    await world.sendTo(world.topics.requests, [
      {
        partition,
        key: `${name}-${partition}`,
        value: world.codec.encode('ChatRequest', request(`${name}-${partition}`).request),
        headers: {},
      },
    ]);
}

const answered = (history: Awaited<ReturnType<World['readHistory']>>, ids: readonly string[]) =>
  history.until(({ originals }) => ids.every((id) => originals.some(({ requestId }) => requestId === id)));

test('a partition without a leader stops only itself, in a foreign topic or in a request topic', async () => {
  const others = [0, 1, 2, 3];
  const ids = (name: string, partitions: readonly number[]) => partitions.map((one) => `${name}-${one}`);
  // Outputs are on all brokers. Each request partition is on one broker, like the partition of the foreign topic.
  const { requests } = world.topics;
  await admin.deleteTopics({ topics: [requests] });
  const replicaAssignment = [1, 2, 1, 2, LONELY].map((id, partition) => ({ partition, replicas: [id] }));
  const foreign = { topic: 'foreign', replicaAssignment: [{ partition: 0, replicas: [LONELY] }] };
  await expect
    .poll(
      () =>
        admin
          .createTopics({ topics: [{ topic: requests, replicaAssignment }, foreign], waitForLeaders: false })
          .catch(String),
      { timeout: 10_000 },
    )
    .toBe(true);
  const history = await vi.waitFor(() => world.readHistory(), { timeout: 30_000, interval: 500 });
  const worker = await world.startWorker();
  await publish('before', [...others, 4]);
  await answered(history, ids('before', [...others, 4]));

  const lonely = cluster.nodes.find(({ id }) => id === LONELY);
  await lonely?.kill();
  await expect.poll(() => leaderOf('foreign', 0), { timeout: 60_000, interval: 200 }).toBeLessThan(0);

  // Open lanes continue.
  await publish('while', others);
  await answered(history, ids('while', others));
  // New lanes open.
  await worker.stop();
  await world.spawnWorker();
  await publish('opened', others);
  await answered(history, ids('opened', others));

  // The request partition continues once its broker is back.
  await lonely?.start();
  await publish('after', [4]);
  await answered(history, ids('after', [4]));
}, 300_000);

test('the loss of the group’s coordinator moves no partition and closes no lane', async () => {
  await cluster.whenInSync();
  const other = await World.create({ brokers: cluster.brokers, replication: 3, partitions: 2 });
  try {
    const { kafka } = other.config;
    const history = await other.readHistory();
    const worker = await other.startWorker();
    await other.publish([request('first')]);
    await history.untilAnswered(1);
    const assignments = () => worker.log.filter((line) => line.includes('partitions assigned')).length;
    const before = assignments();

    const client = await connectCluster(kafka, silent);
    const { nodeId } = await client.findGroupCoordinator({
      groupId: kafka.groupId,
      coordinatorType: COORDINATOR_TYPES.group,
    });
    await client.disconnect();
    await cluster.nodes.find(({ id }) => id === nodeId)?.kill();
    // Longer than a client looks for the dead broker before it leaves the group.
    const killedAt = performance.now();
    for (let answered = 1; performance.now() - killedAt < DEAD_MS; answered += 1) {
      await other.publish([request(`request-${answered}`)]);
      await history.untilAnswered(answered + 1);
    }
    expect(assignments()).toBe(before);
    await cluster.nodes.find(({ id }) => id === nodeId)?.start();
  } finally {
    await other.close();
  }
}, 180_000);

/** As brokers that are up report it. */
async function leaderOf(topic: string, partition: number): Promise<number> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] }).catch((error: unknown) => {
    if (errorType(error) === 'LEADER_NOT_AVAILABLE') return { topics: [] };
    throw error;
  });
  return topics[0]?.partitions.find(({ partitionId }) => partitionId === partition)?.leader ?? -1;
}
