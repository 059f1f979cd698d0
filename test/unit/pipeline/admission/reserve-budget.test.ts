import { describe, expect, it } from 'vitest';
import { Handling, outcomeOf } from '../../../support/fakes/handling.ts';

const budget = { tenantId: 'default', period: 'day', currency: 'USD', limit: '100' } as const;

function underBudget(limit = '100', overrides: ConstructorParameters<typeof Handling>[1] = {}) {
  const handling = new Handling(undefined, overrides);
  handling.budgets.budgets.push({ ...budget, limit });
  return handling;
}

describe('a request of a tenant with a budget', () => {
  it('reserves its highest cost before its call, until its actual cost is counted', async () => {
    const handling = underBudget();
    const { response } = outcomeOf((await handling.handle(handling.record())).records);
    expect(response).toMatchObject({ status: 'COMPLETED', warnings: [] });
    expect(handling.budgets.reserved).toMatchObject([
      { identity: { requestId: 'request-1' }, currency: 'USD', at: handling.clock.now() },
    ]);
    expect(Number(handling.budgets.reserved[0]?.amount)).toBeGreaterThan(0);
    expect(handling.budgets.released).toEqual([]);
  });

  it('that exceeds it is refused without a call, and may be retried under its id', async () => {
    const handling = underBudget('0.000001');
    const handled = await handling.handle(handling.record());
    const { response, cost } = outcomeOf(handled.records);
    expect(response).toMatchObject({
      status: 'FAILED',
      attempts: 0,
      error: { code: 'budget_exceeded', retryable: true },
    });
    expect(cost).toBeUndefined();
    expect(handling.provider.calls).toEqual([]);
    expect(handling.attempts()).toMatchObject([{ disposition: 'ABORTED', usage: null }]);

    handling.budgets.budgets.length = 0;
    const again = outcomeOf((await handling.handle(handling.record())).records);
    expect(again.response?.status).toBe('COMPLETED');
  });

  it('whose highest cost is unknown is refused', async () => {
    const handling = underBudget();
    handling.catalog.prices.length = 0;
    const { response } = outcomeOf((await handling.handle(handling.record())).records);
    expect(response?.error).toMatchObject({ code: 'budget_exceeded', retryable: false });
  });

  it('in another currency is refused', async () => {
    const handling = underBudget();
    handling.budgets.budgets.push({ ...budget, period: 'month', currency: 'EUR' });
    const { response } = outcomeOf((await handling.handle(handling.record())).records);
    expect(response?.error?.message).toContain('is in EUR, but the model is priced in USD');
  });

  it('that ends without any cost releases its reservation', async () => {
    const handling = underBudget();
    const late = await handling.handle(handling.record({ deadline: handling.clock.now() - 1 }));
    expect(outcomeOf(late.records).response?.error?.code).toBe('deadline_exceeded');
    expect(handling.budgets.released).toEqual([{ tenantId: 'default', requestId: 'request-1' }]);
  });
});

describe('while spend is not added up', () => {
  it('it is refused with the reason', async () => {
    const handling = underBudget();
    handling.budgets.ageMs = 61_000;
    const { response } = outcomeOf((await handling.handle(handling.record())).records);
    expect(response?.error).toMatchObject({ code: 'budget_exceeded', retryable: true });
    expect(response?.error?.message).toContain('BUDGET_WHEN_LEDGER_IS_DOWN');
    expect(handling.budgets.reserved).toEqual([]);
  });

  it.each([
    [61_000, '61 s old'],
    [null, 'is not known yet'],
  ])(
    'with `allow` it is checked against the last counted spend (%s), and the response has a warning',
    async (ageMs, warning) => {
      const handling = underBudget('100', {
        budgetPolicy: { whenLedgerIsDown: 'allow', ledgerMaxAgeMs: 60_000 },
      });
      handling.budgets.ageMs = ageMs;
      const { response } = outcomeOf((await handling.handle(handling.record())).records);
      expect(response?.status).toBe('COMPLETED');
      expect(response?.warnings).toMatchObject([{ code: 'budget_not_current' }]);
      expect(response?.warnings[0]?.message).toContain(warning);
      expect(handling.budgets.reserved).toHaveLength(1);
    },
  );
});
