import type { Budget } from '../../../src/domain/cost/budget.ts';
import { fits } from '../../../src/domain/cost/budget.ts';
import type { Budgets, Reservation } from '../../../src/ports/budgets.ts';
import type { RequestIdentity } from '../../../src/ports/ledger.ts';

/** Budgets in memory; none unless a test adds some. */
export class FakeBudgets implements Budgets {
  readonly budgets: Budget[] = [];
  readonly reserved: Reservation[] = [];
  readonly released: RequestIdentity[] = [];
  spent = '0';
  ageMs: number | null = 0;

  of(): readonly Budget[] {
    return this.budgets;
  }

  spendAgeMs(): number | null {
    return this.ageMs;
  }

  async reserve(reservation: Reservation) {
    const use = { spent: this.spent, reserved: '0' };
    const budget = reservation.budgets.find((one) => !fits(one, use, reservation.amount));
    if (budget !== undefined) return { budget, ...use };
    this.reserved.push(reservation);
    return null;
  }

  release(identity: RequestIdentity): void {
    this.released.push(identity);
  }
}
