import { Big } from 'big.js';
import type { CostCalculated } from '../../src/contract/record-types.ts';
import type { Answered } from './exchange.ts';
import { table } from './table.ts';
import { lineWidth, paint, print, wrap } from './terminal.ts';

/** Prints one line per response, followed by its error message if it failed. */
export function printResponses(outcomes: readonly Answered[]): void {
  const [titles = '', ...rows] = table(
    [
      { title: 'request' },
      { title: 'status' },
      { title: 'model' },
      { title: 'in', align: 'right' },
      { title: 'out', align: 'right' },
      { title: 'first', align: 'right' },
      { title: 'total', align: 'right' },
    ],
    outcomes.map(({ response: { requestId, status, model, usage, timing } }) => [
      requestId,
      status,
      model ?? '–',
      String(usage?.inputTokens ?? '–'),
      String(usage?.outputTokens ?? '–'),
      timing.firstChunkMs === null ? '–' : `${timing.firstChunkMs} ms`,
      `${timing.totalMs} ms`,
    ]),
  );
  print(paint('dim', titles));
  outcomes.forEach(({ response }, index) => {
    const row = rows[index] ?? '';
    const colour = response.status === 'COMPLETED' ? 'green' : 'red';
    print(row.replace(response.status, paint(colour, response.status)));
    if (response.error === null) return;
    const text = `${response.error.code}: ${response.error.message}`;
    for (const line of wrap(text, lineWidth() - 4)) print(paint('red', `    ${line}`));
  });
}

/** Prints every cost event with its lines, and the sum. */
export function printCosts(outcomes: readonly Answered[]): void {
  const costs = outcomes.flatMap(({ cost }) => (cost === null ? [] : [cost]));
  if (costs.length === 0) {
    print('  no costs: no tokens were used');
    return;
  }
  const [titles = '', ...rows] = table(
    [
      { title: 'request' },
      { title: 'line' },
      { title: 'tokens', align: 'right' },
      { title: 'per million', align: 'decimal' },
      { title: 'amount', align: 'decimal' },
      { title: '' },
    ],
    [...costs.flatMap(costRows), ...sumRows(costs)],
  );
  print(paint('dim', titles));
  for (const row of rows) print(/ (cost|sum) /.test(row) ? paint('bold', row) : row);
}

function costRows(cost: CostCalculated): string[][] {
  const lines = cost.lines.map(({ kind, quantity, unitPrice, unitSize, amount }) => [
    '',
    kind,
    String(quantity),
    new Big(unitPrice).times(1_000_000).div(unitSize).toFixed(),
    amount,
    cost.currency ?? '',
  ]);
  const total = ['', 'cost', '', '', cost.totalCost ?? cost.costStatus, cost.currency ?? ''];
  const [first = total, ...rest] = [...lines, total];
  return [[cost.requestId, ...first.slice(1)], ...rest];
}

/** Returns no row when there is only one cost, a price is missing or the currencies differ. */
function sumRows(costs: readonly CostCalculated[]): string[][] {
  const priced = costs.filter(({ totalCost }) => totalCost !== null);
  const currencies = new Set(priced.map(({ currency }) => currency));
  if (priced.length < 2 || priced.length < costs.length || currencies.size > 1) return [];
  const sum = priced.reduce((total, { totalCost }) => total.plus(totalCost ?? 0), new Big(0));
  return [[`${priced.length} requests`, 'sum', '', '', sum.toFixed(), priced[0]?.currency ?? '']];
}
