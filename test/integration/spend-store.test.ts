import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { Decimal128, MongoClient } from 'mongodb';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ensureIndexes } from '../../src/adapters/mongo/client/database.ts';
import { reservationsOf } from '../../src/adapters/mongo/spend/reservation-row.ts';
import { createSpendReader } from '../../src/adapters/mongo/spend/spend-reader.ts';
import { createSpendRebuild } from '../../src/adapters/mongo/spend/spend-rebuild.ts';
import { createSpendStore } from '../../src/adapters/mongo/spend/spend-store.ts';
import type { CostCalculated } from '../../src/contract/record-types.ts';
import { budgetHolds, spendOf, sumSpend } from '../../src/domain/cost/spend.ts';
import {
  type CountedEvent,
  type Fold,
  RebuildOvertaken,
  type SpendStore,
} from '../../src/spend/spend-store.ts';
import { costCall, costEvent } from '../support/cost-events.ts';

const client = new MongoClient(process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/?replicaSet=rs0');
const db = client.db(`spend-test-${randomUUID()}`);
const policy = { signal: new AbortController().signal, onRetry: () => undefined };
const rebuild = createSpendRebuild(db, policy);
const reader = createSpendReader(db);
let store: SpendStore;

const everything = {
  by: ['day', 'tenant', 'user', 'provider', 'model'],
  from: '2000-01-01',
  to: '2100-01-01',
} as const;

function counted(event: CostCalculated): CountedEvent {
  return {
    id: event.eventId,
    keepUntil: event.kind === 'CHARGE' ? event.occurredAt + 3_600_000 : null,
    request: { tenantId: event.tenantId, requestId: event.requestId },
    entries: spendOf(event),
    holds: budgetHolds(event),
  };
}

function fold(
  generation: number,
  partition: number,
  from: number | null,
  events: readonly CostCalculated[],
): Fold {
  const next = (from ?? 0) + events.length;
  const step = {
    partition,
    from,
    next,
    newest: { offset: next - 1, timestamp: 1 },
    unreadable: 0,
    isCurrent: true,
  };
  return { generation, steps: [step], events: events.map(counted) };
}

/** The expected rows, from the sum of the events. */
function rowsOf(events: readonly CostCalculated[]) {
  const keyed = sumSpend(events.flatMap(spendOf)).map(
    ({ day, tenantId, userId, provider, model, account: _account, ...sums }) => ({
      group: [day, tenantId, userId, provider, model],
      ...sums,
    }),
  );
  return keyed.sort(byText);
}
const byText = (one: unknown, other: unknown) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1);
const rowsIn = async () =>
  (await reader.rows(everything))
    .map(({ group, currency, amount, calls, unpricedCalls, estimatedCalls, inputTokens, outputTokens }) => ({
      group,
      currency,
      amount,
      calls,
      unpricedCalls,
      estimatedCalls,
      inputTokens,
      outputTokens,
    }))
    .sort(byText);

