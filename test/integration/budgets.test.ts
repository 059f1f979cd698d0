import { randomUUID } from 'node:crypto';
import { Big } from 'big.js';
import { Decimal128, MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureIndexes } from '../../src/adapters/mongo/client/database.ts';
import {
  type BudgetGate,
  type BudgetGateOptions,
  createBudgetGate,
} from '../../src/adapters/mongo/spend/budget-gate.ts';
import { createBudgetStore } from '../../src/adapters/mongo/spend/budget-store.ts';
import { reservationsOf } from '../../src/adapters/mongo/spend/reservation-row.ts';
import { createSpendStore } from '../../src/adapters/mongo/spend/spend-store.ts';
import type { CostCalculated } from '../../src/contract/record-types.ts';
import { budgetHolds, spendOf } from '../../src/domain/cost/spend.ts';
import { costCall, costEvent } from '../support/cost-events.ts';
import { FakeClock } from '../support/fakes/fake-clock.ts';
import { runCommand } from '../support/run-command.ts';
import { untilDatabase } from '../support/until-database.ts';
import { request, World } from '../support/world.ts';

const TTL_MS = 60_000;

describe('reservations in the database', () => {
  const client = new MongoClient(process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/?replicaSet=rs0');
  const db = client.db(`budgets-test-${randomUUID()}`);
  const policy = { signal: new AbortController().signal, onRetry: () => undefined };
  const store = createBudgetStore(db);
  let clock: FakeClock;
  let gates: BudgetGate[] = [];

  beforeEach(async () => {
    await db.dropDatabase();
    await ensureIndexes(db);
    clock = new FakeClock();
    clock.time = Date.UTC(2099, 5, 15, 12);
  });
  afterEach(() => {
    for (const gate of gates.splice(0)) gate.stop();
  });
  afterAll(async () => {
    await db.dropDatabase();
    await client.close();
  });

  const options = (reservationTtlMs = TTL_MS): BudgetGateOptions => ({
    db,
    policy,
    clock,
    refreshMs: 60_000,
    reservationTtlMs,
    onChanged: () => undefined,
    onRefreshFailed: () => undefined,
  });
  async function gateOf(reservationTtlMs?: number): Promise<BudgetGate> {
    const gate = await createBudgetGate(options(reservationTtlMs));
    gates = [...gates, gate];
    return gate;
  }
  const expire = () => reservationsOf(db).updateMany({}, { $set: { heldUntil: new Date(0) } });
  const reserve = (gate: BudgetGate, requestId: string, amount = '1', tenantId = 'acme') =>
    gate.reserve(
      {
        identity: { tenantId, requestId },
        amount,
        currency: 'USD',
        at: clock.now(),
        budgets: gate.of(tenantId),
      },
      policy.signal,
    );
  const setBudget = (limit: string, period: 'day' | 'month' = 'day', tenantId: string | null = 'acme') =>
    store.set({ tenantId, period, currency: 'USD', limit });

  it('from two workers at the same time never exceed the budget', async () => {
    await setBudget('10');
    const both = [await gateOf(), await gateOf()];
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        reserve(both[index % 2] ?? (both[0] as BudgetGate), `r${index}`),
      ),
    );
    expect(results.filter((over) => over === null)).toHaveLength(10);
    expect(results.find((over) => over !== null)).toMatchObject({
      budget: { limit: '10' },
      spent: '0',
      reserved: '10',
    });
    expect(await reservationsOf(db).countDocuments()).toBe(10);
  });

  it('are made once per request, however often it is redelivered', async () => {
    await setBudget('2');
    const gate = await gateOf();
    for (let times = 0; times < 3; times += 1) expect(await reserve(gate, 'one', '2')).toBeNull();
    expect(await reserve(gate, 'two', '0.000000000001')).toMatchObject({ reserved: '2' });
  });

  it('expire when their cost is never counted, by the server’s clock alone', async () => {
    await setBudget('1');
    const gate = await gateOf();
    await reserve(gate, 'one');
    clock.advance(2 * TTL_MS);
    expect(await reserve(gate, 'two')).not.toBeNull();
    await expire();
    expect(await reserve(gate, 'two')).toBeNull();
    expect(await reserve(gate, 'one')).toMatchObject({ reserved: '1' });
  });

  it('are summed in the database, however many there are, exact to the last digit', async () => {
    await setBudget('1000');
    const gate = await gateOf();
    const commands: string[] = [];
    const watched = new MongoClient(
      client.options.hosts.map(String).map((host) => `mongodb://${host}`)[0] ?? '',
      {
        monitorCommands: true,
        ...(client.options.replicaSet !== undefined && { replicaSet: client.options.replicaSet }),
      },
    );
    watched.on('commandSucceeded', ({ commandName, reply }) => {
      const rows = (reply as { cursor?: { firstBatch?: unknown[] } }).cursor?.firstBatch?.length ?? 0;
      if (rows > 1) commands.push(`${commandName} gave ${rows} rows`);
    });
    await Promise.all(Array.from({ length: 30 }, (_, index) => reserve(gate, `r${index}`, '0.000000000001')));
    const other = await createBudgetGate({ ...options(), db: watched.db(db.databaseName) });
    expect(await reserve(other, 'last', '999.999999999970')).toBeNull();
    expect(await reserve(other, 'too much', '0.000000000001')).toMatchObject({ reserved: '1000' });
    other.stop();
    await watched.close();
    expect(commands).toEqual([]);
  });

  it('of a redelivered request are kept, for the full time from then on', async () => {
    await setBudget('1');
    const gate = await gateOf();
    await reserve(gate, 'one');
    const soon = new Date(Date.now() + 5_000);
    await reservationsOf(db).updateMany({}, { $set: { heldUntil: soon } });
    await reserve(gate, 'one');
    expect(await reservationsOf(db).countDocuments({ heldUntil: { $gt: soon } })).toBe(1);
  });

  it('are renewed until they are counted or released', async () => {
    await setBudget('2');
    const gate = await gateOf(400);
    await Promise.all([reserve(gate, 'one'), reserve(gate, 'two')]);
    const until = async () =>
      (await reservationsOf(db).findOne({ _id: 'acme one' }))?.heldUntil ?? new Date(0);
    const first = await until();
    await untilDatabase(db, async () => (await until()).getTime() > first.getTime() + 800);
    expect(await reserve(gate, 'three')).toMatchObject({ reserved: '2' });

    // Counting deletes the reservation, so it is not made again.
    await reservationsOf(db).deleteOne({ _id: 'acme two' });
    const then = await until();
    await untilDatabase(db, async () => (await until()).getTime() > then.getTime() + 400);
    expect(await reservationsOf(db).distinct('_id')).toEqual(['acme one']);
    gate.release({ tenantId: 'acme', requestId: 'one' });
    await untilDatabase(db, async () => (await reservationsOf(db).countDocuments()) === 0);
  });

  it('are renewed after an outage longer than their lifetime, and count again', async () => {
    await setBudget('1');
    const gate = await gateOf(400);
    await reserve(gate, 'one');
    // The state after an outage of two hours: the server removes expired reservations as soon as it is back.
    const aged = new Date(Date.now() - 7_200_000);
    const row = await reservationsOf(db).findOneAndUpdate({}, { $set: { heldUntil: aged } });
    expect(row?.expiresAt.getTime()).toBeGreaterThan(Date.now() + 7_200_000);
    await untilDatabase(
      db,
      async () => (await reservationsOf(db).countDocuments({ heldUntil: { $gt: new Date() } })) === 1,
    );
    expect(await reserve(gate, 'two')).toMatchObject({ reserved: '1' });
  });

  it('of an older version count until they expire', async () => {
    await setBudget('1');
    const gate = await gateOf();
    const row = { tenantId: 'acme', currency: 'USD', amount: Decimal128.fromString('1') };
    await reservationsOf(db).insertOne({ _id: 'acme old', ...row, expiresAt: new Date(Date.now() + 60_000) });
    expect(await reserve(gate, 'one')).toMatchObject({ reserved: '1' });
    await reservationsOf(db).updateOne({ _id: 'acme old' }, { $set: { expiresAt: new Date(0) } });
    expect(await reserve(gate, 'one')).toBeNull();
  });

  it('are replaced by the real cost in one step, and count against day and month', async () => {
    await setBudget('1');
    await setBudget('1.0011', 'month');
    const gate = await gateOf();
    expect(await reserve(gate, 'one')).toBeNull();
    const spend = createSpendStore({ db, policy });
    await spend.prepare(1);
    const event = costEvent('one');
    const [call] = event.calls;
    const today = { ...event, calls: call === undefined ? [] : [{ ...call, startedAt: clock.now() }] };
    await spend.fold({
      generation: 1,
      steps: [
        {
          partition: 0,
          from: null,
          next: 1,
          newest: { offset: 0, timestamp: 0 },
          unreadable: 0,
          isCurrent: true,
        },
      ],
      events: [
        {
          id: 'one',
          keepUntil: null,
          request: { tenantId: 'acme', requestId: 'one' },
          entries: spendOf(today),
          holds: budgetHolds(today),
        },
      ],
    });
    expect(await reserve(gate, 'two', '0.9985')).toBeNull();
    expect(await reserve(gate, 'three', '0.0005')).toMatchObject({
      budget: { period: 'day' },
      spent: '0.0015',
      reserved: '0.9985',
    });
    // On the next day, only the month includes it.
    clock.advance(86_400_000);
    await expire();
    expect(await reserve(gate, 'four', '0.9996')).toBeNull();
    expect(await reserve(gate, 'five', '0.0002')).toMatchObject({
      budget: { period: 'month' },
      spent: '0.0015',
      reserved: '0.9996',
    });
  });

  it('hold the estimate of an unpriced call until its price arrives', async () => {
    await setBudget('1');
    const gate = await gateOf();
    const spend = createSpendStore({ db, policy });
    await spend.prepare(1);
    const unpriced = costCall({
      costStatus: 'UNPRICED',
      amount: null,
      startedAt: clock.now(),
      estimatedCost: '0.7',
      estimatedCurrency: 'USD',
    });
    const charge = costEvent('one', { currency: null, costStatus: 'UNPRICED', calls: [unpriced] });
    const late = { kind: 'ADJUSTMENT' as const, revision: 1, eventId: 'late', reason: 'late_price' };
    const adjustment = costEvent('one', {
      ...late,
      calls: [{ ...unpriced, costStatus: 'PRICED', amount: '0.0015' }],
    });
    const count = (id: string, from: number | null, event: CostCalculated) =>
      spend.fold({
        generation: 1,
        steps: [
          {
            partition: 0,
            from,
            next: (from ?? 0) + 1,
            newest: { offset: from ?? 0, timestamp: 0 },
            unreadable: 0,
            isCurrent: true,
          },
        ],
        events: [
          {
            id,
            keepUntil: null,
            request: { tenantId: 'acme', requestId: 'one' },
            entries: spendOf(event),
            holds: budgetHolds(event),
          },
        ],
      });
    await reserve(gate, 'one', '0.7');
    await count('charge', null, charge);
    expect(await reserve(gate, 'two', '0.4')).toMatchObject({ spent: '0.7', reserved: '0' });
    await count('late', 1, adjustment);
    expect(await reserve(gate, 'two', '0.9986')).toMatchObject({ spent: '0.0015', reserved: '0' });
    expect(await reserve(gate, 'two', '0.4')).toBeNull();
  });

  it('are released when a request has cost nothing', async () => {
    await setBudget('1');
    const gate = await gateOf();
    await reserve(gate, 'one');
    gate.release({ tenantId: 'acme', requestId: 'one' });
    await untilDatabase(db, async () => (await reservationsOf(db).countDocuments()) === 0);
    expect(await reserve(gate, 'two')).toBeNull();
    expect(await reservationsOf(db).distinct('_id')).toEqual(['acme two']);
  });

  it('of other tenants and currencies do not count', async () => {
    await setBudget('1', 'day', null);
    const gate = await gateOf();
    expect(await reserve(gate, 'one', '1', 'acme')).toBeNull();
    expect(await reserve(gate, 'one', '1', 'other')).toBeNull();
  });

  it('and budgets are cached: a tenant without a budget is admitted at once', async () => {
    const gate = await gateOf();
    expect(gate.of('acme')).toEqual([]);
    expect(gate.spendAgeMs()).toBeNull();
    await setBudget('1');
    await gate.refresh();
    expect(gate.of('acme')).toHaveLength(1);
    expect(gate.of('other')).toEqual([]);
    expect(gate.of('other')).toBe(gate.of('other'));
    expect(gate.spendAgeMs()).toBeNull();
    const spend = createSpendStore({ db, policy });
    await spend.prepare(2);
    await spend.confirmCurrent(1, [0]);
    await gate.refresh();
    expect(gate.spendAgeMs()).toBeNull();
    await spend.confirmCurrent(1, [1]);
    await gate.refresh();
    expect(gate.spendAgeMs()).toBeLessThan(60_000);
  });
});

