import { Big } from 'big.js';
import type { Db, Decimal128 } from 'mongodb';
import type { BudgetUse } from '../../../domain/cost/budget.ts';
import type {
  ReportFilter,
  ReportQuery,
  ReportRow,
  SpendFilter,
  SpendReader,
  StoredDimension,
} from '../../../spend/report/spend-report.ts';
import { boundedRead } from '../client/durable-write.ts';
import { isHeld, reservationsOf } from './reservation-row.ts';
import { spendCollections, totalId } from './spend-rows.ts';

const fieldOf: Readonly<Record<StoredDimension, string>> = {
  day: '$day',
  tenant: '$tenantId',
  user: '$userId',
  provider: '$provider',
  model: '$model',
};

interface GroupRow {
  readonly _id: { readonly group: (string | null)[]; readonly currency: string | null };
  readonly amount: Decimal128 | number;
  readonly calls: number;
  readonly unpricedCalls: number;
  readonly estimatedCalls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface MongoSpendReader extends SpendReader {
  /** What a tenant has spent in a UTC day or month, and what is reserved for its requests in flight. */
  use(tenantId: string, period: string, currency: string): Promise<BudgetUse>;
}

/** Spend as it is in the generation in use. It keeps no labels: reports by labels count the cost events. */
export function createSpendReader(db: Db): MongoSpendReader {
  const { state, positions, spend, totals } = spendCollections(db);
  const inUse = async () => (await state.findOne({ _id: 'spend' }, boundedRead))?.generation ?? 1;
  const sum = (field: string) => ({ $sum: `$${field}` });

  return {
    async rows({ by, from, to, where }: ReportQuery, filter?: SpendFilter): Promise<ReportRow[]> {
      const whose = filter && {
        provider: filter.provider,
        ...(filter.account !== null && { account: filter.account }),
      };
      const groups = await spend
        .aggregate<GroupRow>(
          [
            {
              $match: {
                generation: await inUse(),
                day: { $gte: from, $lte: to },
                ...whose,
                ...matching(where),
              },
            },
            {
              $group: {
                _id: {
                  group: by.map((dimension) => fieldOf[dimension as StoredDimension]),
                  currency: '$currency',
                },
                amount: sum('amount'),
                calls: sum('calls'),
                unpricedCalls: sum('unpricedCalls'),
                estimatedCalls: sum('estimatedCalls'),
                inputTokens: sum('inputTokens'),
                outputTokens: sum('outputTokens'),
              },
            },
          ],
          { allowDiskUse: true },
        )
        .toArray();
      return groups.map(({ _id, amount, ...sums }) => ({
        group: _id.group,
        currency: _id.currency,
        amount: _id.currency === null ? null : plainDecimal(amount),
        ...sums,
      }));
    },

    async use(tenantId, period, currency) {
      const total = await totals.findOne(
        { _id: totalId(await inUse(), tenantId, period, currency) },
        boundedRead,
      );
      const [open] = await reservationsOf(db)
        .aggregate<{ amount: Decimal128 }>(
          [{ $match: { tenantId, currency, ...isHeld } }, { $group: { _id: null, amount: sum('amount') } }],
          boundedRead,
        )
        .toArray();
      return { spent: plainDecimal(total?.amount ?? 0), reserved: plainDecimal(open?.amount ?? 0) };
    },

    async unreadable() {
      const rows = await positions.find({ generation: await inUse() }, boundedRead).toArray();
      return rows.reduce((total, { unreadable }) => total + unreadable, 0);
    },
  };
}

function matching({ tenant, user, model }: ReportFilter = {}): object {
  return {
    ...(tenant !== undefined && { tenantId: tenant }),
    ...(user !== undefined && { userId: user }),
    ...(model !== undefined && { model }),
  };
}

/** Without an exponent and without trailing zeros. */
export function plainDecimal(value: Decimal128 | number): string {
  return new Big(value.toString()).toFixed();
}
