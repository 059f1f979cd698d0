import type { BatchObservableResult, Meter } from '@opentelemetry/api';
import { attribute, metricName } from './names.ts';

/** Bucket bounds in seconds for a round trip to the database. */
const ROUND_TRIP_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2];
const MICROSECONDS = 1_000_000;

/** Current values of a process; read when metrics are collected. */
export interface ProcessGauges {
  /** The longest delay of the event loop since the previous call, in milliseconds. */
  eventLoopDelayMs(): number;
  /** Null before the database was connected. */
  databaseIsUp(): boolean | null;
  /** Reservations in the database, of all workers; null if unknown. */
  openReservations(): number | null;
}

/** The instruments of every process, whatever its roles. */
export function createProcessMetrics(meter: Meter, gauges: ProcessGauges) {
  const gauge = (name: string, description: string, unit: string) =>
    meter.createObservableGauge(name, { description, unit });
  const eventLoop = gauge(
    metricName.eventLoopDelay,
    'Longest delay of the event loop since the last collection',
    's',
  );
  const memory = gauge(metricName.processMemory, 'Resident memory of the process', 'By');
  const isUp = gauge(metricName.databaseUp, '1 while the primary of MongoDB answers, else 0', '1');
  const reservations = gauge(
    metricName.reservationsOpen,
    'Reservations of budgets that are not settled, of all workers',
    '{reservation}',
  );
  const processorTime = meter.createObservableCounter(metricName.processCpu, {
    description: 'Processor time of the process',
    unit: 's',
  });
  const observed = [eventLoop, memory, isUp, reservations, processorTime];
  const observe = (result: BatchObservableResult) => {
    result.observe(eventLoop, gauges.eventLoopDelayMs() / 1000);
    result.observe(memory, process.memoryUsage.rss());
    const databaseIsUp = gauges.databaseIsUp();
    if (databaseIsUp !== null) result.observe(isUp, Number(databaseIsUp));
    const open = gauges.openReservations();
    if (open !== null) result.observe(reservations, open);
    const { user, system } = process.cpuUsage();
    result.observe(processorTime, user / MICROSECONDS, { [attribute.cpuMode]: 'user' });
    result.observe(processorTime, system / MICROSECONDS, { [attribute.cpuMode]: 'system' });
  };
  meter.addBatchObservableCallback(observe, observed);
  const databaseLatency = meter.createHistogram(metricName.databaseLatency, {
    description: 'Round trip of a ping to the primary of MongoDB',
    unit: 's',
    advice: { explicitBucketBoundaries: ROUND_TRIP_SECONDS },
  });

  return {
    databaseAnswered(durationMs: number): void {
      databaseLatency.record(durationMs / 1000);
    },

    /** Removes the gauges. */
    close: () => meter.removeBatchObservableCallback(observe, observed),
  };
}
