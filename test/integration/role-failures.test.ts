import type { Document } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { readChecks } from '../support/read-checks.ts';
import { request, silent, World } from '../support/world.ts';

let world: World;

beforeEach(async () => {
  world = await World.create({ partitions: 2, env: { ROLES: 'worker,ledger', KAFKA_SESSION_TIMEOUT: '6s' } });
});
afterEach(() => world?.close());

const slow = (count: number, tokens: number) =>
  Array.from({ length: count }, (_, index) =>
    request(`slow-${index}`, { script: { tokens, firstTokenMs: 20, gapMs: 50, promptTokens: 10 } }),
  );

/** The first member of a group chooses the assignment protocol. A member that does not support it is refused. */
async function occupyGroup(groupId: string) {
  const { kafka: settings } = world.config;
  const admin = createKafka(settings, silent, PATIENT_RETRIES).admin();
  await admin.connect();
  await vi.waitUntil(
    async () => ((await admin.describeGroups([groupId])).groups[0]?.members.length ?? 0) === 0,
    { interval: 100, timeout: 60_000 },
  );
  await admin.disconnect();
  const consumer = createKafka(settings, silent, PATIENT_RETRIES).consumer({
    groupId,
    partitionAssigners: [
      () => ({
        name: 'another-way',
        version: 1,
        assign: async ({ members }) =>
          members.map(({ memberId }) => ({ memberId, memberAssignment: Buffer.alloc(0) })),
        protocol: () => ({ name: 'another-way', metadata: Buffer.alloc(0) }),
      }),
    ],
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [world.topics.messageSent] });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.run({ eachBatch: async () => undefined });
  await joined;
  return consumer;
}

