import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startHealthServer } from '../../../src/adapters/http/health-server.ts';
import { extractContext, injectContext, startProcessSpan, withSpan } from '../../../src/telemetry/spans.ts';
import { startTelemetry, type Telemetry } from '../../../src/telemetry/start.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

let telemetry: Telemetry | undefined;
let receiver: Server;
let endpoint: string;
/** Paths and content types of the exports. */
let exported: string[];
let answer: boolean;

beforeEach(async () => {
  exported = [];
  answer = true;
  receiver = createServer((request, response) => {
    request.resume().on('end', () => {
      exported.push(`${request.url} ${request.headers['content-type']}`);
      if (answer) response.end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
});

afterEach(async () => {
  vi.useRealTimers();
  receiver.closeAllConnections();
  receiver.close();
  await telemetry?.shutdown();
  vi.unstubAllEnvs();
  for (const api of [context, metrics, propagation, trace]) api.disable();
});

/** The SDK itself reads `process.env`, so the test sets the same variables there. */
function start(env: Record<string, string> = {}): Telemetry {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  telemetry = startTelemetry({ serviceName: 'completion-bus', serviceVersion: '1.2.3', env });
  return telemetry;
}

async function scrape({ metricsHandler }: Telemetry): Promise<string> {
  const checks = { live: () => [], ready: () => [] };
  const server = await startHealthServer({ port: 0, host: '127.0.0.1', checks, metricsHandler });
  const response = await fetch(`http://127.0.0.1:${server.port}/metrics`);
  const body = await response.text();
  await server.close();
  return body;
}

function endSpan(): boolean {
  const span = trace.getTracer('test').startSpan('work');
  const recording = span.isRecording();
  span.end();
  return recording;
}

describe('startTelemetry', () => {
  it('serves metrics in Prometheus format without any exporter configured', async () => {
    const started = start();
    started.meter.createCounter('completionbus.dead_letters').add(2, { 'error.type': 'invalid_request' });
    const body = await scrape(started);
    expect(body).toMatch(/completionbus_dead_letters_total\{error_type="invalid_request".*\} 2/);
    expect(body).toMatch(/target_info\{.*service_name="completion-bus".*service_version="1.2.3"/);
  });

  it('lets the environment name the service, and reports nothing of the command line', async () => {
    const body = await scrape(start({ OTEL_SERVICE_NAME: 'bus-eu', OTEL_RESOURCE_ATTRIBUTES: 'team=chat' }));
    expect(body).toMatch(/target_info\{.*team="chat".*service_name="bus-eu"/);
    expect(body).not.toContain('process_command');
  });

  it('describes the process as configured in the environment', async () => {
    expect(await scrape(start({ OTEL_NODE_RESOURCE_DETECTORS: 'process' }))).toContain('process_pid=');
  });

  it('records no spans and exports nothing without an endpoint', async () => {
    const started = start();
    expect(endSpan()).toBe(false);
    await started.shutdown();
    expect(exported).toEqual([]);
  });

  it('passes trace context on even when it records no spans', () => {
    start();
    const parent = extractContext({ traceparent: TRACEPARENT });
    const span = startProcessSpan(parent, {
      topic: 'chat.requests',
      partition: 0,
      offset: 0,
      groupId: 'group',
      tenantId: 'default',
      requestId: 'request-1',
    });
    const headers: Record<string, string> = {};
    injectContext(withSpan(parent, span), headers);
    expect(headers['traceparent']).toBe(TRACEPARENT);
  });

  it('exports spans and metrics to the endpoint, at the latest on shutdown', async () => {
    const started = start({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
    expect(endSpan()).toBe(true);
    started.meter.createCounter('work').add(1);
    await started.shutdown();
    expect(exported.sort()).toEqual([
      '/v1/metrics application/x-protobuf',
      '/v1/traces application/x-protobuf',
    ]);
  });

  it('exports only the configured signals, with the configured protocol', async () => {
    const started = start({
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_TRACES_EXPORTER: 'none',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/json',
      OTEL_METRIC_EXPORT_INTERVAL: '20000',
    });
    expect(endSpan()).toBe(false);
    started.meter.createCounter('work').add(1);
    await started.shutdown();
    expect(exported).toEqual(['/v1/metrics application/json']);
  });

  it('leaves metrics to Prometheus when an exporter other than OTLP is configured', async () => {
    const started = start({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_METRICS_EXPORTER: 'prometheus' });
    started.meter.createCounter('work').add(1);
    endSpan();
    await started.shutdown();
    expect(exported).toEqual(['/v1/traces application/x-protobuf']);
  });

  it('can use gRPC, and survives a collector that does not support it', async () => {
    const started = start({
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_TIMEOUT: '50',
    });
    started.meter.createCounter('work').add(1);
    await expect(started.shutdown()).resolves.toBeUndefined();
    expect(exported).toEqual([]);
  });

  it('does not wait longer than its bound for a collector that does not answer', async () => {
    answer = false;
    const started = start({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${endpoint}/v1/traces` });
    endSpan();
    const asked = new Promise<void>((resolve) => receiver.once('request', () => resolve()));
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    const stopped = started.shutdown();
    await asked;
    vi.advanceTimersByTime(5000);
    await expect(stopped).resolves.toBeUndefined();
    telemetry = undefined;
  });
});
