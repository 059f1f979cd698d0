import { randomUUID } from 'node:crypto';
import { type ClientSession, type Db, type Decimal128, MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createModelStore } from '../../src/adapters/mongo/catalog/catalog-store.ts';
import { ensureIndexes } from '../../src/adapters/mongo/client/database.ts';
import { inTransaction } from '../../src/adapters/mongo/client/transaction.ts';
import { createTaskLead, requireTask } from '../../src/adapters/mongo/leases/task-lead.ts';
import { createBudgetGate } from '../../src/adapters/mongo/spend/budget-gate.ts';
import { createBudgetStore } from '../../src/adapters/mongo/spend/budget-store.ts';
import { createSpendReader } from '../../src/adapters/mongo/spend/spend-reader.ts';
import { createSpendRebuild } from '../../src/adapters/mongo/spend/spend-rebuild.ts';
import { createSpendStore } from '../../src/adapters/mongo/spend/spend-store.ts';
import { budgetHolds, spendOf } from '../../src/domain/cost/spend.ts';
import type { WorkerLease } from '../../src/ports/ledger.ts';
import type { Fold } from '../../src/spend/spend-store.ts';
import { costEvent } from '../support/cost-events.ts';

/** MongoDB aborts an abandoned transaction after 60 s. No test here may wait that long. */
const PATIENCE_MS = 15_000;

const url = process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/?replicaSet=rs0';
const appName = `abandoned-${randomUUID()}`;
const client = new MongoClient(url, { appName });
const db = client.db(appName);
const never = new AbortController().signal;
const policy = { signal: never, onRetry: () => undefined };
const clock = { now: Date.now, monotonic: () => performance.now() };
const store = createSpendStore({ db, policy });
const rebuild = createSpendRebuild(db, policy);

/** Processes killed inside a transaction. Their sessions stay open. */
let dead: MongoClient[] = [];

beforeAll(() => client.connect());
beforeEach(async () => {
  await ensureIndexes(db);
  await store.prepare(2);
});
afterEach(async () => {
  await Promise.all(dead.map((one) => one.close()));
  dead = [];
  await db.dropDatabase();
});
afterAll(() => client.close());

/** Another process runs this in a transaction and is killed before the commit. */
async function abandon(
  work: (of: Db, session: ClientSession) => Promise<unknown>,
  name: string | null = appName,
): Promise<ClientSession> {
  const process = new MongoClient(url, name === null ? {} : { appName: name });
  dead.push(process);
  const session = process.startSession();
  session.startTransaction({ readConcern: { level: 'snapshot' } });
  await work(process.db(appName), session);
  return session;
}

const movePosition = (generation: number) => (of: Db, session: ClientSession) =>
  of
    .collection<{ _id: string }>('spendPositions')
    .updateOne({ _id: `${generation} 0` }, { $set: { next: 1 } }, { session });

function foldOf(generation: number, partition: number): Fold {
  const event = costEvent(`r${partition}`);
  return {
    generation,
    steps: [
      { partition, from: null, next: 1, newest: { offset: 0, timestamp: 1 }, unreadable: 0, isCurrent: true },
    ],
    events: [
      {
        id: event.eventId,
        keepUntil: event.occurredAt + 3_600_000,
        request: { tenantId: event.tenantId, requestId: event.requestId },
        entries: spendOf(event),
        holds: budgetHolds(event),
      },
    ],
  };
}
const calls = async () =>
  (await createSpendReader(db).rows({ by: ['day'], from: '2000-01-01', to: '2100-01-01' })).reduce(
    (sum, row) => sum + row.calls,
    0,
  );

