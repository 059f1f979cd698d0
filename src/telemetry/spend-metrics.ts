import type { Meter } from '@opentelemetry/api';
import { attribute, metricName } from './names.ts';

/** Bucket bounds in seconds. */
const FOLD_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface SpendGauges {
  /** Records that are known and not counted. */
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
    description: 'Records of the cost topic that spend lacks',
    unit: '{record}',
  });
  const duration = meter.createHistogram(metricName.spendFoldDuration, {
    description: 'Duration of the transactions that add to spend',
    unit: 's',
    advice: { explicitBucketBoundaries: FOLD_SECONDS },
  });
  meter
    .createObservableGauge(metricName.spendLag, {
      description: 'Records of the cost topic that are not yet added to spend',
      unit: '{record}',
    })
    .addCallback((result) => result.observe(gauges.lag()));
  meter
    .createObservableGauge(metricName.spendPartitions, {
      description: 'Assigned partitions of the cost topic by state',
      unit: '{partition}',
    })
    .addCallback((result) => {
      for (const [state, count] of Object.entries(gauges.partitions()))
        result.observe(count, { [attribute.partitionState]: state });
    });

  return {
    folded(of: { events: number; unreadable: number; durationMs: number }): void {
      events.add(of.events);
      if (of.unreadable > 0) unreadable.add(of.unreadable);
      duration.record(of.durationMs / 1000);
    },
  };
}
