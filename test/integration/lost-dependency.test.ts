import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startMongoSet } from '../../scripts/stack/mongo-server.ts';
import { breaches } from '../support/check-guarantees.ts';
import { rerouted } from '../support/rerouted.ts';
import { request, World } from '../support/world.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function worldOf(env: Record<string, string>): Promise<World> {
  const world = await World.create({ env });
  closing.push(() => world.close());
  return world;
}

/** Streams of the given seconds, each under its own key. */
const streams = (count: number, seconds: number) =>
  Array.from({ length: count }, (_, index) =>
    request(`stream-${index}`, { script: { tokens: seconds * 2, gapMs: 500, promptTokens: 10 } }),
  );

/** Ports of the servers in an address or a connection string. */
const portsOf = (addresses: string) => [...addresses.matchAll(/:(\d+)/g)].map(([, port]) => Number(port));

test('calls continue without a primary for several leases: each request is called once and billed once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'completion-bus-failover-'));
  closing.push(() => rm(directory, { recursive: true, force: true }));
  const set = await startMongoSet(directory);
  closing.push(() => set.close());
  const world = await worldOf({ MONGODB_URL: set.url, LEASE_MS: '3000' });
  const workers = [await world.startWorker(), await world.startWorker()];
  const history = await world.readHistory();
  const published = streams(50, 14);

  await world.publish(published);
  await history.until(({ chunks }) => new Set(chunks.map(({ value }) => value.requestId)).size === 50);
  await set.withoutPrimary(10);
  const late = streams(5, 1).map(({ request: { requestId } }) => request(`late-${requestId}`));
  await world.publish(late);
  await history.untilAnswered(55);

  const calls = await world.standIn.calls();
  expect(calls).toHaveLength(55);
  expect(breaches([...published, ...late], history, calls)).toEqual([]);
  for (const worker of workers) expect(await worker.stop()).toBe(0);
});

test('a worker cut off from MongoDB hands its partitions over, and works again when MongoDB is back', async () => {
  const world = await worldOf({ LEASE_MS: '2000' });
  const way = await rerouted(portsOf(world.config.mongo.url));
  closing.push(() => way.close());
  const cutOff = await world.startWorker(way.env);
  const other = await world.startWorker();
  const history = await world.readHistory();
  const before = streams(20, 20);
  await world.publish(before);
  await history.until(({ chunks }) => new Set(chunks.map(({ value }) => value.requestId)).size === 20);

  way.silence();
  const during = Array.from({ length: 60 }, (_, index) => request(`during-${index}`));
  await world.publish(during);
  await history.untilAnswered(80);

  way.speak();
  await cutOff.logged('the lease was renewed after an outage');
  expect(await other.stop()).toBe(0);
  const after = Array.from({ length: 20 }, (_, index) => request(`after-${index}`));
  await world.publish(after);
  await history.untilAnswered(100);
  expect(await cutOff.stop()).toBe(0);
  expect(breaches([...before, ...during, ...after], history, await world.standIn.calls())).toEqual([]);
});

test('a worker cut off from Kafka releases its claims to the new owners of its partitions', async () => {
  const world = await worldOf({
    LEASE_MS: '2000',
    KAFKA_SESSION_TIMEOUT: '6s',
    KAFKA_REQUEST_TIMEOUT: '4s',
    KAFKA_TRANSACTION_TIMEOUT: '6s',
  });
  const way = await rerouted(portsOf(world.env['KAFKA_BROKERS'] ?? ''));
  closing.push(() => way.close());
  const cutOff = await world.startWorker(way.env);
  const other = await world.startWorker();
  const history = await world.readHistory();
  const published = streams(20, 4);
  await world.publish(published);
  await history.until(({ chunks }) => new Set(chunks.map(({ value }) => value.requestId)).size === 20);

  way.silence();
  await history.untilAnswered(20);

  way.speak();
  const after = Array.from({ length: 20 }, (_, index) => request(`after-${index}`));
  await world.publish(after);
  await history.untilAnswered(40);
  for (const worker of [cutOff, other]) expect(await worker.stop()).toBe(0);
  expect(breaches([...published, ...after], history, await world.standIn.calls())).toEqual([]);
});

test('a worker whose wall clock is ahead answers requests before their deadline', async () => {
  const world = await worldOf({});
  const ahead = 'const now=Date.now;Date.now=()=>now()+1800000';
  const worker = await world.startWorker({
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(ahead)}`,
  });
  const history = await world.readHistory();
  await world.publish([request('in-time', { deadline: Date.now() + 600_000 })]);
  await history.untilAnswered(1);
  expect(history.responses.map(({ value }) => value.status)).toEqual(['COMPLETED']);
  expect(await worker.stop()).toBe(0);
});
