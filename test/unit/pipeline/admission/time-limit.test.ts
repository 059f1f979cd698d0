import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatFailure } from '../../../../src/domain/failures/chat-failure.ts';
import { limitTime } from '../../../../src/pipeline/admission/time-limit.ts';

const NOW = 1_000_000;

describe('limitTime', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const never = new AbortController().signal;

  it('fires at the total limit when there is no deadline', () => {
    const { signal } = limitTime(never, null, 5_000, NOW);
    vi.advanceTimersByTime(4_999);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.reason).toBeInstanceOf(ChatFailure);
    expect(signal.reason).toMatchObject({ code: 'timeout', message: expect.stringContaining('5000 ms') });
  });

  it('fires at the deadline when that comes first', () => {
    const { signal } = limitTime(never, NOW + 100, 5_000, NOW);
    vi.advanceTimersByTime(100);
    expect(signal.reason).toMatchObject({ code: 'deadline_exceeded' });
  });

  it('fires at the total limit when the deadline comes later', () => {
    const { signal } = limitTime(never, NOW + 6_000, 5_000, NOW);
    vi.advanceTimersByTime(5_000);
    expect(signal.reason).toMatchObject({ code: 'timeout' });
  });

  it('fires at once when the deadline has passed', () => {
    const { signal } = limitTime(never, NOW - 1, 5_000, NOW);
    vi.advanceTimersByTime(0);
    expect(signal.reason).toMatchObject({ code: 'deadline_exceeded' });
  });

  it('supports limits beyond a timer’s range', () => {
    const { signal } = limitTime(never, NOW + 2 ** 40, 2 ** 39, NOW);
    vi.advanceTimersByTime(1_000);
    expect(signal.aborted).toBe(false);
  });

  it('stops the total time while it is paused, but not the deadline', () => {
    const { signal, pause, resume } = limitTime(never, null, 5_000, NOW);
    vi.advanceTimersByTime(4_000);
    pause(NOW + 4_000);
    vi.advanceTimersByTime(100_000);
    resume(NOW + 104_000);
    vi.advanceTimersByTime(999);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.reason).toMatchObject({ code: 'timeout', message: expect.stringContaining('5000 ms') });

    const other = limitTime(never, NOW + 6_000, 5_000, NOW);
    other.pause(NOW);
    vi.advanceTimersByTime(6_000);
    expect(other.signal.reason).toMatchObject({ code: 'deadline_exceeded' });
  });

  it('fires with the reason of the outer signal', () => {
    const outer = new AbortController();
    const reason = new Error('the service is stopping');
    const { signal } = limitTime(outer.signal, null, 5_000, NOW);
    outer.abort(reason);
    expect(signal.reason).toBe(reason);
    expect(limitTime(outer.signal, null, 5_000, NOW).signal.reason).toBe(reason);
  });

  it('leaves no timer or listener when it is cleared', () => {
    const outer = new AbortController();
    const { signal, clear } = limitTime(outer.signal, null, 5_000, NOW);
    clear();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(10_000);
    outer.abort();
    expect(signal.aborted).toBe(false);
  });
});
