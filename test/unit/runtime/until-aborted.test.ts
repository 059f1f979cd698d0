import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { untilAborted } from '../../../src/runtime/until-aborted.ts';

const stopped = new Error('stopped');

describe('untilAborted', () => {
  it('returns the result of the work, and leaves no listener on the signal', async () => {
    const { signal } = new AbortController();
    expect(await untilAborted(Promise.resolve('done'), signal)).toBe('done');
    await expect(untilAborted(Promise.reject(stopped), signal)).rejects.toBe(stopped);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('rejects with the signal’s reason, whether it fires during the work or has already fired', async () => {
    const never = Promise.withResolvers<void>().promise;
    const stopping = new AbortController();
    const waiting = untilAborted(never, stopping.signal);
    stopping.abort(stopped);
    await expect(waiting).rejects.toBe(stopped);
    await expect(untilAborted(never, stopping.signal)).rejects.toBe(stopped);
  });

  it('prefers finished work over a signal that has fired', async () => {
    expect(await untilAborted(Promise.resolve('done'), AbortSignal.abort(stopped))).toBe('done');
  });
});
