import type { Problem } from '../../contract/record-types.ts';
import {
  budgetInAnotherCurrency,
  overBudget,
  spendUnknown,
  withoutEstimate,
} from '../../domain/cost/budget.ts';
import type { ChatFailure } from '../../domain/failures/chat-failure.ts';
import type { Budgets } from '../../ports/budgets.ts';
import type { RequestIdentity } from '../../ports/ledger.ts';
import type { CallPlan } from './plan-call.ts';

export interface BudgetOptions {
  readonly budgets: Budgets;
  readonly budgetPolicy: {
    readonly whenLedgerIsDown: 'refuse' | 'allow';
    readonly ledgerMaxAgeMs: number;
  };
}

/** `refusal`: no call may be made. `warnings`: for the response. */
export interface BudgetDecision {
  readonly refusal: ChatFailure | null;
  readonly warnings: readonly Problem[];
}

const FREE: BudgetDecision = { refusal: null, warnings: [] };

/**
 * Checks the most that a call may cost against its tenant's budget, and reserves it. Tenants without a budget cost one lookup in
 * memory. The reservation ends when the cost is counted, or when it is certain that there is no cost.
 *
 * @param at when the call starts, epoch ms
 * @throws the signal's reason
 */
export async function reserveBudget(
  identity: RequestIdentity,
  plan: CallPlan,
  at: number,
  { budgets, budgetPolicy }: BudgetOptions,
  signal: AbortSignal,
): Promise<BudgetDecision> {
  const { tenantId } = identity;
  const own = budgets.of(tenantId);
  const [first] = own;
  if (first === undefined) return FREE;

  const { estimatedCost } = plan;
  if (estimatedCost === null) return refuse(withoutEstimate(tenantId, first, plan.model.id));
  const { amount, currency } = estimatedCost;
  const foreign = own.find((budget) => budget.currency !== currency);
  if (foreign !== undefined) return refuse(budgetInAnotherCurrency(tenantId, foreign, currency));

  const ageMs = budgets.spendAgeMs();
  const isDown = ageMs === null || ageMs > budgetPolicy.ledgerMaxAgeMs;
  if (isDown && budgetPolicy.whenLedgerIsDown === 'refuse')
    return refuse(spendUnknown(tenantId, first, ageMs));

  const over = await budgets.reserve({ identity, amount, currency, at, budgets: own }, signal);
  if (over !== null) return refuse(overBudget(tenantId, over.budget, over, amount, at));
  return isDown ? { refusal: null, warnings: [checkedByOldSpend(ageMs)] } : FREE;
}

function refuse(refusal: ChatFailure): BudgetDecision {
  return { refusal, warnings: [] };
}

function checkedByOldSpend(ageMs: number | null): Problem {
  const since = ageMs === null ? 'is not known yet' : `is ${Math.round(ageMs / 1000)} s old`;
  return {
    path: '',
    code: 'budget_not_current',
    message: `the budget was checked against the spend counted last: spend ${since}, since the role ledger is down or behind`,
  };
}
