import { readFileSync } from 'node:fs';
import { Big } from 'big.js';
import { describe, expect, it } from 'vitest';
import { shippedPrices } from '../../../src/catalog/files/shipped-catalog.ts';
import { findPrice, priceTimelines } from '../../../src/catalog/prices/versions/find-price.ts';
import { versionsOfFile } from '../../../src/catalog/prices/versions/price-versions.ts';
import type { CostCalculated } from '../../../src/contract/record-types.ts';
import { priceCall } from '../../../src/domain/cost/price-call.ts';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const event = JSON.parse(read('test/fixtures/prices/cost-event.json')) as CostCalculated;
const page = read('docs/costs.md');
const example = page.slice(page.indexOf('## One event'), page.indexOf('## Corrections'));
/** The cells of the tables' rows. */
const rows = example
  .split('\n')
  .filter((line) => /^\| (\d|\w*Cost|call)/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

describe('the event that docs/costs.md explains', () => {
  it('is real: its calls cost what the shipped prices say, line by line', () => {
    const timelines = priceTimelines(versionsOfFile(shippedPrices));
    const lines = event.calls.flatMap((call) => {
      const price = findPrice(timelines, call.provider, call.model, call.startedAt);
      expect(price?.id).toBe(call.priceId);
      const cost = priceCall(call, price);
      return cost.status === 'PRICED' ? cost.lines.map((line) => ({ attempt: call.attempt, ...line })) : [];
    });
    expect(lines.map((line, index) => ({ lineNumber: index + 1, ...line }))).toEqual(event.lines);
  });

  it('has each of its lines in the table, with a correct calculation', () => {
    const explained = rows.filter(([, first]) => /^\d+$/.test(first ?? ''));
    const cells = explained.map(([, number, attempt, kind, quantity, _how, price, amount]) => {
      const [calculation = '', result = ''] = (amount ?? '').split(' = ');
      const [factors = '', divisor = ''] = calculation.replaceAll(',', '').split(' ÷ ');
      const [tokens = '', unitPrice = ''] = factors.split(' × ');
      expect(new Big(tokens).times(unitPrice).div(divisor).toFixed()).toBe(result);
      return [number, attempt, kind, quantity, price, result, tokens];
    });
    expect(cells).toEqual(
      event.lines.map(({ lineNumber, attempt, kind, quantity, unitPrice, amount }) =>
        [lineNumber, attempt, kind, quantity, unitPrice, amount, quantity].map(String),
      ),
    );
  });

  it('has its sums in the table and in the text', () => {
    const sums = new Map(rows.map(([, name = '', , amount]) => [name, amount]));
    const { inputCost, outputCost, totalCost, acceptedCost } = event;
    const amounts = { inputCost, outputCost, totalCost, acceptedCost };
    for (const [name, amount] of Object.entries(amounts)) expect(sums.get(name)).toBe(amount);
    expect(sums.get('call 1')).toBe(event.calls[0]?.amount);
    const block = /```json\n([\s\S]*?)```/.exec(example)?.[1] ?? '';
    expect(event).toMatchObject(JSON.parse(block) as object);
  });
});