describe('a transaction abandoned by a killed process', { timeout: PATIENCE_MS }, () => {
  it('does not keep events of the same partition from being counted once', async () => {
    const session = await abandon(movePosition(1));
    expect(await store.fold(foldOf(1, 0))).toEqual([]);
    expect(await calls()).toBe(1);
    await expect(session.commitTransaction()).rejects.toMatchObject({ codeName: 'NoSuchTransaction' });
  });

  it('that changed the sums does not keep another partition from being counted', async () => {
    await store.fold(foldOf(1, 1));
    await abandon((of, session) =>
      of.collection('spend').updateMany({}, { $inc: { calls: 5 } }, { session }),
    );
    expect(await store.fold(foldOf(1, 0))).toEqual([]);
    expect(await calls()).toBe(2);
  });

  it('does not keep spend from being confirmed as current', async () => {
    await abandon(movePosition(1));
    await store.confirmCurrent(1, [0, 1]);
    const rows = await db.collection('spendPositions').find({ currentAt: null }).toArray();
    expect(rows).toEqual([]);
  });

  it('of a killed rebuild does not block the next rebuild', async () => {
    const { generation } = await rebuild.begin(2);
    await abandon(movePosition(generation));
    await abandon((of, session) =>
      of
        .collection<{ _id: string }>('meta')
        .updateOne({ _id: 'spend' }, { $set: { generation } }, { session }),
    );
    const next = await rebuild.begin(2);
    expect(await rebuild.storeOf(next.generation).fold(foldOf(next.generation, 0))).toEqual([]);
    expect(await rebuild.finish(next.generation, new Map(), [])).toBe(true);
    await rebuild.clean();
    expect(await calls()).toBe(1);
  });

  it('does not block the requests of a tenant with a budget', async () => {
    await createBudgetStore(db).set({ tenantId: 'acme', period: 'day', currency: 'USD', limit: '10' });
    const gate = await createBudgetGate({
      db,
      policy,
      clock,
      refreshMs: 60_000,
      reservationTtlMs: 60_000,
      onChanged: () => undefined,
      onRefreshFailed: () => undefined,
    });
    await db.collection<{ _id: string }>('budgetLocks').insertOne({ _id: 'acme' });
    await abandon((of, session) =>
      of
        .collection<{ _id: string }>('budgetLocks')
        .updateOne({ _id: 'acme' }, { $inc: { turn: 1 } }, { session, upsert: true }),
    );
    const identity = { tenantId: 'acme', requestId: 'r' };
    const reservation = { identity, amount: '1', currency: 'USD', at: Date.now(), budgets: gate.of('acme') };
    expect(await gate.reserve(reservation, never)).toBeNull();
    gate.stop();
  });

  it('does not block the next owner of a task, nor its writes', async () => {
    const lease = {
      held: async () => 'alive',
      isDead: async () => true,
    } as unknown as WorkerLease;
    const tasks = db.collection<{ _id: string; owner: string }>('tasks');
    await tasks.insertOne({ _id: 'task', owner: 'dead' });
    await abandon((of, session) => requireTask(of, session, { task: 'task', owner: 'dead' }));
    const owner = await createTaskLead(db, 'task', lease).take(never);
    expect(owner).toBe('alive');
    const models = createModelStore(db, { task: { task: 'task', owner } });
    await abandon((of, session) =>
      of
        .collection<{ _id: string }>('tasks')
        .updateOne({ _id: 'task' }, { $inc: { writes: 1 } }, { session }),
    );
    expect(await models.update(() => [])).toEqual([]);
  });
});

describe('another application’s transaction', { timeout: PATIENCE_MS }, () => {
  it('is not aborted when it conflicts with our transaction', async () => {
    await db
      .collection<{ _id: string; value: Decimal128 | number }>('other')
      .insertOne({ _id: 'x', value: 1 });
    const set = (value: number) => (of: Db, session: ClientSession) =>
      of.collection<{ _id: string }>('other').updateOne({ _id: 'x' }, { $set: { value } }, { session });
    const session = await abandon(set(2), 'somebody-else');
    let tries = 0;
    const stuck = inTransaction(db, policy, async (own) => {
      tries += 1;
      // Throw inside the transaction. An aborted signal would leave the driver's own retry running next to the commit below.
      if (tries > 12) throw new Error('long enough');
      await set(3)(db, own);
    });
    await expect(stuck).rejects.toThrow('long enough');
    await session.commitTransaction();
    expect(await db.collection('other').findOne({ value: 2 })).not.toBeNull();
  });
});
