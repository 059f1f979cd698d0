import { describe, expect, it } from 'vitest';
import { backoff } from '../../../src/runtime/backoff.ts';

describe('backoff', () => {
  it('waits briefly before the first retry', async () => {
    const began = performance.now();
    await backoff(0, new AbortController().signal);
    // Timers may fire up to a millisecond early.
    expect(performance.now() - began).toBeGreaterThan(8);
  });

  it('ends early and without an error when its signal fires', async () => {
    const stopping = new AbortController();
    const began = performance.now();
    const waited = backoff(1_000_000, stopping.signal);
    stopping.abort(new Error('stop'));
    await waited;
    expect(performance.now() - began).toBeLessThan(900);
  });

  it('does not wait when its signal has already fired', async () => {
    await backoff(50, AbortSignal.abort());
  });
});
