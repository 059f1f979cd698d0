import { metrics } from '@opentelemetry/api';
import { AggregationTemporality, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { expect, it } from 'vitest';
import { watchBudgets } from '../../../../src/roles/worker/watch-budgets.ts';
import { createLogger } from '../../../../src/runtime/logger.ts';
import { metricName } from '../../../../src/telemetry/names.ts';
import { createSpendMetrics } from '../../../../src/telemetry/spend-metrics.ts';
import { FakeBudgets } from '../../../support/fakes/fake-budgets.ts';

class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

function meterThatIsRead() {
  const reader = new PullReader({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
  const meter = new MeterProvider({ readers: [reader] }).getMeter('test');
  const points = async (name: string) => {
    const { resourceMetrics } = await reader.collect();
    const found = resourceMetrics.scopeMetrics
      .flatMap((scope) => scope.metrics)
      .find(({ descriptor }) => descriptor.name === name);
    return (found?.dataPoints ?? []).map(({ attributes, value }) => [attributes, value]);
  };
  return { meter, points };
}

const budget = { tenantId: null, period: 'day', currency: 'USD', limit: '1' } as const;
const reservation = (amount: string) => ({
  identity: { tenantId: 'acme', requestId: 'one' },
  amount,
  currency: 'USD',
  at: 0,
  budgets: [budget],
});

it('budgets count their requests, and show the age of spend while there is one', async () => {
  const { meter, points } = meterThatIsRead();
  const budgets = new FakeBudgets();
  budgets.ageMs = null;
  const watched = watchBudgets(
    budgets,
    { whenLedgerIsDown: 'refuse', ledgerMaxAgeMs: 60_000 },
    meter,
    createLogger({ level: 'silent' }),
  );
  const { signal } = new AbortController();
  expect(await watched.reserve(reservation('1'), signal)).toBeNull();
  expect(await watched.reserve(reservation('1.5'), signal)).toMatchObject({ budget });
  expect(await points(metricName.budgetReservations)).toEqual([
    [{ 'completionbus.reservation.result': 'reserved' }, 1],
    [{ 'completionbus.reservation.result': 'refused' }, 1],
  ]);
  expect(await points(metricName.spendAge)).toEqual([]);
  budgets.ageMs = 1_500;
  expect(await points(metricName.spendAge)).toEqual([[{}, 1.5]]);
  watched.release({ tenantId: 'acme', requestId: 'one' });
  expect(budgets.released).toHaveLength(1);
  expect(watched.of('acme')).toBe(budgets.budgets);
});

it('spend that has fallen behind is reported once, and its recovery once', () => {
  const lines: string[] = [];
  const budgets = new FakeBudgets();
  const watched = watchBudgets(
    budgets,
    { whenLedgerIsDown: 'allow', ledgerMaxAgeMs: 60_000 },
    metrics.getMeter('test'),
    createLogger({ level: 'info', destination: { write: (line: string) => void lines.push(line) } }),
  );
  for (const ageMs of [0, 60_001, null, 70_000, 10, 20]) {
    budgets.ageMs = ageMs;
    expect(watched.spendAgeMs()).toBe(ageMs);
  }
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain('spend is not added up');
  expect(lines[1]).toContain('spend is added up again');
});

it('the ledger role counts the events that it adds up, and shows lag and partitions', async () => {
  const { meter, points } = meterThatIsRead();
  const spend = createSpendMetrics(meter, { lag: () => 7, partitions: () => ({ open: 2, halted: 1 }) });
  spend.folded({ events: 3, unreadable: 0, durationMs: 20 });
  spend.folded({ events: 2, unreadable: 1, durationMs: 20 });
  expect(await points(metricName.spendEvents)).toEqual([[{}, 5]]);
  expect(await points(metricName.spendUnreadable)).toEqual([[{}, 1]]);
  expect(await points(metricName.spendLag)).toEqual([[{}, 7]]);
  expect(await points(metricName.spendPartitions)).toEqual([
    [{ 'completionbus.partition.state': 'open' }, 2],
    [{ 'completionbus.partition.state': 'halted' }, 1],
  ]);
});
