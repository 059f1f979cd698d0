import { describe, expect, it } from 'vitest';
import { formatReport, reportNotes } from '../../../src/spend/report/format-report.ts';
import { type ReportRow, reportSpend } from '../../../src/spend/report/spend-report.ts';

const sums = { calls: 2, unpricedCalls: 0, estimatedCalls: 1, inputTokens: 20, outputTokens: 10 };
const row = (group: (string | null)[], currency: string | null, amount: string | null): ReportRow => ({
  ...sums,
  group,
  currency,
  amount,
  unpricedCalls: currency === null ? 2 : 0,
});
const query = { by: ['tenant', 'user'], from: '2026-11-01', to: '2026-11-30' } as const;

async function report(
  rows: readonly ReportRow[],
  unreadable = 0,
  by: (typeof query)['by'] | readonly [] = query.by,
) {
  return reportSpend(
    { rows: async () => rows, unreadable: async () => unreadable },
    { ...query, by: [...by] },
  );
}

describe('a report', () => {
  it('has one row per group and currency, in order, and a total per currency', async () => {
    const made = await report([
      row(['b', null], 'USD', '0.000000000001'),
      row(['a', 'u"1'], null, null),
      row(['a', 'u"1'], 'USD', '12345678901234567890.1'),
      row(['a', 'u"1'], 'EUR', '-3'),
    ]);
    expect(formatReport(made, 'table').split('\n')).toEqual([
      'tenant  user  currency                             amount  calls  unpricedCalls  estimatedCalls  inputTokens  outputTokens',
      'a       u"1   EUR                                      -3      2              0               1           20            10',
      'a       u"1   USD                  12345678901234567890.1      2              0               1           20            10',
      'a       u"1                                                    2              2               1           20            10',
      'b             USD                          0.000000000001      2              0               1           20            10',
      'total         EUR                                      -3      2              0               1           20            10',
      'total         USD       12345678901234567890.100000000001      4              0               2           40            20',
      'total                                                          2              2               1           20            10',
      '',
    ]);
    expect(reportNotes(made)).toEqual(['2 calls have no price: no amount includes them']);
    expect(formatReport(made, 'csv').split('\r\n').slice(0, 2)).toEqual([
      'tenant,user,currency,amount,calls,unpricedCalls,estimatedCalls,inputTokens,outputTokens',
      'a,"u""1",EUR,-3,2,0,1,20,10',
    ]);
    expect(JSON.parse(formatReport(made, 'json'))).toMatchObject({
      from: '2026-11-01',
      rows: [
        { tenant: 'a', user: 'u"1', currency: 'EUR', amount: '-3', calls: 2 },
        {},
        {},
        { tenant: 'b', user: null },
      ],
      totals: [{ currency: 'EUR' }, { currency: 'USD' }, { currency: null, amount: null }],
      unreadableRecords: 0,
    });
  });

  it('leaves out a group with nothing left, and reports unreadable records', async () => {
    const nothing = { calls: 0, unpricedCalls: 0, estimatedCalls: 0, inputTokens: 0, outputTokens: 0 };
    const made = await report([{ group: ['a', null], currency: null, amount: null, ...nothing }], 3);
    expect(made.rows).toEqual([]);
    expect(reportNotes(made)).toEqual([
      'nothing was spent in this period',
      '3 records of the cost topic could not be read: no sum includes them',
    ]);
  });

  it('without dimensions has only the totals', async () => {
    const text = formatReport(await report([row([], 'USD', '1')], 0, []), 'table');
    expect(
      text
        .split('\n')
        .slice(0, 3)
        .map((line) => line.split(/ +/).slice(0, 2).join(' ')),
    ).toEqual(['currency amount', 'USD 1', '']);
  });
});
