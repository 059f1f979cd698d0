import { describe, expect, it, vi } from 'vitest';
import { doubledMs, retry } from '../../../src/runtime/retry.ts';

/** Fails with the errors in turn, then succeeds. */
function failing(...errors: Error[]) {
  return vi.fn(async () => {
    const error = errors.shift();
    if (error !== undefined) throw error;
    return 'done';
  });
}

const [one, two, three] = [new Error('one'), new Error('two'), new Error('three')];

describe('retry', () => {
  it('repeats a failing operation until it succeeds, and reports each error', async () => {
    const seen: unknown[] = [];
    const operation = failing(one, two);
    expect(await retry(operation, { onRetry: (error) => void seen.push(error) })).toBe('done');
    expect(seen).toEqual([one, two]);
  });

  it('gives up after so many tries, with the last error', async () => {
    const operation = failing(one, two, three);
    await expect(retry(operation, { tries: 2 })).rejects.toBe(two);
    expect(operation).toHaveBeenCalledTimes(2);
  });

  it('gives up at once on a permanent error', async () => {
    const operation = failing(one, two);
    await expect(retry(operation, { isRetryable: (error) => error !== one })).rejects.toBe(one);
    expect(operation).toHaveBeenCalledTimes(1);
  });

  it('ends with an error thrown before a retry', async () => {
    const onRetry = async () => {
      throw two;
    };
    await expect(retry(failing(one), { onRetry })).rejects.toBe(two);
  });

  it('asks for the delay after each failure, and ends with the reason of its signal during one', async () => {
    const stop = new AbortController();
    const failures: number[] = [];
    const delayMs = (count: number) => {
      failures.push(count);
      if (count === 2) stop.abort(three);
      return count === 2 ? 3_600_000 : 1;
    };
    const operation = failing(one, one, one);
    await expect(retry(operation, { delayMs, signal: stop.signal })).rejects.toBe(three);
    expect(failures).toEqual([1, 2]);
    expect(operation).toHaveBeenCalledTimes(2);
  });

  it('does nothing when its signal has fired', async () => {
    const operation = failing();
    await expect(retry(operation, { signal: AbortSignal.abort(one) })).rejects.toBe(one);
    expect(operation).not.toHaveBeenCalled();
  });
});

describe('doubledMs', () => {
  it('doubles from the first to the longest delay, for any number of failures', () => {
    expect([1, 2, 3, 4, 5, 1_000_000].map((failures) => doubledMs(failures, 20, 200))).toEqual([
      20, 40, 80, 160, 200, 200,
    ]);
  });
});
