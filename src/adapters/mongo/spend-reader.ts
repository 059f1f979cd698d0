import { Big } from 'big.js';
import type { Db, Decimal128 } from 'mongodb';
import type { Dimension, ReportQuery, ReportRow, SpendReader } from '../../spend/spend-report.ts';
import { boundedRead } from './durable-write.ts';
import { spendCollections } from './spend-rows.ts';

const fieldOf: Readonly<Record<Dimension, string>> = {
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

/** Spend as it is in the generation in use. */
export function createSpendReader(db: Db): SpendReader {
  const { state, positions, spend } = spendCollections(db);
  const inUse = async () => (await state.findOne({ _id: 'spend' }, boundedRead))?.generation ?? 1;
  const sum = (field: string) => ({ $sum: `$${field}` });

  return {
    async rows({ by, from, to }: ReportQuery): Promise<ReportRow[]> {
      const groups = await spend
        .aggregate<GroupRow>(
          [
            { $match: { generation: await inUse(), day: { $gte: from, $lte: to } } },
            {
              $group: {
                _id: { group: by.map((dimension) => fieldOf[dimension]), currency: '$currency' },
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

    async unreadable() {
      const rows = await positions.find({ generation: await inUse() }, boundedRead).toArray();
      return rows.reduce((total, { unreadable }) => total + unreadable, 0);
    },
  };
}

/** Without an exponent and without trailing zeros. */
export function plainDecimal(value: Decimal128 | number): string {
  return new Big(value.toString()).toFixed();
}
