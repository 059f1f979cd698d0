import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type KafkaCluster, startKafkaCluster } from '../../scripts/stack/kafka-cluster.ts';
import { breaches } from '../support/check-guarantees.ts';
import { request, World } from '../support/world.ts';

let directory: string;
let cluster: KafkaCluster;
let world: World;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'completion-bus-brokers-'));
  cluster = await startKafkaCluster({ brokers: 3, directory });
  world = await World.create({ brokers: cluster.brokers, replication: 3 });
});

afterAll(async () => {
  await world?.close();
  await cluster?.close();
  await rm(directory, { recursive: true, force: true });
});

test('1,000 requests through a rolling restart of three brokers: none lost, none duplicated, order kept', async () => {
  await world.startWorker();
  const history = await world.readHistory();
  const published = Array.from({ length: 1_000 }, (_, index) =>
    request(`bulk-${index}`, {
      key: `conversation-${index % 50}`,
      conversationId: `conversation-${index % 50}`,
      script: { tokens: 20, gapMs: 70, promptTokens: 100 },
    }),
  );
  const publishing = (async () => {
    for (let from = 0; from < published.length; from += 50) {
      await world.publish(published.slice(from, from + 50));
      // The next requests follow when these are answered, so that requests are in flight during the whole restart.
      await history.until(({ originals }) => originals.length >= from + 50);
    }
  })();
  for (const node of cluster.nodes) {
    await node.stop();
    await node.start();
    await cluster.whenInSync();
  }
  await publishing;
  await history.untilAnswered(1_000);

  const calls = await world.standIn.calls();
  expect(breaches(published, history, calls)).toEqual([]);
  expect(calls).toHaveLength(1_000);
}, 420_000);
