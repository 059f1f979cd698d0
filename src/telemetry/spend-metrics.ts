import type { BatchObservableResult, Meter } from '@opentelemetry/api';
import { attribute, metricName } from './names.ts';

/** Bucket bounds in seconds. */
const FOLD_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface SpendGauges {
  /** Known records that are not counted yet. */
  lag(): number;
  /** Number of assigned partitions by state. */
  partitions(): Readonly<Record<string, number>>;
}

/** The instruments of the role `ledger`. Durations come in milliseconds and leave in seconds. */
export function createSpendMetrics(meter: Meter, gauges: SpendGauges) {
  const events = meter.createCounter(metricName.spendEvents, {
    description: 'Cost events added to spend',
    unit: '{event}',
  });
  const unreadable = meter.createCounter(metricName.spendUnreadable, {
    description: 'Unreadable records of the cost topic, missing from spend',
    unit: '{record}',
  });
  const duration = meter.createHistogram(metricName.spendFoldDuration, {
    description: 'Duration of the transactions that add to spend',
    unit: 's',
    advice: { explicitBucketBoundaries: FOLD_SECONDS },
  });
  const lag = meter.createObservableGauge(metricName.spendLag, {
    description: 'Records of the cost topic that are not yet added to spend',
    unit: '{record}',
  });
  const partitions = meter.createObservableGauge(metricName.spendPartitions, {
    description: 'Assigned partitions of the cost topic by state',
    unit: '{partition}',
  });
  const observed = [lag, partitions];
  const observe = (result: BatchObservableResult) => {
    result.observe(lag, gauges.lag());
    for (const [state, count] of Object.entries(gauges.partitions()))
      result.observe(partitions, count, { [attribute.partitionState]: state });
  };
  meter.addBatchObservableCallback(observe, observed);
  for (const counter of [events, unreadable]) counter.add(0);

  return {
    folded(of: { events: number; unreadable: number; durationMs: number }): void {
      events.add(of.events);
      if (of.unreadable > 0) unreadable.add(of.unreadable);
      duration.record(of.durationMs / 1000);
    },

    /** The role has ended: removes its gauges until it is restarted. */
    close: () => meter.removeBatchObservableCallback(observe, observed),
  };
}
