import { describe, expect, it } from 'vitest';
import {
  type Budget,
  budgetInAnotherCurrency,
  budgetsFor,
  fits,
  overBudget,
  periodOf,
  restartsAt,
  spendUnknown,
  withoutEstimate,
} from '../../../../src/domain/cost/budget.ts';

const budget = (members: Partial<Budget> = {}): Budget => ({
  tenantId: 'acme',
  period: 'day',
  currency: 'USD',
  limit: '10',
  ...members,
});
const now = Date.UTC(2026, 11, 31, 23, 30);

describe('the budgets of a tenant', () => {
  it('are its own for each period, else the default', () => {
    const all = [
      budget({ tenantId: null, limit: '1' }),
      budget({ tenantId: null, period: 'month', limit: '2' }),
      budget({ limit: '3' }),
      budget({ tenantId: 'other', period: 'month', limit: '4' }),
    ];
    expect(budgetsFor('acme', all).map(({ limit }) => limit)).toEqual(['3', '2']);
    expect(budgetsFor('other', all).map(({ limit }) => limit)).toEqual(['1', '4']);
    expect(budgetsFor('acme', [])).toEqual([]);
  });
});

describe('periods', () => {
  it('are UTC days and months', () => {
    expect([periodOf('day', now), periodOf('month', now)]).toEqual(['2026-12-31', '2026-12']);
    expect(restartsAt('day', now)).toBe(Date.UTC(2027, 0, 1));
    expect(restartsAt('month', Date.UTC(2026, 1, 3))).toBe(Date.UTC(2026, 2, 1));
  });
});

describe('an amount fits', () => {
  it.each([
    ['8', '1', '1', true],
    ['8', '1', '1.000000000001', false],
    ['11', '0', '0', false],
    ['-1', '0', '11', true],
  ])('%s spent, %s reserved, %s asked: %s', (spent, reserved, amount, expected) => {
    expect(fits(budget(), { spent, reserved }, amount)).toBe(expected);
  });
});

describe('a refusal', () => {
  it('names the budget, its limit, what is used, and when the next period begins', () => {
    const failure = overBudget('acme', budget(), { spent: '8', reserved: '1.5' }, '0.75', now);
    expect(failure.message).toBe(
      'the request may cost up to 0.75 USD, which does not fit into the budget per day of tenant "acme" of 10 USD: 8 are spent and 1.5 are reserved for requests in flight; the budget restarts at 2027-01-01T00:00:00.000Z. Lower maxOutputTokens, wait, or ask for a higher budget',
    );
    expect(failure).toMatchObject({ code: 'budget_exceeded', retryable: true, retryAfterMs: 1_800_000 });
  });

  it.each([
    [
      'the default',
      overBudget('acme', budget({ tenantId: null }), { spent: '0', reserved: '0' }, '11', now),
      'the default budget per day, for tenant "acme",',
      true,
    ],
    ['no estimate', withoutEstimate('acme', budget(), 'gpt-x'), 'gpt-x', false],
    ['another currency', budgetInAnotherCurrency('acme', budget(), 'EUR'), 'priced in EUR', false],
    ['old spend', spendUnknown('acme', budget(), 90_000), 'was last complete 90 s ago', true],
    ['no spend yet', spendUnknown('acme', budget(), null), 'never was', true],
  ])('for %s has a reason', (_what, failure, reason, retryable) => {
    expect(failure.message).toContain(reason);
    expect(failure).toMatchObject({ code: 'budget_exceeded', retryable });
  });
});
