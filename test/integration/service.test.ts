import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { type Service, startService } from '../../src/service/service.ts';
import { startTelemetry, type Telemetry } from '../../src/telemetry/start.ts';
import { request, silent, World } from '../support/world.ts';

let world: World;
let telemetry: Telemetry;
let mongo: MongoClient;

beforeAll(async () => {
  telemetry = startTelemetry({ serviceName: 'completion-bus', serviceVersion: '1.2.3', env: {} });
  world = await World.create({ partitions: 2 });
  mongo = await MongoClient.connect(world.config.mongo.url);
});
afterAll(async () => {
  await mongo?.close();
  await world?.close();
  await telemetry?.shutdown();
});

/** Starts a service of the world in this process. */
function start(
  env: Readonly<Record<string, string>> = {},
  onFatal: (error: Error) => void = () => undefined,
) {
  const config = loadConfig({ ...world.env, ...env }, { readFile: () => '', serve: true });
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  return startService({ config, logger: silent, telemetry, clock, onFatal });
}

/** A listener on its own port. */
async function listen(port = 0): Promise<{ server: Server; port: number; close: () => Promise<void> }> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.close();
    await once(server, 'close');
  };
  return { server, port: (server.address() as AddressInfo).port, close };
}

async function freePort(): Promise<number> {
  const { port, close } = await listen();
  await close();
  return port;
}

async function readiness(port: number): Promise<{ status: number; failing: string[] } | null> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
  if (response === null) return null;
  const { checks } = (await response.json()) as { checks: { name: string; ok: boolean }[] };
  return { status: response.status, failing: checks.filter(({ ok }) => !ok).map(({ name }) => name) };
}

