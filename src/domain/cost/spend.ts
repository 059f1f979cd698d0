import { Big } from 'big.js';
import type { CostCalculated, CostLine, ProviderCall } from '../../contract/record-types.ts';
import type { DecimalText } from './price.ts';

/** The dimensions by which spend is counted. */
export interface SpendBucket {
  /** UTC date of the call, `YYYY-MM-DD`: the provider's billing day. */
  readonly day: string;
  readonly tenantId: string;
  readonly userId: string | null;
  readonly provider: string;
  /** The configured project or organization, which the provider bills. */
  readonly account: string | null;
  readonly model: string;
  /** ISO 4217; null for calls that cannot be priced. */
  readonly currency: string | null;
}

/** The spend of a bucket. Signed: an adjustment may reduce it. */
export interface SpendSum {
  /** Exact; null if there is no currency, since an unknown cost is not zero. */
  readonly amount: DecimalText | null;
  readonly calls: number;
  /** Those calls that cannot be priced. */
  readonly unpricedCalls: number;
  /** Those calls whose usage the provider did not report in full. */
  readonly estimatedCalls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface SpendEntry extends SpendBucket, SpendSum {}

/**
 * What a cost event adds to spend: one entry for each of its calls, for the call's own day and model.
 *
 * - A charge counts its calls. An unpriced call counts with its tokens in the bucket without a currency.
 * - An adjustment has signed lines. Their amounts and token quantities are added; no call is counted again. With the
 *   reason `late_price`, the calls that it prices move out of the bucket without a currency.
 *
 * @throws RangeError for an event that does not add up: an unknown kind, a line without its call, or a priced call without
 *   a currency
 */
export function spendOf(event: CostCalculated): SpendEntry[] {
  const linesOf = Map.groupBy(event.lines, ({ attempt }) => attempt);
  const attempts = new Set(event.calls.map(({ attempt }) => attempt));
  for (const attempt of linesOf.keys()) {
    if (!attempts.has(attempt))
      throw new RangeError(`its lines name call ${attempt}, which it does not have`);
  }
  switch (event.kind) {
    case 'CHARGE':
      return event.calls.map((call) => charge(event, call, linesOf.get(call.attempt) ?? []));
    case 'ADJUSTMENT':
      return event.calls.flatMap((call) => adjustment(event, call, linesOf.get(call.attempt) ?? []));
    default:
      throw new RangeError('its kind is not known to this version');
  }
}

/** An amount that counts against budgets only and does not appear in spend. Signed. */
export interface BudgetHold {
  readonly day: string;
  readonly tenantId: string;
  readonly currency: string;
  readonly amount: DecimalText;
}

/**
 * What unpriced calls count against budgets: the most that each was expected to cost. An adjustment that prices such a
 * call removes its hold.
 */
export function budgetHolds({ kind, reason, tenantId, calls }: CostCalculated): BudgetHold[] {
  const isLate = kind === 'ADJUSTMENT' && reason === 'late_price';
  if (kind !== 'CHARGE' && !isLate) return [];
  return calls.flatMap(({ costStatus, estimatedCost, estimatedCurrency, startedAt }) => {
    if (estimatedCost === null || estimatedCurrency === null) return [];
    if ((costStatus === 'PRICED') !== isLate) return [];
    const amount = isLate ? new Big(estimatedCost).neg().toFixed() : estimatedCost;
    return [{ day: utcDay(startedAt), tenantId, currency: estimatedCurrency, amount }];
  });
}

/** Adds up entries of the same bucket, in the order in which the buckets first appear. */
export function sumSpend(entries: Iterable<SpendEntry>): SpendEntry[] {
  const sums = new Map<string, SpendEntry>();
  for (const entry of entries) {
    const key = bucketKey(entry);
    const before = sums.get(key);
    sums.set(key, before === undefined ? entry : { ...before, ...addSums(before, entry) });
  }
  return [...sums.values()];
}

/** The bucket as text: equal for equal buckets, different for all others. */
export function bucketKey(bucket: SpendBucket): string {
  const { day, tenantId, userId, provider, account, model, currency } = bucket;
  return JSON.stringify([day, tenantId, userId, provider, account, model, currency]);
}

/** Adds two sums of one currency. */
export function addSums(one: SpendSum, other: SpendSum): SpendSum {
  return {
    amount:
      one.amount === null || other.amount === null
        ? (one.amount ?? other.amount)
        : new Big(one.amount).plus(other.amount).toFixed(),
    calls: one.calls + other.calls,
    unpricedCalls: one.unpricedCalls + other.unpricedCalls,
    estimatedCalls: one.estimatedCalls + other.estimatedCalls,
    inputTokens: one.inputTokens + other.inputTokens,
    outputTokens: one.outputTokens + other.outputTokens,
  };
}

/** UTC date of an instant (epoch ms), `YYYY-MM-DD`. */
export function utcDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

function charge(event: CostCalculated, call: ProviderCall, lines: readonly CostLine[]): SpendEntry {
  const isPriced = call.costStatus === 'PRICED';
  return {
    ...bucketOf(event, call, isPriced ? currencyOf(event) : null),
    amount: isPriced ? sumAmounts(lines) : null,
    calls: 1,
    unpricedCalls: isPriced ? 0 : 1,
    estimatedCalls: isEstimated(call) ? 1 : 0,
    inputTokens: call.usage.inputTokens,
    outputTokens: call.usage.outputTokens,
  };
}

function adjustment(event: CostCalculated, call: ProviderCall, lines: readonly CostLine[]): SpendEntry[] {
  const isLate = event.reason === 'late_price' && call.costStatus === 'PRICED';
  if (lines.length === 0 && !isLate) return [];
  const tokens = {
    inputTokens: sumTokens(lines, 'input'),
    outputTokens: sumTokens(lines, 'output'),
  };
  const bucket = bucketOf(event, call, currencyOf(event));
  const amount = sumAmounts(lines);
  if (!isLate) return [{ ...bucket, amount, calls: 0, unpricedCalls: 0, estimatedCalls: 0, ...tokens }];
  const estimatedCalls = isEstimated(call) ? 1 : 0;
  return [
    { ...bucket, amount, calls: 1, unpricedCalls: 0, estimatedCalls, ...tokens },
    {
      ...bucket,
      currency: null,
      amount: null,
      calls: -1,
      unpricedCalls: -1,
      estimatedCalls: -estimatedCalls,
      inputTokens: -tokens.inputTokens,
      outputTokens: -tokens.outputTokens,
    },
  ];
}

function bucketOf(event: CostCalculated, call: ProviderCall, currency: string | null): SpendBucket {
  return {
    day: utcDay(call.startedAt),
    tenantId: event.tenantId,
    userId: event.userId,
    provider: call.provider,
    account: call.account,
    model: call.model,
    currency,
  };
}

function currencyOf({ currency }: CostCalculated): string {
  if (currency === null) throw new RangeError('it has amounts without a currency');
  return currency;
}

function isEstimated({ usage }: ProviderCall): boolean {
  return usage.confidence !== 'PROVIDER';
}

function sumAmounts(lines: readonly CostLine[]): DecimalText {
  return lines.reduce((sum, { amount }) => sum.plus(amount), new Big(0)).toFixed();
}

function sumTokens(lines: readonly CostLine[], direction: string): number {
  return lines
    .filter((line) => line.direction === direction && line.unit === 'token')
    .reduce((sum, { quantity }) => sum + quantity, 0);
}