describe('the ledger role', () => {
  it('fails alone: it is restarted until it works, /readyz reports it, and the worker answers meanwhile', async () => {
    const worker = await world.startWorker();
    // Sums of a wrong type, which no write can add to.
    const totals = world.database.collection<Document & { _id: string }>('spendTotals');
    const history = await world.readHistory();
    await world.publish([request('first')]);
    await history.untilAnswerTo('first');
    while ((await totals.countDocuments()) === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    const kept = await totals.find().toArray();
    await totals.updateMany({}, { $set: { amount: 'none' } });

    await world.publish([request('second')]);
    await history.untilAnswerTo('second');
    await worker.logged('the role failed; restarting it');
    const failed = await readChecks(worker.httpPort, (checks) => checks.get('ledger')?.ok === false);
    expect(failed.get('ledger')).toMatchObject({ ok: false, since: expect.stringMatching(/^20..-/) });
    expect(failed.get('ledger')?.why).toMatch(/amount/);
    await world.publish([request('third')]);
    await history.untilAnswerTo('third');

    for (const { _id, amount } of kept) await totals.updateOne({ _id }, { $set: { amount } });
    await readChecks(worker.httpPort, (checks) => [...checks.values()].every(({ ok }) => ok));
    const page = await (await fetch(`http://127.0.0.1:${worker.httpPort}/metrics`)).text();
    expect(page).toMatch(/^completionbus_role_restarts_total\{.*role="ledger"[^}]*\} [1-9]/m);
    expect(page.match(/^completionbus_spend_lag[{ ].*$/gm)).toHaveLength(1);
    expect(await worker.stop()).toBe(0);
    expect(await world.standIn.calls()).toHaveLength(3);
  }, 60_000);

  it('is restarted when it cannot join its group, and the worker answers meanwhile', async () => {
    const { spend } = loadConfig({ ...world.env }, { readFile: () => '' });
    const foreign = await occupyGroup(spend.groupId);
    const worker = world.spawnWorker();
    const history = await world.readHistory();
    await world.publish([request('first')]);
    await history.untilAnswerTo('first');
    await worker.logged('the role failed; restarting it');
    await foreign.disconnect();
    await worker.ready;
    expect(await worker.stop()).toBe(0);
  }, 60_000);
});

describe('the worker role', () => {
  it('finishes requests in flight and releases the rest when it cannot continue; the last line names the cause', async () => {
    const worker = await world.startWorker({ ROLES: 'worker', DRAIN_TIMEOUT: '3s' });
    const history = await world.readHistory();
    // Half of them end before the drain does, and half do not.
    await world.publish([...slow(5, 200), ...slow(10, 400).slice(5)]);
    await history.until(({ chunks }) => new Set(chunks.map(({ value }) => value.requestId)).size === 10);
    worker.signal('SIGSTOP');
    const foreign = await occupyGroup(world.config.kafka.groupId);
    worker.signal('SIGCONT');
    expect(await worker.exited).toBe(1);
    await foreign.disconnect();

    const last = JSON.parse(worker.log.at(-1) ?? '{}') as {
      level: string;
      msg: string;
      role: string;
      err: Error;
    };
    expect(last).toMatchObject({ level: 'fatal', role: 'worker' });
    expect(last.err.message).toMatch(/protocol/i);
    const rows = await world.ledgerRows().find<{ claim: unknown; outcome: unknown }>({}).toArray();
    expect(rows).toHaveLength(10);
    expect(rows.every(({ claim, outcome }) => claim === null || outcome !== null)).toBe(true);
    expect(await world.database.collection('leases').countDocuments()).toBe(0);
  }, 60_000);
});

it('an uncaught error ends the process after the requests in flight; only those that do not end in time count as crashed', async () => {
  const bug = "process.on('SIGUSR2', () => { throw new Error('a bug of ours'); })";
  const worker = await world.startWorker({
    ROLES: 'worker',
    DRAIN_TIMEOUT: '5s',
    NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import "data:text/javascript,${encodeURIComponent(bug)}"`,
  });
  const history = await world.readHistory();
  await world.publish([request('short', { script: { tokens: 40, gapMs: 50 } }), ...slow(1, 1_000)]);
  await history.until(({ chunks }) => new Set(chunks.map(({ value }) => value.requestId)).size === 2);
  worker.signal('SIGUSR2');
  expect(await worker.exited).toBe(1);
  expect(JSON.parse(worker.log.at(-1) ?? '{}')).toMatchObject({
    level: 'fatal',
    err: { message: 'a bug of ours' },
  });
  await history.untilAnswerTo('short');
  const rows = await world.ledgerRows().find<{ claim: unknown; outcome: unknown }>({}).toArray();
  expect(rows.filter(({ claim, outcome }) => claim !== null && outcome === null)).toHaveLength(1);
}, 60_000);

describe('a signal while the service starts', () => {
  it('finishes started requests, and nothing is called twice', async () => {
    const requests = slow(5, 40);
    await world.publish(requests);
    const history = await world.readHistory();
    // With a member that does not answer, one role has records while the other still joins.
    const frozen = await world.startWorker({ ROLES: 'ledger', KAFKA_SESSION_TIMEOUT: '30s' });
    frozen.signal('SIGSTOP');
    const starting = world.spawnWorker();
    await history.until(({ chunks }) => new Set(chunks.map(({ value }) => value.requestId)).size === 5);
    expect(starting.log.some((line) => line.includes('"msg":"started"'))).toBe(false);
    starting.signal('SIGTERM');
    expect(await starting.exited).toBe(0);
    await frozen.kill();

    const next = await world.startWorker({ ROLES: 'worker' });
    await history.untilAnswered(5);
    expect(await world.standIn.calls()).toHaveLength(5);
    expect(await next.stop()).toBe(0);
  }, 120_000);

  it('exits with 0 without a wait if nothing was started', async () => {
    const worker = world.spawnWorker({
      MONGODB_URL: 'mongodb://127.0.0.1:1/?replicaSet=rs0&serverSelectionTimeoutMS=600000',
    });
    await worker.logged('starting');
    worker.signal('SIGTERM');
    expect(await worker.exited).toBe(0);
  });
});
