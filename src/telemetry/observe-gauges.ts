import type { Meter } from '@opentelemetry/api';
import { attribute, metricName } from './names.ts';

/** Current values, read when metrics are collected. The functions must be fast and must not throw. */
export interface Gauges {
  requestsInFlight(): number;
  /** Bytes of requests, answers and outcomes. */
  requestBytesInFlight(): number;
  /** Calls and streams that wait for memory. */
  waitingForMemory(): number;
  /** Milliseconds that the oldest outcome has waited to be settled; null while none waits. */
  oldestUnsettledMs(): number | null;
  /** Milliseconds without an acknowledged chunk while some wait; null while none waits. */
  chunksUnacknowledgedMs(): number | null;
  /** How long the writer thread has not answered, in milliseconds. */
  writerUnansweredMs(): number;
  chunkBufferBytes(): number;
  partitionsPaused(): number;
  /** Number of lanes by state. */
  lanes(): Readonly<Record<string, number>>;
  /** Milliseconds since the catalog was last read from the database; null before the first time. */
  catalogAgeMs(): number | null;
  providerGates(): readonly GateState[];
  /** Unfinished scheduled requests by state. */
  tasks(): Readonly<Record<string, number>>;
  /** Waiting requests by reason. */
  waits(): Readonly<Record<string, number>>;
  laneGauges(): readonly LaneGauge[];
}

/** The state of one provider and model. */
export interface GateState {
  readonly provider: string;
  readonly model: string;
  /** Requests that wait for a permit. */
  readonly waiting: number;
  readonly breaker: 'closed' | 'open' | 'half_open';
  /** The remaining limit as the provider reported it; null if it reported none. */
  readonly requests: number | null;
  readonly tokens: number | null;
}

/** The state of one lane. */
export interface LaneGauge {
  readonly topic: string;
  readonly partition: number;
  /** Unsettled records, as of the last fetch; null while the lane is not open. */
  readonly lag: number | null;
  /** Milliseconds since the oldest unsettled request was accepted; 0 if all are settled. */
  readonly oldestMs: number;
}

/** Registers the current values. Call once. */
export function observeGauges(meter: Meter, gauges: Gauges): void {
  const gauge = (name: string, description: string, unit: string, read: () => number | null) =>
    meter.createObservableGauge(name, { description, unit }).addCallback((result) => {
      const value = read();
      if (value !== null) result.observe(value);
    });

  gauge(
    metricName.requestsInFlight,
    'Accepted requests not yet settled',
    '{request}',
    gauges.requestsInFlight,
  );
  gauge(
    metricName.requestBytesInFlight,
    'Bytes held by requests in flight, answers and outcomes',
    'By',
    gauges.requestBytesInFlight,
  );
  gauge(
    metricName.memoryWaiting,
    'Calls and streams that wait for memory',
    '{request}',
    gauges.waitingForMemory,
  );
  const age = (name: string, description: string, readMs: () => number | null) =>
    gauge(name, description, 's', () => {
      const ms = readMs();
      return ms === null ? null : ms / 1000;
    });
  age(metricName.settleOldest, 'Age of the oldest outcome that is not written', gauges.oldestUnsettledMs);
  age(
    metricName.chunksOldest,
    'Time since a chunk was acknowledged, while chunks wait',
    gauges.chunksUnacknowledgedMs,
  );
  age(metricName.writerUnanswered, 'Time that the writer thread has not answered', gauges.writerUnansweredMs);
  gauge(metricName.chunkBufferSize, 'Chunks waiting for the broker', 'By', gauges.chunkBufferBytes);
  gauge(
    metricName.partitionsPaused,
    'Partitions paused by the service',
    '{partition}',
    gauges.partitionsPaused,
  );
  gauge(metricName.catalogAge, 'Time since models and prices were last read', 's', () => {
    const ageMs = gauges.catalogAgeMs();
    return ageMs === null ? null : ageMs / 1000;
  });
  const counted = (
    name: string,
    description: string,
    unit: string,
    label: string,
    read: () => Readonly<Record<string, number>>,
  ) =>
    meter.createObservableGauge(name, { description, unit }).addCallback((result) => {
      for (const [value, count] of Object.entries(read())) result.observe(count, { [label]: value });
    });
  counted(metricName.lanes, 'Lanes by state', '{lane}', attribute.laneState, gauges.lanes);
  counted(
    metricName.schedulerTasks,
    'Scheduled requests by state',
    '{request}',
    attribute.taskState,
    gauges.tasks,
  );
  counted(metricName.waits, 'Waiting requests by reason', '{request}', attribute.waitReason, gauges.waits);
  observeLanes(meter, gauges);
  observeGates(meter, gauges);
}

/** Shows each lane's lag and oldest request. */
function observeLanes(meter: Meter, gauges: { laneGauges(): readonly LaneGauge[] }): void {
  const lag = meter.createObservableGauge(metricName.laneLag, {
    description: 'Unsettled records of a partition, as of its last fetch',
    unit: '{record}',
  });
  const oldest = meter.createObservableGauge(metricName.laneOldest, {
    description: 'Age of the oldest unsettled request of a partition',
    unit: 's',
  });
  meter.addBatchObservableCallback(
    (result) => {
      for (const lane of gauges.laneGauges()) {
        const labels = {
          [attribute.messagingDestination]: lane.topic,
          [attribute.messagingPartition]: String(lane.partition),
        };
        if (lane.lag !== null) result.observe(lag, lane.lag, labels);
        result.observe(oldest, lane.oldestMs / 1000, labels);
      }
    },
    [lag, oldest],
  );
}

/** Shows who waits for each provider, and the limits that the provider reported. */
function observeGates(meter: Meter, gauges: { providerGates(): readonly GateState[] }): void {
  const gauge = (name: string, description: string, unit: string) =>
    meter.createObservableGauge(name, { description, unit });
  const waiting = gauge(
    metricName.gateWaiting,
    'Calls that wait for rate limits or the end of an outage',
    '{call}',
  );
  const breaker = gauge(metricName.gateBreaker, '1 for the current state of the circuit breaker', '1');
  const remaining = gauge(metricName.gateRemaining, 'Remaining rate limit as the provider reported it', '1');
  meter.addBatchObservableCallback(
    (result) => {
      for (const gate of gauges.providerGates()) {
        const labels = {
          [attribute.genAiProvider]: gate.provider,
          [attribute.genAiRequestModel]: gate.model,
        };
        result.observe(waiting, gate.waiting, labels);
        for (const state of ['closed', 'open', 'half_open'])
          result.observe(breaker, state === gate.breaker ? 1 : 0, {
            ...labels,
            [attribute.breakerState]: state,
          });
        for (const kind of ['requests', 'tokens'] as const) {
          const left = gate[kind];
          if (left !== null) result.observe(remaining, left, { ...labels, [attribute.limitKind]: kind });
        }
      }
    },
    [waiting, breaker, remaining],
  );
}
