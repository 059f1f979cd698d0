import { MongoNetworkError } from 'mongodb';
import { describe, expect, it, vi } from 'vitest';
import { pause, retry, untilAborted } from '../../../../src/adapters/mongo/client/retry.ts';

const never = new AbortController().signal;
const unavailable = new MongoNetworkError('unavailable');

describe('retrying', () => {
  it('continues until the database is available, and reports every failure', async () => {
    const reported: unknown[] = [];
    const answers = [unavailable, unavailable, 'written'];
    const operation = async () => {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    };
    expect(await retry(operation, { signal: never, onRetry: (error) => reported.push(error) })).toBe(
      'written',
    );
    expect(reported).toEqual([unavailable, unavailable]);
  });

  it('throws a permanent error to the caller without a retry', async () => {
    let calls = 0;
    const operation = async () => {
      calls += 1;
      throw new TypeError('a bug');
    };
    await expect(retry(operation, { signal: never, onRetry: () => undefined })).rejects.toThrow('a bug');
    expect(calls).toBe(1);
  });

  it('repeats an operation that gets no answer', async () => {
    vi.useFakeTimers();
    try {
      const reported: unknown[] = [];
      const answers = [new Promise<string>(() => undefined), Promise.resolve('written')];
      const operation = async () => (await answers.shift()) ?? 'nothing';
      const policy = { signal: never, onRetry: (error: unknown) => reported.push(error) };
      const written = retry(operation, policy);
      await vi.advanceTimersByTimeAsync(29_999);
      expect(reported).toEqual([]);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await written).toBe('written');
      expect(reported.map(String)).toEqual(['NoAnswer: the database has not answered for 30 s']);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('ends with the signal’s reason: before, while and after an operation', async () => {
    const reason = new Error('shutdown');
    const policyOf = (stop: AbortController) => ({ signal: stop.signal, onRetry: () => undefined });

    const before = new AbortController();
    before.abort(reason);
    await expect(retry(async () => 'not called', policyOf(before))).rejects.toBe(reason);

    const during = new AbortController();
    const hanging = retry(() => new Promise(() => during.abort(reason)), policyOf(during));
    await expect(hanging).rejects.toBe(reason);

    const after = new AbortController();
    const pausing = retry(() => Promise.reject(unavailable), {
      signal: after.signal,
      onRetry: () => after.abort(reason),
    });
    await expect(pausing).rejects.toBe(reason);
  });
});

describe('waiting', () => {
  it('ends with the reason of a signal that has already fired, even if there is a result', async () => {
    const stopped = AbortSignal.abort(new Error('stopped'));
    await expect(untilAborted(Promise.resolve('late'), stopped)).rejects.toThrow('stopped');
  });

  it('for a pause ends without an error when the signal fires', async () => {
    const stop = new AbortController();
    const paused = pause(60_000, stop.signal);
    stop.abort();
    await expect(paused).resolves.toBeUndefined();
  });
});
