import { Big } from 'big.js';
import { type ClientSession, type Db, Decimal128 } from 'mongodb';
import { type Budget, type BudgetUse, fits, periodOf } from '../../domain/budget.ts';
import type { Reservation } from '../../ports.ts';
import { rowId } from './request-row.ts';
import { type ReservationRow, reservationsOf } from './reservation-row.ts';
import { plainDecimal } from './spend-reader.ts';
import { spendCollections, totalId } from './spend-rows.ts';

/** What a reservation does not fit into; null when it is made. */
export type ReservationResult = (BudgetUse & { readonly budget: Budget }) | null;

/**
 * Reserves for requests of one tenant, one after the other, on one state of spend and reservations. Only one transaction
 * at a time does this for a tenant, since each writes its document of `budgetLocks`; counting spend need not, because
 * it turns reserved into spent in one step.
 *
 * @param now epoch ms
 */
export async function reserveAmounts(
  db: Db,
  session: ClientSession,
  tenantId: string,
  wanted: readonly Reservation[],
  ttlMs: number,
  now: number,
): Promise<ReservationResult[]> {
  // 1 Alone for this tenant.
  const locks = db.collection<{ _id: string; turn: number }>('budgetLocks');
  await locks.updateOne({ _id: tenantId }, { $inc: { turn: 1 } }, { session, upsert: true });

  // 2 What is spent and reserved.
  const spent = await spentIn(db, session, wanted);
  const open = await reservationsOf(db)
    .find({ tenantId, expiresAt: { $gt: new Date(now) } }, { session })
    .toArray();
  const reserved = new Map<string, Big>();
  for (const { currency, amount } of open)
    reserved.set(currency, (reserved.get(currency) ?? new Big(0)).plus(amount.toString()));

  // 3 Decide for each.
  const held = new Set(open.map(({ _id }) => _id));
  const made: ReservationRow[] = [];
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
    const expiresAt = new Date(now + ttlMs);
    made.push({ _id, tenantId, currency, amount: Decimal128.fromString(amount), expiresAt });
    return null;
  });

  // 4 Write what was reserved, also over one that has expired.
  if (made.length > 0) {
    await reservationsOf(db).bulkWrite(
      made.map(({ _id, ...row }) => ({
        replaceOne: { filter: { _id }, replacement: row, upsert: true },
      })),
      { session },
    );
  }
  return results;
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
