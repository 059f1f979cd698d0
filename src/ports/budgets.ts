import type { Budget, BudgetUse } from '../domain/cost/budget.ts';
import type { DecimalText } from '../domain/cost/price.ts';
import type { RequestIdentity } from './ledger.ts';

/** What a request asks of the budgets of its tenant. */
export interface Reservation {
  readonly identity: RequestIdentity;
  readonly amount: DecimalText;
  readonly currency: string;
  /** When the call begins, epoch ms: decides the day and the month. */
  readonly at: number;
  readonly budgets: readonly Budget[];
}

/** The budgets of all tenants, and what is reserved of them. */
export interface Budgets {
  /** The budgets that hold for a tenant, from memory; empty for a tenant without any. */
  of(tenantId: string): readonly Budget[];
  /** Milliseconds since spend was last known to be complete, from memory; null when it never was. */
  spendAgeMs(): number | null;
  /**
   * Reserves an amount if it fits into every budget, in one atomic step with the check. A request that has reserved
   * already keeps what it has.
   *
   * @returns the budget that it does not fit into, with its use; null when it is reserved
   * @throws the signal's reason when it fires first
   */
  reserve(
    reservation: Reservation,
    signal: AbortSignal,
  ): Promise<(BudgetUse & { readonly budget: Budget }) | null>;
  /** Releases the reservation of a request that ended without any cost. Not awaited: a reservation that is not released expires. */
  release(identity: RequestIdentity): void;
}
