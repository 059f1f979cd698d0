import { afterEach, beforeEach, expect, it } from 'vitest';
import { readTopics } from '../../src/adapters/kafka/consumer/topic-reader.ts';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { createTopics } from '../../src/adapters/kafka/topics/topics.ts';
import type { CostCalculated } from '../../src/contract/record-types.ts';
import { addSums, type SpendSum, spendOf } from '../../src/domain/cost/spend.ts';
import { costCall, costEvent } from '../support/cost-events.ts';
import { runCommand } from '../support/run-command.ts';
import { untilDatabase } from '../support/until-database.ts';
import type { Worker } from '../support/worker.ts';
import { silent, World } from '../support/world.ts';

/** `SPEND_KILLS=20` is the long run. */
const KILLS = Number(process.env['SPEND_KILLS'] ?? 3);
const PARTITIONS = 3;

let world: World;
beforeEach(async () => {
  world = await World.create({
    partitions: PARTITIONS,
    env: { ROLES: 'ledger', KAFKA_SESSION_TIMEOUT: '6s', LOG_LEVEL: 'info' },
  });
});
afterEach(() => world.close());

let published = 0;
/** Distinct events with amounts that a float cannot sum exactly. */
function someEvents(count: number): CostCalculated[] {
  return Array.from({ length: count }, () => {
    published += 1;
    const calls = [
      costCall({
        model: published % 3 === 0 ? 'gpt-4o' : 'gpt-4',
        startedAt: Date.UTC(2026, 10, 1 + (published % 20)),
      }),
    ];
    const event = costEvent(`r${published}`, { calls, tenantId: `t${published % 5}` });
    const amount = `0.${String((published * 7_919) % 1_000_000_000_000).padStart(12, '0')}`;
    return { ...event, lines: event.lines.map((line) => ({ ...line, amount })) };
  });
}

const publish = (events: readonly CostCalculated[]) =>
  world.sendTo(
    world.topics.costs,
    events.map((event, index) => ({
      key: event.requestId,
      partition: index % PARTITIONS,
      value: world.codec.encode('CostCalculated', event),
      headers: {},
    })),
  );

/** The sum of all events in the topic, each id once. */
async function sumOfTopic(): Promise<Record<string, SpendSum>> {
  const events = new Map<string, CostCalculated>();
  const ends = await topicEnds();
  let seen = 0;
  const done = Promise.withResolvers<void>();
  const total = [...ends.values()].reduce((sum, end) => sum + end, 0);
  const reader = await readTopics({
    settings: world.config.kafka,
    logger: silent,
    topics: [world.topics.costs],
    from: 'start',
    onRecord: ({ value, headers }) => {
      seen += 1;
      const { record } = world.codec.decode('CostCalculated', value, headers);
      events.set(record.eventId, record);
      if (seen === total) done.resolve();
    },
    onCrash: done.reject,
  });
  await done.promise;
  await reader.close();
  const sums: Record<string, SpendSum> = {};
  for (const entry of [...events.values()].flatMap(spendOf)) {
    const key = `${entry.day} ${entry.tenantId} ${entry.model} ${entry.currency}`;
    sums[key] = sums[key] === undefined ? entry : addSums(sums[key], entry);
  }
  return numbersOf(sums);
}

async function topicEnds(): Promise<Map<number, number>> {
  const admin = createKafka(world.config.kafka, silent, PATIENT_RETRIES).admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(world.topics.costs);
  await admin.disconnect();
  return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
}

function numbersOf(sums: Record<string, SpendSum>) {
  return Object.fromEntries(
    Object.entries(sums).map(([key, { amount, calls, unpricedCalls, inputTokens, outputTokens }]) => [
      key,
      { amount, calls, unpricedCalls, inputTokens, outputTokens },
    ]),
  ) as Record<string, SpendSum>;
}

interface JsonReport {
  readonly rows: (SpendSum & { day: string; tenant: string; model: string; currency: string | null })[];
  readonly unreadableRecords: number;
}

async function report(): Promise<JsonReport> {
  const { code, stdout, stderr } = await runCommand(world.env, [
    'costs',
    'report',
    '--by',
    'day,tenant,model',
    '--from',
    '2026-01-01',
    '--to',
    '2026-12-31',
    '--output',
    'json',
  ]);
  // Notes, such as calls without a price, are beside the data.
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('rror') });
  return JSON.parse(stdout) as JsonReport;
}

