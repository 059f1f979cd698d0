import { Big } from 'big.js';
import type { CostCalculated, CostLine } from '../../../src/contract/record-types.ts';
import type { Evidence } from './evidence.ts';

/** G2: every amount is exact. Lines are quantity times price. Calls, directions and totals are sums of lines. */
export function exactSums({ costs }: Pick<Evidence, 'costs'>): string[] {
  return costs.flatMap(({ value }) => [...wrongLines(value), ...wrongTotals(value)]);
}

function wrongLines({ requestId, lines }: CostCalculated): string[] {
  return lines
    .filter(
      ({ quantity, unitPrice, unitSize, amount }) =>
        !new Big(amount).times(unitSize).eq(new Big(unitPrice).times(quantity)),
    )
    .map(({ lineNumber }) => `${requestId}: line ${lineNumber} is not quantity x price`);
}

function wrongTotals(cost: CostCalculated): string[] {
  const { requestId, lines, calls } = cost;
  const accepted = calls.find(({ disposition }) => disposition === 'ACCEPTED');
  const direction = (name: string) => lines.filter((line) => line.direction === name);
  const totals: [string, string | null, CostLine[]][] = [
    ['the total', cost.totalCost, lines],
    ['the input', cost.inputCost, direction('input')],
    ['the output', cost.outputCost, direction('output')],
    ['the rest', cost.otherCost, direction('other')],
    ...calls.map(({ attempt, amount }): [string, string | null, CostLine[]] => [
      `attempt ${attempt}`,
      amount,
      lines.filter((line) => line.attempt === attempt),
    ]),
  ];
  const wrong = totals
    .filter(([, amount, own]) => amount !== null && !sum(own).eq(amount))
    .map(
      ([name, amount, own]) =>
        `${requestId}: ${name} is ${amount}, its lines add up to ${sum(own).toFixed()}`,
    );
  if (cost.acceptedCost !== (accepted?.amount ?? null))
    wrong.push(`${requestId}: acceptedCost is ${cost.acceptedCost}, the accepted call ${accepted?.amount}`);
  return wrong;
}

function sum(lines: readonly CostLine[]): Big {
  return lines.reduce((total, line) => total.plus(line.amount), new Big(0));
}
