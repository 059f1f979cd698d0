import { Big } from 'big.js';
import { type AnyBulkWriteOperation, type ClientSession, type Db, Decimal128 } from 'mongodb';
import { type Budget, type BudgetUse, fits, periodOf } from '../../../domain/cost/budget.ts';
import type { Reservation } from '../../../ports/budgets.ts';
import { rowId } from '../ledger/request-row.ts';
import { heldFor, isHeld, type ReservationRow, reservationsOf } from './reservation-row.ts';
import { plainDecimal } from './spend-reader.ts';
import { spendCollections, totalId } from './spend-rows.ts';

/** The budget that a reservation does not fit into; null when it is made. */
export type ReservationResult = (BudgetUse & { readonly budget: Budget }) | null;

/**
 * Reserves for requests of one tenant, one after the other, on one snapshot of spend and reservations. Each transaction
 * writes the tenant's document of `budgetLocks`, so only one at a time runs for a tenant. Counting spend needs no lock: it
 * turns reserved into spent in one step.
 */
export async function reserveAmounts(
  db: Db,
  session: ClientSession,
  tenantId: string,
  wanted: readonly Reservation[],
  ttlMs: number,
): Promise<ReservationResult[]> {
  // 1 Lock the tenant.
  const locks = db.collection<{ _id: string; turn: number }>('budgetLocks');
  await locks.updateOne({ _id: tenantId }, { $inc: { turn: 1 } }, { session, upsert: true });

  // 2 Read what is spent and reserved.
  const spent = await spentIn(db, session, wanted);
  const reserved = await reservedIn(db, session, tenantId);
  const ids = wanted.map(({ identity }) => rowId(identity));
  const own = await reservationsOf(db)
    .find({ _id: { $in: ids }, ...isHeld }, { session, projection: { _id: 1 } })
    .toArray();

  // 3 Decide for each.
  const held = new Set(own.map(({ _id }) => _id));
  const writes: AnyBulkWriteOperation<ReservationRow>[] = [...held].map((_id) => ({
    updateOne: { filter: { _id }, update: [{ $set: heldFor(ttlMs) }] },
  }));
  const results = wanted.map((reservation): ReservationResult => {
    const { identity, amount, currency, at, budgets } = reservation;
    const _id = rowId(identity);
    if (held.has(_id)) return null;
    const inCurrency = reserved.get(currency) ?? new Big(0);
    for (const budget of budgets) {
      const id = [tenantId, periodOf(budget.period, at), currency].join(' ');
      const use = { spent: spent.get(id) ?? '0', reserved: inCurrency.toFixed() };
      if (!fits(budget, use, amount)) return { budget, ...use };
    }
    reserved.set(currency, inCurrency.plus(amount));
    held.add(_id);
    // As a literal: in a pipeline, text that begins with a dollar sign would be a field.
    const row = { $literal: { tenantId, currency, amount: Decimal128.fromString(amount) } };
    const update = [{ $replaceWith: { $mergeObjects: ['$$ROOT', row, heldFor(ttlMs)] } }];
    writes.push({ updateOne: { filter: { _id }, update, upsert: true } });
    return null;
  });

  // 4 Write the new reservations, also over expired ones, and renew those that the requests had.
  if (writes.length > 0) await reservationsOf(db).bulkWrite(writes, { session });
  return results;
}

/** What a tenant has reserved in each currency. */
async function reservedIn(db: Db, session: ClientSession, tenantId: string): Promise<Map<string, Big>> {
  const sums = await reservationsOf(db)
    .aggregate<{ _id: string; amount: Decimal128 }>(
      [{ $match: { tenantId, ...isHeld } }, { $group: { _id: '$currency', amount: { $sum: '$amount' } } }],
      { session },
    )
    .toArray();
  return new Map(sums.map(({ _id, amount }) => [_id, new Big(amount.toString())]));
}

/** By tenant, period and currency. */
async function spentIn(
  db: Db,
  session: ClientSession,
  wanted: readonly Reservation[],
): Promise<ReadonlyMap<string, string>> {
  const { state, totals } = spendCollections(db);
  const generation = (await state.findOne({ _id: 'spend' }, { session }))?.generation ?? 1;
  const keys = new Map<string, string>();
  for (const { identity, currency, at, budgets } of wanted) {
    for (const { period } of budgets) {
      const name = periodOf(period, at);
      const id = totalId(generation, identity.tenantId, name, currency);
      keys.set(id, [identity.tenantId, name, currency].join(' '));
    }
  }
  const rows = await totals.find({ _id: { $in: [...keys.keys()] } }, { session }).toArray();
  return new Map(rows.map(({ _id, amount }) => [keys.get(_id) ?? '', plainDecimal(amount)]));
}
