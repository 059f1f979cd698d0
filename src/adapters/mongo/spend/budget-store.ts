import { type Db, Decimal128 } from 'mongodb';
import type { Budget, BudgetPeriod } from '../../../domain/cost/budget.ts';
import type { BudgetStore } from '../../../spend/budget-store.ts';
import { boundedRead, durableWrite } from '../client/durable-write.ts';
import { plainDecimal } from './spend-reader.ts';

interface BudgetRow {
  readonly _id: string;
  readonly tenantId: string | null;
  readonly period: BudgetPeriod;
  readonly currency: string;
  readonly limit: Decimal128;
}

/** Budgets in the collection `budgets`, one document per tenant (or for all without one) and period. */
export function createBudgetStore(db: Db): BudgetStore {
  const budgets = db.collection<BudgetRow>('budgets');
  return {
    async list() {
      const rows = await budgets.find({}, { sort: { tenantId: 1, period: 1 }, ...boundedRead }).toArray();
      return rows.map(
        ({ tenantId, period, currency, limit }): Budget => ({
          tenantId,
          period,
          currency,
          limit: plainDecimal(limit),
        }),
      );
    },
    async set({ tenantId, period, currency, limit }) {
      await budgets.replaceOne(
        { _id: idOf(tenantId, period) },
        { tenantId, period, currency, limit: Decimal128.fromString(limit) },
        { upsert: true, ...durableWrite },
      );
    },
    async remove(tenantId, period) {
      const { deletedCount } = await budgets.deleteOne({ _id: idOf(tenantId, period) }, durableWrite);
      return deletedCount > 0;
    },
  };
}

const idOf = (tenantId: string | null, period: BudgetPeriod) => JSON.stringify([tenantId, period]);
