import { propagation, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBody } from '../../../src/adapters/openai/json-body/read-body.ts';
import { decodeRequest } from '../../../src/pipeline/intake/decode-request.ts';
import { MemoryBudget } from '../../../src/pipeline/intake/memory-budget.ts';
import { entryId, laneKey, RequestEntry, startTrace } from '../../../src/pipeline/request-entry.ts';
import { codec, Handling } from '../../support/fakes/handling.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const memory = new MemoryBudget(1_000_000);
const exporter = new InMemorySpanExporter();

beforeAll(() => {
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(
    new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
  );
});
afterAll(() => {
  propagation.disable();
  trace.disable();
});

describe('a request entry', () => {
  it('is known by its place: topic, partition and offset', () => {
    const [first] = [new Handling().record()];
    expect(laneKey(first)).toBe('chat.requests/3');
    const ids = [
      first,
      { ...first, offset: 8 },
      { ...first, partition: 1 },
      { ...first, topic: 'chat.requests.acme' },
    ].map(entryId);
    expect(new Set(ids).size).toBe(4);
  });

  it('counts what its record holds: key, value, headers and what decoding makes of them', () => {
    const record = new Handling().record({}, { key: Buffer.from('four'), value: Buffer.alloc(1_000) });
    const { bytes } = new RequestEntry(record, memory, 0);
    expect(bytes).toBeGreaterThan(3_000);
    expect(
      new RequestEntry({ ...record, headers: { long: Buffer.alloc(1_000) } }, memory, 0).bytes,
    ).toBeGreaterThan(bytes + 3_000);
    expect(new RequestEntry({ ...record, key: null, value: null }, memory, 0).bytes).toBeLessThan(bytes);
  });

  it('begins with nothing done and not stopped', () => {
    expect(new RequestEntry(new Handling().record(), memory, 0)).toMatchObject({
      accepted: null,
      finished: null,
      hasBegun: false,
      inLedger: null,
      signal: { aborted: false },
    });
  });
});

describe('startTrace', () => {
  it('continues the producer’s trace, in a span that names the request and its place', () => {
    const record = new Handling().record(
      { tenantId: 'acme', conversationId: 'conversation-9' },
      { headers: { traceparent: TRACEPARENT } },
    );
    const accepted = decodeRequest(record, {
      codec,
      tenantOfTopic: new Map(),
      readBody,
      jsonMaxBytes: 100_000,
    });
    const started = startTrace(accepted, 'group-1');
    started.span.end();

    const [span] = exporter.getFinishedSpans();
    expect(span?.name).toBe('process chat.requests');
    expect(span?.spanContext().traceId).toBe('0af7651916cd43dd8448eb211c80319c');
    expect(span?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
    expect(Object.values(span?.attributes ?? {})).toEqual(
      expect.arrayContaining(['acme', 'request-1', 'conversation-9', 'conversation-1', 'group-1', '3', 7]),
    );
    // Spans that start inside are its children.
    expect(trace.getSpan(started.trace)).toBe(started.span);
  });
});
