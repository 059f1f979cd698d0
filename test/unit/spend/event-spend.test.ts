import { describe, expect, it } from 'vitest';
import type { CostCalculated } from '../../../src/contract/record-types.ts';
import { EventSpend } from '../../../src/spend/report/event-spend.ts';
import { needsEvents, type ReportQuery, reportSpend } from '../../../src/spend/report/spend-report.ts';
import { costCall, costEvent } from '../../support/cost-events.ts';

const month = { from: '2026-11-01', to: '2026-11-30' };
const search = { labels: { team: 'search', env: 'test' } };

async function rowsOf(query: Omit<ReportQuery, 'from' | 'to'>, ...events: readonly CostCalculated[]) {
  const spend = new EventSpend({ ...month, ...query });
  for (const event of events) spend.add(event);
  const { rows } = await reportSpend(spend, { ...month, ...query });
  return rows.map(({ group, currency, amount, calls }) => [...group, currency, amount, calls]);
}

describe('spend by labels', () => {
  it('groups by a label beside other dimensions, exactly', async () => {
    const rows = await rowsOf(
      { by: ['label:team', 'model'] },
      costEvent('r-1', search),
      costEvent('r-2', { ...search, calls: [costCall({ model: 'gpt-4o' })] }),
      costEvent('r-3', search),
      costEvent('r-4', { labels: { team: 'ads' } }),
      costEvent('r-5'),
    );
    expect(rows).toEqual([
      [null, 'gpt-4', 'USD', '0.0015', 1],
      ['ads', 'gpt-4', 'USD', '0.0015', 1],
      ['search', 'gpt-4', 'USD', '0.003', 2],
      ['search', 'gpt-4o', 'USD', '0.0015', 1],
    ]);
  });

  it('counts only what fits every filter', async () => {
    const events = [
      costEvent('r-1', { ...search, tenantId: 'other' }),
      costEvent('r-2', { ...search, tenantId: 'acme' }),
      costEvent('r-3', { ...search, tenantId: 'acme', calls: [costCall({ model: 'gpt-4o' })] }),
      costEvent('r-4', { ...search, tenantId: 'acme', userId: 'u-1' }),
      costEvent('r-5', { labels: { team: 'search' }, tenantId: 'acme' }),
    ];
    const calls = async (where: ReportQuery['where'] & object) =>
      (await rowsOf({ by: [], where }, ...events))[0]?.at(-1) ?? 0;
    expect(await calls({ labels: { team: 'search' } })).toBe(5);
    expect(await calls({ labels: { team: 'search', env: 'test' } })).toBe(4);
    expect(await calls({ labels: { team: 'search' }, tenant: 'acme' })).toBe(4);
    expect(await calls({ labels: { team: 'search' }, tenant: 'acme', model: 'gpt-4o' })).toBe(1);
    expect(await calls({ labels: { team: 'search' }, user: 'u-1' })).toBe(1);
    expect(await calls({ labels: { team: 'Search' } })).toBe(0);
    expect(await calls({ labels: { constructor: 'x' } })).toBe(0);
  });

  it('counts an event once, by the day of its call, and notes what it cannot count', async () => {
    const query: ReportQuery = { ...month, by: ['label:team'] };
    const spend = new EventSpend(query);
    const event = costEvent('r-1', search);
    spend.add(event);
    spend.add(event);
    spend.add(costEvent('r-2', { ...search, calls: [costCall({ startedAt: Date.UTC(2026, 11, 1) })] }));
    spend.add({ ...costEvent('r-3', search), kind: 'UNKNOWN' });
    spend.miss();
    expect(await reportSpend(spend, query)).toMatchObject({
      rows: [{ group: ['search'], amount: '0.0015', calls: 1 }],
      unreadable: 2,
    });
  });

  it('is needed only where a label is', () => {
    expect(needsEvents({ ...month, by: ['tenant'], where: { tenant: 'acme' } })).toBe(false);
    expect(needsEvents({ ...month, by: ['tenant'], where: { labels: {} } })).toBe(false);
    expect(needsEvents({ ...month, by: ['label:team'] })).toBe(true);
    expect(needsEvents({ ...month, by: [], where: { labels: { team: 'x' } } })).toBe(true);
  });
});
