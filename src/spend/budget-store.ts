import type { Budget, BudgetPeriod } from '../domain/cost/budget.ts';

/** Where budgets are kept. */
export interface BudgetStore {
  /** All, the defaults first. */
  list(): Promise<readonly Budget[]>;
  /** Replaces the tenant's budget for the period. */
  set(budget: Budget): Promise<void>;
  /** @returns false if there was no budget */
  remove(tenantId: string | null, period: BudgetPeriod): Promise<boolean>;
}
