import { Big } from 'big.js';
import { describe, expect, it } from 'vitest';
import { addSums, bucketKey, budgetHolds, spendOf, sumSpend } from '../../../../src/domain/cost/spend.ts';
import { plainUsage } from '../../../../src/domain/cost/usage.ts';
import { costCall, costEvent } from '../../../support/cost-events.ts';

describe('a charge', () => {
  it('counts each call on its own day, for its own model, from its own lines', () => {
    const calls = [
      costCall({ attempt: 1, model: 'gpt-4', startedAt: Date.UTC(2026, 10, 26, 23, 59, 59, 999) }),
      costCall({ attempt: 2, model: 'gpt-4o', startedAt: Date.UTC(2026, 10, 27), account: 'proj_1' }),
    ];
    const entries = spendOf(costEvent('r', { calls, userId: 'u1' }));
    expect(entries).toEqual([
      {
        day: '2026-11-26',
        tenantId: 'acme',
        userId: 'u1',
        provider: 'openai',
        account: null,
        model: 'gpt-4',
        currency: 'USD',
        amount: '0.0015',
        calls: 1,
        unpricedCalls: 0,
        estimatedCalls: 0,
        inputTokens: 10,
        outputTokens: 5,
      },
      expect.objectContaining({ day: '2026-11-27', model: 'gpt-4o', account: 'proj_1', amount: '0.0015' }),
    ]);
  });

  it('counts an unpriced call with its tokens, and never as zero cost', () => {
    const calls = [
      costCall(),
      costCall({ attempt: 2, costStatus: 'UNPRICED', usage: plainUsage(7, 3, 'ESTIMATED') }),
    ];
    const [, unpriced] = spendOf(costEvent('r', { calls, costStatus: 'PARTLY_PRICED' }));
    expect(unpriced).toMatchObject({
      currency: null,
      amount: null,
      calls: 1,
      unpricedCalls: 1,
      estimatedCalls: 1,
      inputTokens: 7,
      outputTokens: 3,
    });
  });

  it('counts a free call as zero', () => {
    expect(spendOf(costEvent('r', { lines: [] }))[0]).toMatchObject({ currency: 'USD', amount: '0' });
  });
});

describe('the amount that an unpriced call holds in budgets', () => {
  const at = Date.UTC(2026, 10, 26, 12);
  const estimate = { estimatedCost: '0.5', estimatedCurrency: 'USD', startedAt: at };
  const unpriced = costCall({ ...estimate, costStatus: 'UNPRICED', amount: null });

  it('is the estimate of each unpriced call, on its own day', () => {
    const event = costEvent('one', {
      costStatus: 'PARTLY_PRICED',
      calls: [unpriced, costCall({ ...estimate, attempt: 2 })],
    });
    expect(budgetHolds(event)).toEqual([
      { day: '2026-11-26', tenantId: event.tenantId, currency: 'USD', amount: '0.5' },
    ]);
  });

  it('is zero without an estimate', () => {
    expect(budgetHolds(costEvent('one', { calls: [{ ...unpriced, estimatedCost: null }] }))).toEqual([]);
  });

  it('is removed only by the late price', () => {
    const late = { kind: 'ADJUSTMENT' as const, calls: [costCall(estimate)] };
    expect(budgetHolds(costEvent('one', { ...late, reason: 'late_price' }))).toEqual([
      { day: '2026-11-26', tenantId: 'acme', currency: 'USD', amount: '-0.5' },
    ]);
    expect(budgetHolds(costEvent('one', { ...late, reason: 'price_corrected' }))).toEqual([]);
  });
});

describe('an adjustment', () => {
  it('adds signed amounts and quantities, but no call', () => {
    const [line] = costEvent('r').lines;
    const lines = line === undefined ? [] : [{ ...line, quantity: -4, amount: '-0.0002' }];
    expect(spendOf(costEvent('r', { kind: 'ADJUSTMENT', reason: 'usage_corrected', lines }))).toEqual([
      expect.objectContaining({ amount: '-0.0002', calls: 0, inputTokens: -4, outputTokens: 0 }),
    ]);
  });

  it('with a late price moves the calls out of the unpriced ones: the sums are as if priced at once', () => {
    const unpriced = costEvent('r', { calls: [costCall({ costStatus: 'UNPRICED' })], currency: null });
    const late = costEvent('r', { kind: 'ADJUSTMENT', reason: 'late_price' });
    const left = sumSpend([...spendOf(unpriced), ...spendOf(late)]);
    expect(left.find(({ currency }) => currency === 'USD')).toEqual(spendOf(costEvent('r'))[0]);
    expect(left.find(({ currency }) => currency === null)).toMatchObject({
      amount: null,
      calls: 0,
      unpricedCalls: 0,
      inputTokens: 0,
      outputTokens: 0,
    });
  });

  it('with a late price moves a free call, which has no lines', () => {
    const late = costEvent('r', { kind: 'ADJUSTMENT', reason: 'late_price', lines: [] });
    expect(spendOf(late)).toMatchObject([
      { currency: 'USD', amount: '0', calls: 1 },
      { currency: null, amount: null, calls: -1, unpricedCalls: -1 },
    ]);
  });

  it('does not change calls that it has no lines for', () => {
    const calls = [costCall(), costCall({ attempt: 2 })];
    const { lines } = costEvent('r', { calls: [costCall({ attempt: 2 })] });
    const entries = spendOf(costEvent('r', { kind: 'ADJUSTMENT', reason: 'price_corrected', calls, lines }));
    expect(entries).toHaveLength(1);
  });
});

describe('an event that does not add up is refused', () => {
  it.each([
    ['an unknown kind', { kind: 'UNKNOWN' as const }, 'kind'],
    ['a line without its call', { calls: [costCall({ attempt: 2 })], lines: costEvent('r').lines }, 'call 1'],
    ['amounts without a currency', { currency: null }, 'currency'],
  ])('%s', (_what, members, message) => {
    expect(() => spendOf(costEvent('r', members))).toThrow(message);
  });
});

describe('sums', () => {
  it('are exact where floats are not', () => {
    const [entry] = spendOf(costEvent('r'));
    if (entry === undefined) throw new Error('no entry');
    const [sum] = sumSpend(Array.from({ length: 10 }, () => ({ ...entry, amount: '0.1' })));
    expect(new Big(sum?.amount ?? 0).eq(1)).toBe(true);
    expect(sum?.calls).toBe(10);
  });

  it('never count a missing amount as zero', () => {
    const none = {
      amount: null,
      calls: 1,
      unpricedCalls: 1,
      estimatedCalls: 0,
      inputTokens: 1,
      outputTokens: 1,
    };
    expect(addSums(none, none).amount).toBeNull();
    expect(addSums(none, { ...none, amount: '0' }).amount).toBe('0');
  });

  it('are separate for every part of the bucket', () => {
    const bucket = {
      day: 'd',
      tenantId: 't',
      userId: null,
      provider: 'p',
      account: null,
      model: 'm',
      currency: null,
    };
    const others = Object.keys(bucket).map((name) => ({ ...bucket, [name]: 'x' }));
    expect(new Set([bucket, ...others].map(bucketKey)).size).toBe(8);
  });
});