describe('a service with budgets', () => {
  let world: World;
  afterEach(() => world.close());

  it('sends 10 of 50 requests from two workers when the budget allows 10, and replaces reservations by costs', async () => {
    // Without retries, a reservation equals the highest cost of one call.
    world = await World.create({ env: { ROLES: 'worker,ledger', AI_OPENAI_RETRY_ATTEMPTS: '0' } });
    const answer = { text: 'one two three', usage: { prompt_tokens: 100, completion_tokens: 100 } };
    const workers = await Promise.all([world.startWorker(), world.startWorker()]);
    const history = await world.readHistory();
    // A request of a tenant without a budget shows the highest expected cost of each.
    await world.publish([request('probe', { script: answer, maxOutputTokens: 100, tenantId: 'probe' })]);
    await history.untilAnswered(1);
    const { estimatedCost, estimatedInputTokens } = history.sent[0]?.value ?? {
      estimatedCost: null,
      estimatedInputTokens: 0,
    };
    await untilSpendIsKnown(world);
    const limit = new Big(estimatedCost ?? 0).times(10).toFixed();
    expect(
      (await runCommand(world.env, ['budgets', 'set', limit, '--tenant', 'acme', '--period', 'day'])).code,
    ).toBe(0);
    await Promise.all(workers.map((worker) => worker.logged('budgets have changed')));

    // Each reservation equals the cost, so that no budget becomes free while they run.
    const usage = { prompt_tokens: estimatedInputTokens, completion_tokens: 100 };
    const requests = Array.from({ length: 50 }, (_, index) =>
      request(`r${index}`, {
        key: `k${index}`,
        tenantId: 'acme',
        script: { ...answer, usage },
        maxOutputTokens: 100,
      }),
    );
    await world.publish(requests);
    await history.untilAnswered(51);
    const own = history.originals.filter(({ tenantId }) => tenantId === 'acme');
    const refused = own.filter(({ error }) => error?.code === 'budget_exceeded');
    expect(await world.standIn.calls()).toHaveLength(1 + own.length - refused.length);
    expect(own.length - refused.length).toBe(10);
    expect(refused[0]?.error?.message).toContain(`the budget per day of tenant "acme"`);

    await untilDatabase(
      world.database,
      async () => (await reservationsOf(world.database).countDocuments()) === 0,
    );
    const { stdout } = await runCommand(world.env, ['budgets', 'list']);
    const [, row = ''] = stdout.split('\n');
    const spent = history.costs
      .filter(({ value }) => value.tenantId === 'acme')
      .reduce((sum, { value }) => sum.plus(value.totalCost ?? 0), new Big(0));
    expect(row.split(/ +/)).toEqual(['acme', 'day', 'USD', limit, spent.toFixed(), '0']);
  });

  it('refuses while the ledger role is down, or allows and reports it', async () => {
    world = await World.create({ partitions: 2, env: { ROLES: 'worker' } });
    await runCommand(world.env, ['budgets', 'set', '5']);
    const refusing = await world.startWorker();
    const history = await world.readHistory();
    await world.publish([request('one')]);
    const { error } = await history.untilAnswerTo('one');
    expect(error).toMatchObject({ code: 'budget_exceeded', retryable: true });
    await refusing.logged('spend is not added up');
    await refusing.stop();

    await world.startWorker({ BUDGET_WHEN_LEDGER_IS_DOWN: 'allow' });
    await world.publish([request('two')]);
    expect(await history.untilAnswerTo('two')).toMatchObject({
      status: 'COMPLETED',
      warnings: expect.arrayContaining([expect.objectContaining({ code: 'budget_not_current' })]),
    });
  });

  it('has commands that set, list and remove budgets, and refuse invalid ones', async () => {
    world = await World.create({ partitions: 1 });
    const run = (...args: string[]) => runCommand(world.env, ['budgets', ...args]);
    expect(await run('list')).toMatchObject({ code: 0, stdout: '', stderr: 'there are no budgets\n' });
    expect(await run('set', '250.50', '--currency', 'EUR')).toMatchObject({
      stdout: 'default\tper month\t250.5 EUR\n',
    });
    await run('set', '10', '--tenant', 'acme', '--period', 'day');
    expect((await run('list')).stdout.split('\n')).toEqual([
      'tenant     period  currency  limit  spent  reserved',
      '(default)  month   EUR       250.5',
      'acme       day     USD          10      0         0',
      '',
    ]);
    expect(await run('set', '1.0000000000001')).toMatchObject({ code: 2 });
    expect(await run('set', '1', '--currency', 'dollar')).toMatchObject({ code: 2 });
    expect(await run('remove', '--tenant', 'acme', '--period', 'day')).toMatchObject({
      code: 0,
      stdout: 'removed the budget of tenant "acme" per day\n',
    });
    expect(await run('remove', '--tenant', 'acme')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no budget of tenant "acme" per month'),
    });
    expect(await run('remove')).toMatchObject({ stdout: 'removed the default budget per month\n' });
  });
});

/** Waits until every partition of the cost topic has been counted to its end once. */
function untilSpendIsKnown({ database, config }: World): Promise<void> {
  const counted = () =>
    database.collection('spendPositions').countDocuments({ currentAt: { $type: 'date' } });
  return untilDatabase(database, async () => (await counted()) === config.topics.partitions);
}
