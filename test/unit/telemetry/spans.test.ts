import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RecordHeaders } from '../../../src/ports/kafka.ts';
import {
  endChatSpan,
  extractContext,
  injectContext,
  recordFailure,
  runInContext,
  startChatSpan,
  startProcessSpan,
  startPublishSpan,
  withSpan,
} from '../../../src/telemetry/spans.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const exporter = new InMemorySpanExporter();

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(
    new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
  );
});
beforeEach(() => exporter.reset());
afterAll(() => {
  context.disable();
  propagation.disable();
  trace.disable();
});

const record = {
  topic: 'chat.requests',
  partition: 3,
  offset: 42,
  key: 'conversation-1',
  groupId: 'completion-bus',
  tenantId: 'acme',
  requestId: 'request-1',
};

describe('trace context in record headers', () => {
  it.each([
    ['text', TRACEPARENT],
    ['bytes', Buffer.from(TRACEPARENT)],
    ['a plain byte array', new Uint8Array(Buffer.from(TRACEPARENT))],
    ['a repeated header', [Buffer.from(TRACEPARENT), 'other']],
  ])('is read from %s', (_form, traceparent) => {
    const headers: RecordHeaders = { traceparent, tracestate: 'vendor=1' };
    const parent = trace.getSpanContext(extractContext(headers));
    expect(parent).toMatchObject({ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' });
    expect(parent?.traceState?.get('vendor')).toBe('1');
  });

  it.each([{}, { traceparent: undefined }, { traceparent: 'nonsense' }])(
    'is empty for headers %o',
    (headers) => {
      expect(trace.getSpanContext(extractContext(headers))).toBeUndefined();
    },
  );

  it('is passed on unchanged, and nothing is written without one', () => {
    const headers: RecordHeaders = { 'request-id': 'request-1' };
    injectContext(extractContext({ traceparent: TRACEPARENT }), headers);
    expect(headers).toEqual({ 'request-id': 'request-1', traceparent: TRACEPARENT });
    const empty: RecordHeaders = {};
    injectContext(ROOT_CONTEXT, empty);
    expect(empty).toEqual({});
  });
});

describe('spans', () => {
  it('make one trace from the producer through process and chat to send', () => {
    const producer = extractContext({ traceparent: TRACEPARENT });
    const process = startProcessSpan(producer, record);
    const inside = withSpan(producer, process);
    endChatSpan(startChatSpan(inside, { provider: 'openai', requestModel: 'gpt-4', attempt: 1 }), {
      disposition: 'ACCEPTED',
    });
    const send = startPublishSpan(inside, { topic: 'chat.responses', count: 3 });
    const headers: RecordHeaders = {};
    injectContext(withSpan(inside, send), headers);
    send.end();
    process.end();

    const spans = exporter.getFinishedSpans();
    expect(spans.map((span) => [span.name, span.kind])).toEqual([
      ['chat gpt-4', SpanKind.CLIENT],
      ['send chat.responses', SpanKind.PRODUCER],
      ['process chat.requests', SpanKind.CONSUMER],
    ]);
    expect(new Set(spans.map((span) => span.spanContext().traceId))).toEqual(
      new Set(['0af7651916cd43dd8448eb211c80319c']),
    );
    expect(spans[2]?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
    expect(spans[0]?.parentSpanContext?.spanId).toBe(process.spanContext().spanId);
    expect(headers['traceparent']).toContain(send.spanContext().spanId);
  });

  it('describe the record by the messaging conventions, without what is unknown', () => {
    startProcessSpan(ROOT_CONTEXT, { ...record, key: null }).end();
    expect(exporter.getFinishedSpans()[0]?.attributes).toEqual({
      'messaging.system.name': 'kafka',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'chat.requests',
      'messaging.destination.partition.id': '3',
      'messaging.consumer.group.name': 'completion-bus',
      'messaging.message.id': 'request-1',
      'kafka.offset': 42,
      'completionbus.tenant.id': 'acme',
      'completionbus.request.id': 'request-1',
    });
  });

  it('describe the provider call by the GenAI conventions', () => {
    const span = startChatSpan(ROOT_CONTEXT, {
      provider: 'openai',
      requestModel: 'gpt-4',
      attempt: 2,
      maxOutputTokens: 4000,
      temperature: 0,
      conversationId: 'conversation-1',
      serverAddress: 'api.openai.com',
      serverPort: 443,
    });
    endChatSpan(span, {
      disposition: 'ACCEPTED',
      responseModel: 'gpt-4-0613',
      responseId: 'chatcmpl-1',
      finishReasons: ['stop'],
      serviceTier: 'default',
      systemFingerprint: 'fp_1',
      providerRequestId: 'req_1',
      timeToFirstChunkMs: 250,
      usage: {
        inputTokens: 100,
        outputTokens: 50,
        cachedInputTokens: 0,
        cacheWriteTokens: null,
        reasoningTokens: 20,
      },
    });
    const [finished] = exporter.getFinishedSpans();
    expect(finished?.status.code).toBe(SpanStatusCode.UNSET);
    expect(finished?.attributes).toEqual({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'gpt-4',
      'gen_ai.request.stream': true,
      'gen_ai.request.max_tokens': 4000,
      'gen_ai.request.temperature': 0,
      'gen_ai.conversation.id': 'conversation-1',
      'server.address': 'api.openai.com',
      'server.port': 443,
      'completionbus.attempt': 2,
      'completionbus.disposition': 'ACCEPTED',
      'completionbus.provider.request.id': 'req_1',
      'gen_ai.response.model': 'gpt-4-0613',
      'gen_ai.response.id': 'chatcmpl-1',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.response.time_to_first_chunk': 0.25,
      'gen_ai.usage.input_tokens': 100,
      'gen_ai.usage.output_tokens': 50,
      'gen_ai.usage.cache_read.input_tokens': 0,
      'gen_ai.usage.reasoning.output_tokens': 20,
      'openai.response.service_tier': 'default',
      'openai.response.system_fingerprint': 'fp_1',
    });
  });

  it('record how a call failed', () => {
    const span = startChatSpan(ROOT_CONTEXT, { provider: 'openai', requestModel: 'gpt-4', attempt: 1 });
    const failure = { code: 'rate_limited', message: 'Too many requests.' };
    endChatSpan(span, { disposition: 'RETRIED', finishReasons: [], usage: null, failure });
    const [finished] = exporter.getFinishedSpans();
    expect(finished?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'Too many requests.' });
    expect(finished?.attributes).toMatchObject({ 'error.type': 'rate_limited' });
    expect(finished?.attributes).not.toHaveProperty('gen_ai.response.finish_reasons');
  });

  it('record how many records are sent, and to which other spans they belong', () => {
    const other = startProcessSpan(ROOT_CONTEXT, record);
    const send = startPublishSpan(ROOT_CONTEXT, { topic: 'chat.costs', count: 2 }, [
      { context: other.spanContext() },
    ]);
    recordFailure(send, { code: 'internal', message: 'fenced' });
    send.end();
    const [finished] = exporter.getFinishedSpans();
    expect(finished?.attributes).toEqual({
      'messaging.system.name': 'kafka',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'chat.costs',
      'messaging.batch.message_count': 2,
      'error.type': 'internal',
    });
    expect(finished?.links.map((link) => link.context.spanId)).toEqual([other.spanContext().spanId]);
  });

  it('are the active spans for code that runs in their context', () => {
    const span = startProcessSpan(ROOT_CONTEXT, record);
    const current = runInContext(withSpan(ROOT_CONTEXT, span), () => trace.getActiveSpan());
    expect(current).toBe(span);
    span.end();
  });
});
