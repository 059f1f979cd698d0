import { MongoNetworkError } from 'mongodb';
import { describe, expect, it, vi } from 'vitest';
import { pause, retry, untilAborted } from '../../../src/adapters/mongo/retry.ts';

const never = new AbortController().signal;
const away = new MongoNetworkError('away');

describe('retrying', () => {
  it('goes on until the database is back, and tells of every failure', async () => {
    const told: unknown[] = [];
    const answers = [away, away, 'written'];
    const operation = async () => {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    };
    expect(await retry(operation, { signal: never, onRetry: (error) => told.push(error) })).toBe('written');
    expect(told).toEqual([away, away]);
  });

  it('gives an error that waiting cannot cure to the caller, once', async () => {
    let calls = 0;
    const operation = async () => {
      calls += 1;
      throw new TypeError('a bug');
    };
    await expect(retry(operation, { signal: never, onRetry: () => undefined })).rejects.toThrow('a bug');
    expect(calls).toBe(1);
  });

  it('repeats an operation that is not answered', async () => {
    vi.useFakeTimers();
    try {
      const told: unknown[] = [];
      const answers = [new Promise<string>(() => undefined), Promise.resolve('written')];
      const operation = async () => (await answers.shift()) ?? 'nothing';
      const policy = { signal: never, onRetry: (error: unknown) => told.push(error) };
      const written = retry(operation, policy);
      await vi.advanceTimersByTimeAsync(29_999);
      expect(told).toEqual([]);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await written).toBe('written');
      expect(told.map(String)).toEqual(['NoAnswer: the database has not answered for 30 s']);
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
    const pausing = retry(() => Promise.reject(away), {
      signal: after.signal,
      onRetry: () => after.abort(reason),
    });
    await expect(pausing).rejects.toBe(reason);
  });
});

describe('waiting', () => {
  it('ends with the reason of a signal that fired already, even if there is a result', async () => {
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
