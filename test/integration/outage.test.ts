import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startKafkaCluster } from '../../scripts/stack/kafka-cluster.ts';
import { startMongo } from '../../scripts/stack/mongo-server.ts';
import { breaches } from '../support/check-guarantees.ts';
import { request, World } from '../support/world.ts';

let directory: string;
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'completion-bus-outage-'));
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await rm(directory, { recursive: true, force: true });
});

/** 200 requests over 20 conversations. Each answer streams for about half a second. */
const published = Array.from({ length: 200 }, (_, index) =>
  request(`request-${index}`, {
    key: `conversation-${index % 20}`,
    conversationId: `conversation-${index % 20}`,
    script: { tokens: 10, gapMs: 50, promptTokens: 10 },
  }),
);

test('work waits while the database is down: after its crash and restart every request has one outcome and one bill', async () => {
  const mongo = await startMongo({ directory });
  closing.push(() => mongo.close());
  const world = await World.create({ env: { MONGODB_URL: mongo.url, LEASE_MS: '3000' } });
  closing.push(() => world.close());
  const worker = await world.startWorker();
  const history = await world.readHistory();

  await world.publish(published);
  await history.until(({ responses }) => responses.length >= 40);
  await mongo.kill();
  await worker.logged('a database operation failed');
  await mongo.start();
  await history.untilAnswered(200);

  expect(breaches(published, history, await world.standIn.calls())).toEqual([]);
  expect(await worker.stop()).toBe(0);
});

test('after a broker crash and restart, chunks and outcomes are complete, in order, each once', async () => {
  const cluster = await startKafkaCluster({ brokers: 1, directory });
  closing.push(() => cluster.close());
  const world = await World.create({ brokers: cluster.brokers });
  closing.push(() => world.close());
  const worker = await world.startWorker();
  const history = await world.readHistory();

  await world.publish(published);
  await history.until(({ responses }) => responses.length >= 40);
  await cluster.nodes[0]?.kill();
  await worker.logged('could not be written');
  await cluster.nodes[0]?.start();
  await history.untilAnswered(200);

  expect(breaches(published, history, await world.standIn.calls())).toEqual([]);
  for (const { value } of history.responses) {
    expect(history.textOf(value.requestId)).toBe(value.choices[0]?.content);
  }
  expect(await worker.stop()).toBe(0);
});
