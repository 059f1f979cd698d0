import type { Budget, BudgetUse } from '../domain/cost/budget.ts';
import type { DecimalText } from '../domain/cost/price.ts';
import type { RequestIdentity } from './ledger.ts';

/** The amount that a request reserves from its tenant's budgets. */
export interface Reservation {
  readonly identity: RequestIdentity;
  readonly amount: DecimalText;
  readonly currency: string;
  /** Start of the call, epoch ms. It determines the day and the month. */
  readonly at: number;
  readonly budgets: readonly Budget[];
}

/** The budgets of all tenants and their reservations. */
export interface Budgets {
  /** The budgets that apply to a tenant, from memory; empty for a tenant without budgets. */
  of(tenantId: string): readonly Budget[];
  /** Milliseconds since spend was last known to be complete, from memory; null if it never was. */
  spendAgeMs(): number | null;
  /**
   * Checks every budget and reserves the amount in one atomic step. A request that already has a reservation keeps it.
   *
   * @returns the exceeded budget with its use; null if the amount is reserved
   * @throws the signal's reason when it fires first
   */
  reserve(
    reservation: Reservation,
    signal: AbortSignal,
  ): Promise<(BudgetUse & { readonly budget: Budget }) | null>;
  /** Releases the reservation of a request that ended without any cost. Not awaited: a reservation that is not released expires. */
  release(identity: RequestIdentity): void;
}
