import { expect, it } from 'vitest';
import { isTimeout, withTimeLimit } from '../../../src/adapters/json-schema/engine/time-limit.ts';

/** Calls a function that must throw. @returns what it threw */
function thrownBy(work: () => unknown, limitMs: number): unknown {
  try {
    return withTimeLimit(work, limitMs);
  } catch (error) {
    return error;
  }
}

/** Blocks without using the processor. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it('work within its time behaves like a plain call', () => {
  expect(withTimeLimit(() => 'done', 1_000)).toBe('done');
  const wrong = new TypeError('wrong');
  expect(
    thrownBy(() => {
      throw wrong;
    }, 1_000),
  ).toBe(wrong);
});

it.each<[string, () => unknown]>([
  [
    'a loop',
    () => {
      for (;;);
    },
  ],
  ['a regular expression', () => /^(a+)+$/.test(`${'a'.repeat(100)}!`)],
  [
    'a loop that catches everything',
    () => {
      for (;;)
        try {
          for (;;);
        } catch {}
    },
  ],
])('an endless %s is aborted, and later work succeeds', (_what, work) => {
  expect(isTimeout(thrownBy(work, 5))).toBe(true);
  expect(withTimeLimit(() => 'done', 1_000)).toBe('done');
});

it('work that did not get the processor gets a second try', () => {
  let calls = 0;
  const result = withTimeLimit(() => {
    calls += 1;
    if (calls === 1) standStill(200);
    return calls;
  }, 50);
  // Other processes may have used the processor during the second try too.
  expect(result).toBeGreaterThanOrEqual(2);
});

it('work that never gets the processor is aborted', () => {
  let calls = 0;
  const error = thrownBy(() => {
    calls += 1;
    standStill(200);
  }, 50);
  expect(isTimeout(error)).toBe(true);
  expect(calls).toBe(4);
});

it('other errors are not timeouts', () => {
  for (const error of [new Error('other'), null, 'text', { code: 'OTHER' }])
    expect(isTimeout(error)).toBe(false);
});