beforeEach(async () => {
  await db.dropDatabase();
  await ensureIndexes(db);
  store = createSpendStore({ db, policy });
  await store.prepare(2);
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

describe('folding', () => {
  it('counts a step once, and refuses to fold it again because the position has moved', async () => {
    const events = [costEvent('one'), costEvent('two')];
    expect(await store.fold(fold(1, 0, null, events))).toEqual([]);
    expect(await store.fold(fold(1, 0, null, events))).toEqual([0]);
    expect(await rowsIn()).toEqual(rowsOf(events));
    expect(await store.position(0)).toEqual({
      partition: 0,
      generation: 1,
      next: 2,
      newest: { offset: 1, timestamp: 1 },
    });
  });

  it('counts a duplicate event once, within a step and across partitions', async () => {
    const event = costEvent('one');
    await store.fold(fold(1, 0, null, [event, event]));
    await store.fold(fold(1, 1, null, [event]));
    expect(await rowsIn()).toEqual(rowsOf([event]));
  });

  it('counts nothing of a step if one of its partitions has moved', async () => {
    await store.fold(fold(1, 0, null, [costEvent('one')]));
    const stale = fold(1, 0, null, [costEvent('two')]);
    const good = fold(1, 1, null, [costEvent('three')]);
    expect(await store.fold({ ...stale, steps: [...stale.steps, ...good.steps] })).toEqual([0]);
    expect((await store.position(1)).next).toBeNull();
    expect(await rowsIn()).toEqual(rowsOf([costEvent('one')]));
  });

  it('lets two listeners that fold the same step at the same time count it once', async () => {
    const events = Array.from({ length: 50 }, (_, index) => costEvent(`r${index}`));
    const other = createSpendStore({ db, policy });
    const moved = await Promise.all([store, other].map((one) => one.fold(fold(1, 0, null, events))));
    expect(moved.toSorted()).toEqual([[], [0]]);
    expect(await rowsIn()).toEqual(rowsOf(events));
  });

  it('keeps all 34 digits', async () => {
    const amount = '9999999999999999999999.999999999999';
    const lines = costEvent('x')
      .lines.slice(0, 1)
      .map((line) => ({ ...line, amount }));
    await store.fold(fold(1, 0, null, [costEvent('x', { lines })]));
    const taken = lines.map((line) => ({ ...line, amount: `-0.000000000001` }));
    await store.fold(
      fold(1, 0, 1, [costEvent('y', { lines: taken, kind: 'ADJUSTMENT', reason: 'price_corrected' })]),
    );
    expect((await rowsIn())[0]?.amount).toBe('9999999999999999999999.999999999998');
  });

  it('returns the same sums however the log is split into steps', async () => {
    const call = fc.record({
      priced: fc.boolean(),
      model: fc.constantFrom('gpt-4', 'gpt-4o'),
      hour: fc.integer({ min: 0, max: 60 }),
    });
    const event = fc.record({
      tenantId: fc.constantFrom('acme', 'other'),
      userId: fc.constantFrom(null, 'u1'),
      calls: fc.array(call, { minLength: 1, maxLength: 3 }),
      amount: fc.bigInt({ min: 1n, max: 10n ** 15n }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 9 })),
        async (drawn, cuts) => {
          const { generation } = await rebuild.begin(1);
          const bound = rebuild.storeOf(generation);
          const events = drawn.map(({ calls, amount, ...of }, index) => {
            const made = calls.map(({ priced, model, hour }, at) =>
              costCall({
                attempt: at + 1,
                model,
                startedAt: Date.UTC(2026, 0, 1, hour),
                costStatus: priced ? 'PRICED' : 'UNPRICED',
              }),
            );
            const draft = costEvent(`r${index}`, { ...of, calls: made });
            const text = `${amount / 10n ** 12n}.${String(amount % 10n ** 12n).padStart(12, '0')}`;
            return { ...draft, lines: draft.lines.map((line) => ({ ...line, amount: text })) };
          });
          let from: number | null = null;
          let at = 0;
          for (let turn = 0; at < events.length; turn += 1) {
            const part = events.slice(at, at + (cuts[turn % Math.max(1, cuts.length)] ?? 4));
            expect(await bound.fold(fold(generation, 0, from, part))).toEqual([]);
            at += part.length;
            from = at;
          }
          expect(
            await rebuild.finish(
              generation,
              new Map([
                [0, 0],
                [1, 0],
              ]),
              [],
            ),
          ).toBe(true);
          expect(await rowsIn()).toEqual(rowsOf(events));
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('reservations', () => {
  const reserve = (requestId: string) =>
    reservationsOf(db).insertOne({
      _id: `acme ${requestId}`,
      tenantId: 'acme',
      currency: 'USD',
      amount: Decimal128.fromString('1'),
      expiresAt: new Date(Date.now() + 60_000),
    });

  it('are released by the fold that counts their cost, and by no refused step', async () => {
    await Promise.all([reserve('one'), reserve('two')]);
    await store.fold(fold(1, 0, 7, [costEvent('two')]));
    expect(await reservationsOf(db).countDocuments()).toBe(2);
    await store.fold(fold(1, 0, null, [costEvent('one')]));
    expect(await reservationsOf(db).distinct('_id')).toEqual(['acme two']);
  });

  it('are released by a rebuild only when it is activated', async () => {
    await reserve('one');
    const { generation, hasReserved } = await rebuild.begin(2);
    expect(['one', 'two'].map((requestId) => hasReserved({ tenantId: 'acme', requestId }))).toEqual([
      true,
      false,
    ]);
    await rebuild.storeOf(generation).fold(fold(generation, 0, null, [costEvent('one')]));
    expect(await reservationsOf(db).countDocuments()).toBe(1);
    await rebuild.finish(generation, new Map(), [{ tenantId: 'acme', requestId: 'one' }]);
    expect(await reservationsOf(db).countDocuments()).toBe(0);
  });
});

describe('a rebuild', () => {
  it('is activated only when it has caught up with the active spend; the old listener is refused from then on', async () => {
    const events = [costEvent('one'), costEvent('two')];
    await store.fold(fold(1, 0, null, events));
    const { generation, inUse } = await rebuild.begin(2);
    expect(inUse.find(({ partition }) => partition === 0)?.next).toBe(2);
    const bound = rebuild.storeOf(generation);
    await bound.fold(fold(generation, 0, null, events.slice(0, 1)));
    const ends = new Map([
      [0, 2],
      [1, 0],
    ]);
    expect(await rebuild.finish(generation, ends, [])).toBe(false);
    await bound.fold(fold(generation, 0, 1, events.slice(1)));
    expect(await rebuild.finish(generation, ends, [])).toBe(true);
    expect(await rebuild.finish(generation, ends, [])).toBe(true);

    expect(await store.fold(fold(1, 0, 2, [costEvent('three')]))).toEqual([0]);
    expect(await store.position(0)).toMatchObject({ generation, next: 2 });
    expect(await rowsIn()).toEqual(rowsOf(events));
    await rebuild.clean();
    expect(await db.collection('spend').countDocuments({ generation: 1 })).toBe(0);
    expect(await rowsIn()).toEqual(rowsOf(events));
  });

  it('replaces a spend whose position is beyond the end of a recreated log', async () => {
    await store.fold(fold(1, 0, null, [costEvent('one'), costEvent('two')]));
    const { generation } = await rebuild.begin(2);
    await rebuild.storeOf(generation).fold(fold(generation, 0, null, [costEvent('new')]));
    expect(
      await rebuild.finish(
        generation,
        new Map([
          [0, 1],
          [1, 0],
        ]),
        [],
      ),
    ).toBe(true);
    expect(await rowsIn()).toEqual(rowsOf([costEvent('new')]));
  });

  it('ends when another one overtakes it', async () => {
    const first = await rebuild.begin(2);
    await rebuild.begin(2);
    const bound = rebuild.storeOf(first.generation);
    await bound.prepare(2);
    await expect(bound.position(0)).rejects.toThrow(RebuildOvertaken);
    expect(await bound.fold(fold(first.generation, 0, null, [costEvent('one')]))).toEqual([0]);
    await expect(rebuild.finish(first.generation, new Map(), [])).rejects.toThrow(RebuildOvertaken);
  });
});