async function reported(): Promise<Record<string, SpendSum>> {
  const { rows } = await report();
  return numbersOf(
    Object.fromEntries(rows.map((row) => [`${row.day} ${row.tenant} ${row.model} ${row.currency}`, row])),
  );
}

/** Waits until spend has counted everything now in the topic. */
async function untilCounted(): Promise<void> {
  const ends = await topicEnds();
  const isCounted = async () => {
    const state = await world.database
      .collection<{ _id: string; generation: number }>('meta')
      .findOne({ _id: 'spend' });
    const rows = await world.database
      .collection('spendPositions')
      .find({ generation: state?.generation ?? 0 })
      .toArray();
    return [...ends].every(
      ([partition, end]) =>
        end === 0 || rows.some((row) => row['partition'] === partition && row['next'] >= end),
    );
  };
  await untilDatabase(world.database, isCounted);
}

it(`spend is the sum of the events after the listener was killed ${KILLS} times, and so is its rebuild while it runs`, async () => {
  let listener: Worker = world.spawnWorker();
  for (let kills = 0; kills < KILLS; kills += 1) {
    await listener.ready;
    // Events flow before, during and after its death, which happens at a random point.
    const flowing = (async () => {
      for (let batch = 0; batch < 12; batch += 1) await publish(someEvents(40));
    })();
    const moment = chance();
    await Promise.race([flowing, moment]);
    await listener.kill();
    listener = world.spawnWorker();
    await Promise.all([flowing, moment]);
  }
  // A duplicate event, as in a copied topic.
  const twice = someEvents(3);
  await publish(twice);
  await publish(twice);
  await untilCounted();
  const expected = await sumOfTopic();
  expect(await reported()).toEqual(expected);

  const flowing = publish(someEvents(200));
  const { code, stdout } = await runCommand(world.env, ['costs', 'rebuild']);
  await flowing;
  expect(code).toBe(0);
  expect(stdout).toMatch(/^spend is rebuilt: \d+ events\n$/);
  await publish(someEvents(20));
  await untilCounted();
  expect(await reported()).toEqual(await sumOfTopic());
  expect(await listener.stop()).toBe(0);
}, 600_000);

/** Waits until some of the next transactions are in the database. */
async function chance(): Promise<void> {
  let left = 1 + Math.floor(Math.random() * 8);
  await untilDatabase(world.database, async () => left-- === 0);
}

it('a listener frozen during a takeover counts nothing twice', async () => {
  const frozen = await world.startWorker();
  await publish(someEvents(300));
  frozen.signal('SIGSTOP');
  const successor = world.spawnWorker();
  await publish(someEvents(300));
  await successor.ready;
  await untilCounted();
  frozen.signal('SIGCONT');
  await publish(someEvents(300));
  await untilCounted();
  expect(await reported()).toEqual(await sumOfTopic());
});

it('a record that is not a cost event is reported and counted as missing; the others count', async () => {
  await world.sendTo(world.topics.costs, [
    { key: 'x', partition: 0, value: Buffer.from('hello'), headers: {} },
  ]);
  await publish(someEvents(6));
  const listener = await world.startWorker();
  await listener.logged('a record of the cost topic cannot be decoded');
  await untilCounted();
  const { rows, unreadableRecords } = await report();
  expect(unreadableRecords).toBe(1);
  expect(rows.reduce((sum, { calls }) => sum + calls, 0)).toBe(6);
});

it('a recreated topic is detected and reported, and a rebuild fixes it without a restart', async () => {
  await publish(someEvents(60));
  const before = await world.startWorker();
  await untilCounted();
  await before.stop();
  const admin = createKafka(world.config.kafka, silent, PATIENT_RETRIES).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [world.topics.costs] });
  await createTopics(admin, world.config.topics);
  await admin.disconnect();
  await publish(someEvents(90));

  const listener = world.spawnWorker();
  await listener.logged('the cost topic was cut or recreated');
  const { code, stdout } = await runCommand(world.env, ['costs', 'rebuild']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^spend is rebuilt: \d+ events\n$/);
  expect(await reported()).toEqual(await sumOfTopic());
  await publish(someEvents(9));
  await untilCounted();
  expect(await reported()).toEqual(await sumOfTopic());
});
