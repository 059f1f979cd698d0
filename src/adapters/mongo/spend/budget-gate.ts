import { isDeepStrictEqual } from 'node:util';
import type { Db } from 'mongodb';
import { type Budget, budgetsFor } from '../../../domain/cost/budget.ts';
import type { Budgets, Reservation } from '../../../ports/budgets.ts';
import type { Clock } from '../../../ports/clock.ts';
import { createBatchWriter } from '../client/batch-writer.ts';
import { boundedRead } from '../client/durable-write.ts';
import { answered, LONGEST_OPERATION_MS, pause, type RetryPolicy, untilAborted } from '../client/retry.ts';
import { asStoreError } from '../client/store-errors.ts';
import { inTransaction } from '../client/transaction.ts';
import { rowId } from '../ledger/request-row.ts';
import { createBudgetStore } from './budget-store.ts';
import { createReservationKeeper, type ReservationKeeper } from './reservation-keeper.ts';
import { reservationsOf } from './reservation-row.ts';
import { type ReservationResult, reserveAmounts } from './reserve-amounts.ts';
import { spendCollections } from './spend-rows.ts';

export interface BudgetGateOptions {
  readonly db: Db;
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  /** Time between two readings of the budgets and of the age of spend. */
  readonly refreshMs: number;
  /** How long an amount stays reserved if its cost is never counted and the reserving process has ended. */
  readonly reservationTtlMs: number;
  /** Called for every read that found changed budgets. */
  readonly onChanged: (budgets: readonly Budget[]) => void;
  /** Called for every failed read. The budgets read before stay in use. */
  readonly onRefreshFailed: (error: unknown) => void;
}

export interface BudgetGate extends Budgets {
  /** Reads budgets and age of spend now. */
  refresh(): Promise<void>;
  stop(): void;
}

interface Snapshot {
  readonly budgets: readonly Budget[];
  readonly byTenant: Map<string, readonly Budget[]>;
  readonly spendAgeMs: number | null;
  readonly readAt: number;
}

/** Tenants whose budgets are cached. */
const REMEMBERED_TENANTS = 10_000;

/**
 * Budgets in memory, reservations in the database. Concurrent requests of a tenant share one transaction.
 *
 * @throws the driver's error when the first reading fails
 */
export async function createBudgetGate(options: BudgetGateOptions): Promise<BudgetGate> {
  const { db, policy, clock } = options;
  const stopped = new AbortController();
  let current = await readSnapshot(db, clock);
  const refresh = async () => {
    const before = current.budgets;
    current = await answered(readSnapshot(db, clock));
    if (!isDeepStrictEqual(before, current.budgets)) options.onChanged(current.budgets);
  };
  const keepFresh = async () => {
    for (;;) {
      await pause(options.refreshMs, stopped.signal);
      if (stopped.signal.aborted) return;
      await refresh().catch(options.onRefreshFailed);
    }
  };
  void keepFresh();

  const keeper = createReservationKeeper({ db, policy, ttlMs: options.reservationTtlMs });
  const reserve = createBatchWriter((wanted: readonly Reservation[]) => reserveAll(wanted, options, keeper));
  const release = createBatchWriter(async (ids: readonly string[]) => {
    await reservationsOf(db).deleteMany({ _id: { $in: [...ids] } }, boundedRead);
    return ids;
  });

  const budgetsOf = (tenantId: string): readonly Budget[] => {
    const { budgets, byTenant } = current;
    if (budgets.length === 0) return budgets;
    const known = byTenant.get(tenantId);
    if (known !== undefined) return known;
    const found = budgetsFor(tenantId, budgets);
    if (byTenant.size < REMEMBERED_TENANTS) byTenant.set(tenantId, found);
    return found;
  };

  return {
    of: budgetsOf,
    spendAgeMs: () =>
      current.spendAgeMs === null ? null : current.spendAgeMs + clock.monotonic() - current.readAt,
    reserve: (reservation, signal) =>
      untilAborted(reserve(reservation), signal).catch((error: unknown) => {
        throw asStoreError(error);
      }),
    release: (identity) => {
      if (budgetsOf(identity.tenantId).length === 0) return;
      const id = rowId(identity);
      keeper.forget(id);
      // If this fails, the reservation expires.
      release(id).catch(policy.onRetry);
    },
    refresh,
    stop: () => {
      stopped.abort();
      keeper.stop();
    },
  };
}

async function reserveAll(
  wanted: readonly Reservation[],
  { db, policy, reservationTtlMs }: BudgetGateOptions,
  keeper: ReservationKeeper,
): Promise<ReservationResult[]> {
  // A request waits for it.
  const impatient = { ...policy, longestMs: LONGEST_OPERATION_MS };
  const results = new Map<Reservation, ReservationResult>();
  for (const [tenantId, own] of Map.groupBy(wanted, ({ identity }) => identity.tenantId)) {
    const decided = await inTransaction(db, impatient, (session) =>
      reserveAmounts(db, session, tenantId, own, reservationTtlMs),
    );
    for (const [index, reservation] of own.entries()) {
      const over = decided[index] ?? null;
      results.set(reservation, over);
      if (over === null) keeper.keep(rowId(reservation.identity));
    }
  }
  return wanted.map((reservation) => results.get(reservation) ?? null);
}

async function readSnapshot(db: Db, clock: Clock): Promise<Snapshot> {
  const readAt = clock.monotonic();
  const budgets = await createBudgetStore(db).list();
  const spendAgeMs = budgets.length === 0 ? null : await readSpendAge(db);
  return { budgets, byTenant: new Map(), spendAgeMs, readAt };
}

/** Time since all partitions were last known to be counted, by the server's clock; null if one never was. */
async function readSpendAge(db: Db): Promise<number | null> {
  const { state, positions } = spendCollections(db);
  const generation = (await state.findOne({ _id: 'spend' }, boundedRead))?.generation ?? 1;
  const never = new Date(0);
  const [row] = await positions
    .aggregate<{ oldest: Date; ageMs: number }>(
      [
        { $match: { generation } },
        { $group: { _id: null, oldest: { $min: { $ifNull: ['$currentAt', never] } } } },
        { $project: { oldest: 1, ageMs: { $toDouble: { $subtract: ['$$NOW', '$oldest'] } } } },
      ],
      boundedRead,
    )
    .toArray();
  return row === undefined || row.oldest.getTime() === never.getTime() ? null : Math.max(0, row.ageMs);
}