/** Polls until the service is ready. @returns every status seen, in order, without repetitions */
async function untilReady(port: number): Promise<number[]> {
  const seen: number[] = [];
  while (seen.at(-1) !== 200) {
    const answer = await readiness(port);
    if (answer !== null && answer.status !== seen.at(-1)) seen.push(answer.status);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return seen;
}

/** Connections to the database of the service. */
async function connections(): Promise<number> {
  const appName = `completion-bus/${world.config.mongo.database}`;
  const operations = mongo
    .db('admin')
    .aggregate([{ $currentOp: { allUsers: true, idleConnections: true } }, { $match: { appName } }]);
  return (await operations.toArray()).length;
}

async function untilGone(): Promise<void> {
  while ((await connections()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function groupMembers(): Promise<number> {
  const admin = createKafka(world.config.kafka, silent, PATIENT_RETRIES).admin();
  await admin.connect();
  try {
    const { groups } = await admin.describeGroups([world.config.kafka.groupId]);
    return groups[0]?.members.length ?? 0;
  } finally {
    await admin.disconnect();
  }
}

it('a process with only the ledger role is ready when it has partitions of the cost topic, and needs no key', async () => {
  const service = await start({ ROLES: 'ledger', AI_OPENAI_API_KEY: '' });
  await untilReady(service.httpPort);
  const answer = await fetch(`http://127.0.0.1:${service.httpPort}/readyz`);
  const { checks } = (await answer.json()) as { checks: { name: string; why: string }[] };
  expect(checks.map(({ name }) => name)).toEqual([
    'running',
    'mongodb',
    'ledger',
    'spend group',
    'spend',
    'spend kafka',
  ]);
  expect(checks.find(({ name }) => name === 'spend')?.why).toBe(
    '2 partitions open, 0 opening, 0 halted; 0 records to add',
  );
  const page = await (await fetch(`http://127.0.0.1:${service.httpPort}/metrics`)).text();
  expect(page).toMatch(/^completionbus_spend_lag(\{.*\})? 0$/m);
  await service.stop();
});

describe('a service', () => {
  let service: Service;

  it('is alive at once, and ready when it has its partitions', async () => {
    const port = await freePort();
    const starting = start({ HTTP_PORT: String(port) });
    const seen = await untilReady(port);
    service = await starting;
    expect(seen).toEqual([503, 200]);
    expect(service.httpPort).toBe(port);
    expect(await connections()).toBeGreaterThan(0);
    expect(await groupMembers()).toBe(1);
  });

  it('answers a request, and shows it in its metrics', async () => {
    const history = await world.readHistory();
    await world.publish([request('r1')]);
    await history.until(({ originals, costs }) => originals.length === 1 && costs.length === 1);
    expect(history.originals[0]).toMatchObject({ requestId: 'r1', status: 'COMPLETED' });

    const answer = await fetch(`http://127.0.0.1:${service.httpPort}/metrics`);
    const metrics = await answer.text();
    const value = (line: RegExp) =>
      Number(
        metrics
          .split('\n')
          .find((text) => line.test(text))
          ?.split(' ')[1],
      );
    expect(value(/^completionbus_requests_finished_total{.*status="COMPLETED"/)).toBe(1);
    expect(value(/^completionbus_provider_calls_total{/)).toBe(1);
    expect(value(/^completionbus_chunks_published_total(?:{| )/)).toBeGreaterThan(0);
    expect(value(/^completionbus_settle_duration_count(?:{| )/)).toBeGreaterThan(0);
    expect(value(/^completionbus_lanes{.*state="open"/)).toBe(2);
    for (const name of [
      'completionbus_requests_in_flight',
      'completionbus_requests_in_flight_size',
      'completionbus_partitions_paused',
      'completionbus_chunks_buffer_size',
      'completionbus_catalog_age',
      'completionbus_cost_total',
      'gen_ai_client_operation_duration_count',
      'gen_ai_client_token_usage_count',
    ]) {
      expect(metrics).toMatch(new RegExp(`^${name}(?:{| )`, 'm'));
    }
  });

  it('finishes requests in flight on a stop, is not ready meanwhile, and stops once however often stop is called', async () => {
    const history = await world.readHistory();
    await world.publish([request('slow', { script: { tokens: 20, gapMs: 50, promptTokens: 10 } })]);
    await history.until(({ chunks }) => chunks.some(({ value }) => value.requestId === 'slow'));

    const stopped = service.stop();
    expect(service.stop()).toBe(stopped);
    expect(await readiness(service.httpPort)).toMatchObject({ status: 503, failing: ['running'] });
    await stopped;
    await history.until(({ originals }) => originals.some(({ requestId }) => requestId === 'slow'));
    expect(history.originals.find(({ requestId }) => requestId === 'slow')?.status).toBe('COMPLETED');

    expect(await readiness(service.httpPort)).toBeNull();
    expect(await groupMembers()).toBe(0);
    await untilGone();
  });
});

describe('a service without the role worker', () => {
  it('is ready, and has no partitions', async () => {
    const service = await start({ ROLES: 'catalog' });
    expect(await untilReady(service.httpPort)).toEqual([200]);
    expect(await groupMembers()).toBe(0);
    await service.stop();
    expect(await readiness(service.httpPort)).toBeNull();
  });
});

describe('a service that cannot start reports why, and leaves nothing behind', () => {
  it.each<[string, () => Record<string, string>, RegExp]>([
    [
      'topics are missing',
      () => ({ CHAT_TOPIC_PREFIX: 'nowhere' }),
      /topics are missing: .*nowhere\.requests.*completion-bus topics create/,
    ],
    [
      'the database belongs to another group',
      () => ({ KAFKA_GROUP_ID: 'another-group' }),
      /belongs to .*another-group.*MONGODB_DATABASE/s,
    ],
    [
      'the database is away',
      () => ({ MONGODB_URL: 'mongodb://127.0.0.1:1/?replicaSet=rs0&serverSelectionTimeoutMS=200' }),
      /ECONNREFUSED.*127\.0\.0\.1:1/,
    ],
  ])('when %s', async (_what, env, message) => {
    const port = await freePort();
    const starting = start({ ...env(), HTTP_PORT: String(port) });
    await expect(starting).rejects.toThrow(message);
    // Its port is free again, and its connections are closed.
    await (await listen(port)).close();
    await untilGone();
    expect(await groupMembers()).toBe(0);
  });

  it('when its port is taken', async () => {
    const taken = await listen();
    const starting = start({ HTTP_PORT: String(taken.port) });
    await expect(starting).rejects.toThrow(/EADDRINUSE.*127\.0\.0\.1/);
    await taken.close();
    expect(await connections()).toBe(0);
  });
});
