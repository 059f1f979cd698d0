import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallGuard } from '../../../../src/adapters/openai/stream/call-guard.ts';

const limits = { firstTokenTimeoutMs: 1000, idleTimeoutMs: 100 };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function start(): { guard: CallGuard; caller: AbortController } {
  const caller = new AbortController();
  return { guard: new CallGuard('openai', limits, caller.signal), caller };
}

describe('CallGuard', () => {
  it('ends a call whose first piece does not come, with or without reads', () => {
    const { guard } = start();
    vi.advanceTimersByTime(600);
    guard.wait();
    guard.providerRequestId = 'req_1';
    guard.isSent = true;
    vi.advanceTimersByTime(399);
    guard.throwIfEnded();
    vi.advanceTimersByTime(1);
    expect(guard.signal.aborted).toBe(true);
    expect(() => guard.throwIfEnded()).toThrow(
      expect.objectContaining({ code: 'timeout', retryable: true, providerRequestId: 'req_1' }),
    );
    expect(() => guard.throwIfEnded()).toThrow(/did not begin its answer within 1000 ms/);
  });

  it('measures silence between pieces only from the first one with content', () => {
    const { guard } = start();
    guard.received(false);
    guard.wait();
    vi.advanceTimersByTime(999);
    guard.throwIfEnded();
    guard.received();
    guard.wait();
    vi.advanceTimersByTime(100);
    expect(() => guard.throwIfEnded()).toThrow(/sent nothing for 100 ms/);
  });

  it('says of a call that was sent that it was not waited for, and of no other', () => {
    const failureOf = (isSent: boolean): unknown => {
      const { guard } = start();
      guard.isSent = isSent;
      vi.advanceTimersByTime(1000);
      return guard.signal.reason;
    };
    expect(failureOf(true)).toMatchObject({ code: 'timeout', outwaited: true });
    expect(failureOf(false)).toMatchObject({ code: 'timeout', outwaited: false });
  });

  it('ends a call that falls silent between two pieces, despite empty reads', () => {
    const { guard } = start();
    guard.received();
    guard.wait();
    vi.advanceTimersByTime(60);
    guard.wait();
    vi.advanceTimersByTime(39);
    guard.throwIfEnded();
    vi.advanceTimersByTime(1);
    expect(() => guard.throwIfEnded()).toThrow(/sent nothing for 100 ms/);
  });

  it('does not count the reader’s own time', () => {
    const { guard } = start();
    guard.received();
    vi.advanceTimersByTime(5000);
    guard.throwIfEnded();
    guard.wait();
    vi.advanceTimersByTime(99);
    guard.received();
    guard.wait();
    vi.advanceTimersByTime(99);
    guard.throwIfEnded();
    vi.advanceTimersByTime(1);
    expect(() => guard.throwIfEnded()).toThrow(/sent nothing/);
  });

  it("keeps the first reason, and throws the caller's unchanged", () => {
    const { guard, caller } = start();
    const reason = { cancelled: true };
    caller.abort(reason);
    vi.advanceTimersByTime(5000);
    expect(guard.signal.reason).toBe(reason);
    expect(vi.getTimerCount()).toBe(0);
    let thrown: unknown;
    try {
      guard.throwIfEnded();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBe(reason);
  });

  it('does nothing once it is disposed', () => {
    const { guard, caller } = start();
    guard.dispose();
    caller.abort();
    vi.advanceTimersByTime(5000);
    guard.throwIfEnded();
    expect(guard.signal.aborted).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('starts nothing for a caller that has already aborted', () => {
    const reason = new Error('shutdown');
    expect(() => new CallGuard('openai', limits, AbortSignal.abort(reason))).toThrow(reason);
    expect(vi.getTimerCount()).toBe(0);
  });
});
