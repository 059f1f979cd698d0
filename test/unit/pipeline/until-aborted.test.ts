import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { untilAborted } from '../../../src/pipeline/until-aborted.ts';

const stopped = new Error('stopped');

describe('untilAborted', () => {
  it('gives what the work gives, and leaves nothing behind on the signal', async () => {
    const { signal } = new AbortController();
    expect(await untilAborted(Promise.resolve('done'), signal)).toBe('done');
    await expect(untilAborted(Promise.reject(stopped), signal)).rejects.toBe(stopped);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('ends with the signal’s reason, whether it fires meanwhile or has fired before', async () => {
    const never = Promise.withResolvers<void>().promise;
    const stopping = new AbortController();
    const waiting = untilAborted(never, stopping.signal);
    stopping.abort(stopped);
    await expect(waiting).rejects.toBe(stopped);
    await expect(untilAborted(never, stopping.signal)).rejects.toBe(stopped);
  });

  it('lets work that is done win over a signal that has fired', async () => {
    expect(await untilAborted(Promise.resolve('done'), AbortSignal.abort(stopped))).toBe('done');
  });
});
