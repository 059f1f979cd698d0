import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { metricName } from '../../../src/telemetry/names.ts';
import type { Gauges } from '../../../src/telemetry/observe-gauges.ts';

class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

function setUp() {
  const reader = new PullReader({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
  const provider = new MeterProvider({ readers: [reader] });
  const metrics = createMetrics(provider.getMeter('test'));
  const collected = async () => {
    const { resourceMetrics } = await reader.collect();
    return resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  };
  /** Without the initial zeros of counters. */
  const points = async (name: string) => (await allPoints(name)).filter(([, value]) => value !== 0);
  const allPoints = async (name: string) => {
    const metric = (await collected()).find(({ descriptor }) => descriptor.name === name);
    if (!metric) return [];
    return metric.dataPointType === DataPointType.HISTOGRAM
      ? metric.dataPoints.map(({ attributes, value }) => [attributes, value.sum])
      : metric.dataPoints.map(({ attributes, value }) => [attributes, value]);
  };
  return { metrics, points, allPoints, collected };
}

const gauges: Gauges = {
  requestsInFlight: () => 12,
  waitingForMemory: () => 2,
  oldestUnsettledMs: () => 1500,
  chunksUnacknowledgedMs: () => null,
  writerUnansweredMs: () => 0,
  requestBytesInFlight: () => 3400,
  chunkBufferBytes: () => 560,
  partitionsPaused: () => 1,
  lanes: () => ({ open: 5, opening: 1 }),
  catalogAgeMs: () => 1500,
  tasks: () => ({ running: 3, parked: 2, waiting: 1 }),
  waits: () => ({ slot: 1, memory: 0, provider: 2 }),
  laneGauges: () => [{ topic: 'requests', partition: 3, lag: 7, oldestMs: 2500 }],
  providerGates: () => [
    { provider: 'openai', model: 'gpt-4', waiting: 3, breaker: 'open', requests: 7, tokens: null },
  ],
};

describe('metrics', () => {
  it('without labels begin with 0, so that the first increase is visible', async () => {
    const { collected, allPoints } = setUp();
    const counters = (await collected()).filter(({ dataPointType }) => dataPointType === DataPointType.SUM);
    expect(counters.length).toBeGreaterThan(8);
    for (const { dataPoints } of counters)
      expect(dataPoints.map(({ attributes, value }) => [attributes, value])).toEqual([[{}, 0]]);
    expect(await allPoints(metricName.outcomesUnpublished)).toEqual([[{}, 0]]);
  });

  it('show each lane with its lag and its oldest request, tasks by state and waits by reason', async () => {
    const { metrics, allPoints } = setUp();
    metrics.observe(gauges);
    const lane = { 'messaging.destination.name': 'requests', 'messaging.destination.partition.id': '3' };
    expect(await allPoints(metricName.laneLag)).toEqual([[lane, 7]]);
    expect(await allPoints(metricName.laneOldest)).toEqual([[lane, 2.5]]);
    expect(await allPoints(metricName.schedulerTasks)).toContainEqual([
      { 'completionbus.task.state': 'parked' },
      2,
    ]);
    expect(await allPoints(metricName.waits)).toContainEqual([
      { 'completionbus.wait.reason': 'provider' },
      2,
    ]);
  });

  it('count finished requests by status, error code and model, with their duration in seconds', async () => {
    const { metrics, points } = setUp();
    metrics.requestFinished({ status: 'COMPLETED', model: 'gpt-4', durationMs: 1500 });
    metrics.requestFinished({ status: 'FAILED', code: 'timeout', model: 'gpt-4', durationMs: 500 });
    metrics.requestFinished({ status: 'FAILED', code: 'invalid_request', model: null, durationMs: 1 });
    expect(await points(metricName.requestsFinished)).toEqual([
      [{ 'completionbus.status': 'COMPLETED', 'gen_ai.request.model': 'gpt-4' }, 1],
      [{ 'completionbus.status': 'FAILED', 'error.type': 'timeout', 'gen_ai.request.model': 'gpt-4' }, 1],
      [{ 'completionbus.status': 'FAILED', 'error.type': 'invalid_request' }, 1],
    ]);
    expect((await points(metricName.requestDuration))[0]?.[1]).toBe(1.5);
  });

  it('count unwritten chunks and abandoned streams', async () => {
    const { metrics, points } = setUp();
    metrics.chunkWriteFailed('NOT_ENOUGH_REPLICAS');
    metrics.chunkWriteFailed('NOT_ENOUGH_REPLICAS');
    metrics.publishFailed('stream', 'encoding');
    expect(await points(metricName.chunkWriteFailures)).toEqual([
      [{ 'error.type': 'NOT_ENOUGH_REPLICAS' }, 2],
    ]);
    expect(await points(metricName.publishFailures)).toEqual([
      [{ 'completionbus.publish.kind': 'stream', 'error.type': 'encoding' }, 1],
    ]);
  });

  it('record provider calls, their tokens and their times by the GenAI conventions', async () => {
    const { metrics, points } = setUp();
    const call = { provider: 'openai', requestModel: 'gpt-4', responseModel: 'gpt-4-0613' };
    const usage = { inputTokens: 100, outputTokens: 50 };
    metrics.firstChunk(call, 250);
    metrics.providerCall({ ...call, disposition: 'ACCEPTED', durationMs: 2000, usage });
    metrics.providerCall({ ...call, disposition: 'RETRIED', durationMs: 100, errorCode: 'rate_limited' });

    const labels = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'gpt-4',
      'gen_ai.response.model': 'gpt-4-0613',
    };
    const failed = { ...labels, 'error.type': 'rate_limited' };
    expect(await points('gen_ai.client.token.usage')).toEqual([
      [{ ...labels, 'gen_ai.token.type': 'input' }, 100],
      [{ ...labels, 'gen_ai.token.type': 'output' }, 50],
    ]);
    expect(await points('gen_ai.client.operation.duration')).toEqual([
      [labels, 2],
      [failed, 0.1],
    ]);
    expect(await points('gen_ai.client.operation.time_to_first_chunk')).toEqual([[labels, 0.25]]);
    expect(await points(metricName.providerCalls)).toEqual([
      [{ ...labels, 'completionbus.disposition': 'ACCEPTED' }, 1],
      [{ ...failed, 'completionbus.disposition': 'RETRIED' }, 1],
    ]);
  });

  it('add up costs by currency and model, and chunks by send', async () => {
    const { metrics, points } = setUp();
    metrics.costCalculated({ amount: 0.006, currency: 'USD', model: 'gpt-4' });
    metrics.chunksPublished(3);
    metrics.chunksPublished(4);
    expect(await points(metricName.cost)).toEqual([
      [{ 'completionbus.currency': 'USD', 'gen_ai.request.model': 'gpt-4' }, 0.006],
    ]);
    expect(await points(metricName.chunksPublished)).toEqual([[{}, 7]]);
  });

  it('record settlements, the ledger, replays and dead letters', async () => {
    const { metrics, points } = setUp();
    metrics.settled({ requests: 20, durationMs: 40 });
    metrics.outcomeVisible(60);
    metrics.settleInDoubt();
    metrics.ledgerOperation('claim', 2);
    metrics.ledgerOperation('claim', 3, 'unavailable');
    metrics.ledgerRetried('claim');
    metrics.responseReplayed();
    metrics.deadLetter('invalid_request');

    expect(await points(metricName.settleRequests)).toEqual([[{}, 20]]);
    expect(await points(metricName.settleDuration)).toEqual([[{}, 0.04]]);
    expect(await points(metricName.settleDelay)).toEqual([[{}, 0.06]]);
    expect(await points(metricName.settleDoubts)).toEqual([[{}, 1]]);
    expect(await points(metricName.ledgerDuration)).toEqual([
      [{ 'completionbus.ledger.operation': 'claim' }, 0.002],
      [{ 'completionbus.ledger.operation': 'claim', 'error.type': 'unavailable' }, 0.003],
    ]);
    expect(await points(metricName.ledgerRetries)).toEqual([
      [{ 'completionbus.ledger.operation': 'claim' }, 1],
    ]);
    expect(await points(metricName.responsesReplayed)).toEqual([[{}, 1]]);
    expect(await points(metricName.deadLetters)).toEqual([[{ 'error.type': 'invalid_request' }, 1]]);
  });

  it('show who waits for a provider, and the state that it reported', async () => {
    const { metrics, points, allPoints } = setUp();
    metrics.observe(gauges);
    // A model name becomes a label once one of its calls was answered.
    metrics.firstChunk({ provider: 'openai', requestModel: 'gpt-4' }, 10);
    metrics.gateWaited({ provider: 'openai', requestModel: 'gpt-4' }, 2500);
    const labels = { 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': 'gpt-4' };
    expect(await points(metricName.gateWait)).toEqual([
      [{ ...labels, 'gen_ai.operation.name': 'chat' }, 2.5],
    ]);
    expect(await points(metricName.gateWaiting)).toEqual([[labels, 3]]);
    expect(await allPoints(metricName.gateBreaker)).toEqual([
      [{ ...labels, 'completionbus.breaker.state': 'closed' }, 0],
      [{ ...labels, 'completionbus.breaker.state': 'open' }, 1],
      [{ ...labels, 'completionbus.breaker.state': 'half_open' }, 0],
    ]);
    expect(await points(metricName.gateRemaining)).toEqual([
      [{ ...labels, 'completionbus.limit.kind': 'requests' }, 7],
    ]);
  });

  it('read current values when they are collected', async () => {
    const { metrics, points } = setUp();
    let catalogAgeMs: number | null = null;
    metrics.observe({ ...gauges, catalogAgeMs: () => catalogAgeMs });
    expect(await points(metricName.catalogAge)).toEqual([]);
    catalogAgeMs = 1500;
    expect(await points(metricName.catalogAge)).toEqual([[{}, 1.5]]);
    expect(await points(metricName.requestsInFlight)).toEqual([[{}, 12]]);
    expect(await points(metricName.requestBytesInFlight)).toEqual([[{}, 3400]]);
    expect(await points(metricName.chunkBufferSize)).toEqual([[{}, 560]]);
    expect(await points(metricName.partitionsPaused)).toEqual([[{}, 1]]);
    expect(await points(metricName.lanes)).toEqual([
      [{ 'completionbus.lane.state': 'open' }, 5],
      [{ 'completionbus.lane.state': 'opening' }, 1],
    ]);
  });
});
