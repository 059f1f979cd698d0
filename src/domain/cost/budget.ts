import { Big } from 'big.js';
import type { ChatFailure } from '../failures/chat-failure.ts';
import { failureOf } from '../failures/failure-classes.ts';
import type { DecimalText } from './price.ts';
import { utcDay } from './spend.ts';

export const BUDGET_PERIODS = ['day', 'month'] as const;
export type BudgetPeriod = (typeof BUDGET_PERIODS)[number];

/** What a tenant may spend in each UTC day or month. */
export interface Budget {
  /** Null: the default, for every tenant without one of its own for the period. */
  readonly tenantId: string | null;
  readonly period: BudgetPeriod;
  /** ISO 4217. */
  readonly currency: string;
  readonly limit: DecimalText;
}

/** How much of a budget is used. */
export interface BudgetUse {
  /** Spent so far in the period. */
  readonly spent: DecimalText;
  /** The most that the requests in flight may cost. */
  readonly reserved: DecimalText;
}

/** The budgets that apply to a tenant: for each period its own, else the default. */
export function budgetsFor(tenantId: string, budgets: readonly Budget[]): Budget[] {
  return BUDGET_PERIODS.flatMap((period) => {
    const ofPeriod = budgets.filter((budget) => budget.period === period);
    const found =
      ofPeriod.find((budget) => budget.tenantId === tenantId) ??
      ofPeriod.find((budget) => budget.tenantId === null);
    return found === undefined ? [] : [found];
  });
}

/** The UTC day or month of an instant (epoch ms), as text: `2026-11-26`, `2026-11`. */
export function periodOf(period: BudgetPeriod, at: number): string {
  return period === 'day' ? utcDay(at) : utcDay(at).slice(0, 7);
}

/** When the next period begins, epoch ms. */
export function restartsAt(period: BudgetPeriod, at: number): number {
  const date = new Date(at);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  return period === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1);
}

/** Whether an amount still fits into a budget. */
export function fits({ limit }: Budget, { spent, reserved }: BudgetUse, amount: DecimalText): boolean {
  return new Big(spent).plus(reserved).plus(amount).lte(limit);
}

/**
 * @param amount the most that the request may cost
 * @param now epoch ms
 */
export function overBudget(
  tenantId: string,
  budget: Budget,
  { spent, reserved }: BudgetUse,
  amount: DecimalText,
  now: number,
): ChatFailure {
  const { currency, limit } = budget;
  const restart = restartsAt(budget.period, now);
  return failureOf(
    'budget_exceeded',
    `the request may cost up to ${amount} ${currency}, which does not fit into ${nameOf(tenantId, budget)} of ${limit} ${currency}: ${spent} are spent and ${reserved} are reserved for requests in flight; the budget restarts at ${new Date(restart).toISOString()}. Lower maxOutputTokens, wait, or ask for a higher budget`,
    true,
    { retryAfterMs: restart - now },
  );
}

/** If the highest cost is unknown the request is refused: it could exceed any budget. */
export function withoutEstimate(tenantId: string, budget: Budget, model: string): ChatFailure {
  return failureOf(
    'budget_exceeded',
    `the highest cost of the request is unknown, so it cannot be checked against ${nameOf(tenantId, budget)}: model "${model}" has no known price, or the answer has no token limit; set maxOutputTokens, or ask the operator to import the model's price`,
    false,
  );
}

export function budgetInAnotherCurrency(tenantId: string, budget: Budget, currency: string): ChatFailure {
  return failureOf(
    'budget_exceeded',
    `${nameOf(tenantId, budget)} is in ${budget.currency}, but the model is priced in ${currency}; amounts are not converted: use a model priced in ${budget.currency}, or ask for a budget in ${currency}`,
    false,
  );
}

/** @param ageMs since spend was last known to be complete; null if it never was */
export function spendUnknown(tenantId: string, budget: Budget, ageMs: number | null): ChatFailure {
  const since = ageMs === null ? 'never was' : `was last complete ${Math.round(ageMs / 1000)} s ago`;
  return failureOf(
    'budget_exceeded',
    `spend ${since}, so ${nameOf(tenantId, budget)} cannot be checked, and the service is configured to refuse requests then (BUDGET_WHEN_LEDGER_IS_DOWN); publish the request again later; operators: check the role ledger`,
    true,
  );
}

function nameOf(tenantId: string, { tenantId: own, period }: Budget): string {
  return own === null
    ? `the default budget per ${period}, for tenant "${tenantId}",`
    : `the budget per ${period} of tenant "${tenantId}"`;
}
