import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { installRequestQueue } from '../../../src/adapters/kafka/request-queue.ts';

interface Entry {
  readonly correlationId: number;
  resolve(answer: unknown): void;
}

/** Of kafkajs's own class, what is used here. */
interface Queue {
  push(request: { entry: Entry; expectResponse: boolean; sendRequest(): void }): void;
  fulfillRequest(answer: { correlationId: number; payload: Buffer; size: number }): void;
  maybeThrottle(ms: number): void;
}

const require = createRequire(import.meta.url);

/** A queue that has one request under way at a time, and what it sent. */
function queueOf() {
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
  });
  const sent: number[] = [];
  const push = (correlationId: number) =>
    queue.push({
      entry: { correlationId, resolve: () => undefined },
      expectResponse: true,
      sendRequest: () => sent.push(correlationId),
    });
  const answer = (correlationId: number) =>
    queue.fulfillRequest({ correlationId, payload: Buffer.alloc(0), size: 0 });
  return { queue, sent, push, answer };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the queue of a connection', () => {
  it('has no timer when nothing waits, also after an answer', () => {
    const { sent, push, answer } = queueOf();
    push(1);
    answer(1);
    expect(sent).toEqual([1]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('sends what waited for an answer, or for the end of a throttling', () => {
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
});
