import { Big } from 'big.js';
import type { DecimalText } from '../../domain/cost/price.ts';
import type { BilledCost, BilledUsage, BillingQuery, ProviderBilling } from './provider-billing.ts';
import type { ReportRow, SpendReader } from './spend-report.ts';

/** A difference between our sums and the provider's. */
export interface Difference {
  readonly day: string;
  readonly model: string;
  /** `calls`, `input tokens`, `output tokens`, or the currency of an amount. */
  readonly what: string;
  /** Null if there is no figure, which differs from zero. */
  readonly ours: DecimalText | null;
  readonly provider: DecimalText | null;
  /** Ours less the provider's. */
  readonly difference: DecimalText;
  /** Our unpriced calls of the model. No amount includes them. */
  readonly unpricedCalls: number;
}

export interface Reconciliation {
  readonly differences: readonly Difference[];
  /** How many days and models were compared. */
  readonly compared: number;
}

interface Measure {
  value: Big;
  unpricedCalls: number;
}

/** By day, model and what is measured. */
type Side = Map<string, Measure>;

/**
 * Compares spend with the provider's own usage and costs, for each day and model.
 *
 * @param provider whose calls are compared
 * @param tolerance the largest difference of an amount that is not reported
 */
export async function reconcileSpend(
  reader: SpendReader,
  billing: ProviderBilling,
  query: BillingQuery & { readonly provider: string; readonly tolerance: DecimalText },
): Promise<Reconciliation> {
  const { from, to, provider, projectId } = query;
  const [rows, costs, usage] = await Promise.all([
    reader.rows({ by: ['day', 'model'], from, to }, { provider, account: projectId }),
    billing.costs(query),
    billing.usage(query),
  ]);
  const ours = measuresOf(rows);
  const theirs = billedMeasures(costs, usage);
  const keys = [...new Set([...ours.keys(), ...theirs.keys()])].sort();
  const differences = keys.flatMap((key) => compare(key, ours.get(key), theirs.get(key), query.tolerance));
  const compared = new Set(keys.map((key) => JSON.stringify(partsOf(key).slice(0, 2)))).size;
  return { differences, compared };
}

function measuresOf(rows: readonly ReportRow[]): Side {
  const side: Side = new Map();
  const unpriced = new Map<string, number>();
  for (const { group, currency, amount, calls, unpricedCalls, inputTokens, outputTokens } of rows) {
    const [day, model] = group;
    if (day == null || model == null) continue;
    const of = JSON.stringify([day, model]);
    unpriced.set(of, (unpriced.get(of) ?? 0) + unpricedCalls);
    add(side, day, model, 'calls', calls);
    add(side, day, model, 'input tokens', inputTokens);
    add(side, day, model, 'output tokens', outputTokens);
    if (currency !== null && amount !== null) add(side, day, model, currency, amount);
  }
  // The amount does not include the unpriced calls of its model.
  for (const [key, measure] of side)
    measure.unpricedCalls = unpriced.get(JSON.stringify(partsOf(key).slice(0, 2))) ?? 0;
  return side;
}

function billedMeasures(costs: readonly BilledCost[], usage: readonly BilledUsage[]): Side {
  const side: Side = new Map();
  for (const { day, lineItem, amount, currency } of costs)
    add(side, day, modelOf(lineItem), currency, amount);
  for (const { day, model, calls, inputTokens, outputTokens } of usage) {
    add(side, day, model ?? UNNAMED, 'calls', calls);
    add(side, day, model ?? UNNAMED, 'input tokens', inputTokens);
    add(side, day, model ?? UNNAMED, 'output tokens', outputTokens);
  }
  return side;
}

const UNNAMED = '(not named)';

/** A line item is a model and a kind of usage (`gpt-4o-2024-08-06, input`), or something else that is billed. */
function modelOf(lineItem: string | null): string {
  return lineItem?.split(', ')[0] ?? UNNAMED;
}

function add(side: Side, day: string, model: string, what: string, value: number | string): void {
  const key = JSON.stringify([day, model, what]);
  const before = side.get(key);
  if (before === undefined) side.set(key, { value: new Big(value), unpricedCalls: 0 });
  else before.value = before.value.plus(value);
}

function partsOf(key: string): [string, string, string] {
  return JSON.parse(key) as [string, string, string];
}

function compare(
  key: string,
  ours: Measure | undefined,
  theirs: Measure | undefined,
  tolerance: DecimalText,
): Difference[] {
  const [day, model, what] = partsOf(key);
  const difference = (ours?.value ?? new Big(0)).minus(theirs?.value ?? 0);
  const isAmount = /^[A-Z]{3}$/.test(what);
  if (difference.abs().lte(isAmount ? tolerance : 0)) return [];
  return [
    {
      day,
      model,
      what,
      ours: ours?.value.toFixed() ?? null,
      provider: theirs?.value.toFixed() ?? null,
      difference: difference.toFixed(),
      unpricedCalls: ours?.unpricedCalls ?? 0,
    },
  ];
}
