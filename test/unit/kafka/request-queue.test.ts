import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { installRequestQueue } from '../../../src/adapters/kafka/kafkajs/request-queue.ts';

interface Entry {
  readonly correlationId: number;
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** The members of kafkajs's class that are used here. */
interface Queue {
  push(request: {
    entry: Entry;
    expectResponse: boolean;
    requestTimeout?: number;
    sendRequest(): void;
  }): void;
  connection?: object;
  fulfillRequest(answer: { correlationId: number; payload: Buffer; size: number }): void;
  maybeThrottle(ms: number): void;
}

const require = createRequire(import.meta.url);

/** A queue with one request in flight at a time, and what it sent. */
function queueOf(options: { maxInFlightRequests?: number; enforceRequestTimeout?: boolean } = {}) {
  installRequestQueue();
  installRequestQueue();
  const RequestQueue = require('kafkajs/src/network/requestQueue/index.js');
  const logger = { namespace: () => logger, debug: () => undefined, warn: () => undefined };
  const queue: Queue = new RequestQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1_000,
    enforceRequestTimeout: false,
    clientId: 'test',
    broker: 'broker',
    logger,
    isConnected: () => true,
    ...options,
  });
  const sent: number[] = [];
  const failed: string[] = [];
  const push = (correlationId: number, requestTimeout?: number) =>
    queue.push({
      entry: {
        correlationId,
        resolve: () => undefined,
        reject: ({ name }) => failed.push(`${correlationId} ${name}`),
      },
      expectResponse: true,
      ...(requestTimeout !== undefined && { requestTimeout }),
      sendRequest: () => sent.push(correlationId),
    });
  const answer = (correlationId: number) =>
    queue.fulfillRequest({ correlationId, payload: Buffer.alloc(0), size: 0 });
  return { queue, sent, failed, push, answer };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the queue of a connection', () => {
  it('has no timer when nothing waits, even after an answer', () => {
    const { sent, push, answer } = queueOf();
    push(1);
    answer(1);
    expect(sent).toEqual([1]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('sends requests that waited for an answer, or for the end of throttling', () => {
    const { queue, sent, push, answer } = queueOf();
    push(1);
    push(2);
    expect(sent).toEqual([1]);
    answer(1);
    expect(sent).toEqual([1, 2]);
    queue.maybeThrottle(500);
    answer(2);
    push(3);
    expect(sent).toEqual([1, 2]);
    vi.advanceTimersByTime(600);
    expect(sent).toEqual([1, 2, 3]);
  });

  it('checks for late answers only while a request is in flight', () => {
    const { push, answer } = queueOf({ enforceRequestTimeout: true });
    push(1);
    expect(vi.getTimerCount()).toBe(1);
    answer(1);
    vi.advanceTimersByTime(200);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a connection whose request got no answer in time', () => {
  function connectionOf() {
    const parts = queueOf({ enforceRequestTimeout: true, maxInFlightRequests: 9 });
    const socket = { destroy: vi.fn() };
    const half = { chunks: [Buffer.from('half')], bytesBuffered: 4, bytesNeeded: 90 };
    const connection = {
      ...half,
      host: 'broker',
      port: 9092,
      requestQueue: parts.queue,
      connectionStatus: 'connected',
      socket,
    };
    parts.queue.connection = connection;
    return { ...parts, connection };
  }

  it('is dropped with everything that waits on it, partial answers included', () => {
    const { push, failed, connection } = connectionOf();
    push(1);
    vi.advanceTimersByTime(600);
    push(2);
    vi.advanceTimersByTime(600);
    expect(failed).toEqual(['1 KafkaJSRequestTimeoutError', '2 KafkaJSConnectionClosedError']);
    expect(connection.socket.destroy).toHaveBeenCalledOnce();
    expect(connection).toMatchObject({ connectionStatus: 'disconnected', chunks: [], bytesBuffered: 0 });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is kept when the request waited behind one that may take longer: a broker answers in order', () => {
    const { push, failed, connection } = connectionOf();
    push(1, 60_000);
    push(2);
    vi.advanceTimersByTime(1_500);
    expect(failed).toEqual(['2 KafkaJSRequestTimeoutError']);
    expect(connection.socket.destroy).not.toHaveBeenCalled();
  });
});
