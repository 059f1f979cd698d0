import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CircuitBreaker } from '../../../../src/domain/limits/circuit-breaker.ts';

const options = { threshold: 3, baseMs: 1_000, maxMs: 4_000 };

/** A breaker that has just opened, at time 0. */
function opened(random = 0): CircuitBreaker {
  const breaker = new CircuitBreaker(options);
  for (let count = 0; count < 3; count += 1) breaker.failed(false, 0, random);
  return breaker;
}

describe('a circuit breaker', () => {
  it('opens after so many failures in a row, and reports it once', () => {
    const breaker = new CircuitBreaker(options);
    expect(breaker.failed(false, 0, 0)).toBe(false);
    expect(breaker.failed(false, 0, 0)).toBe(false);
    expect(breaker.succeeded()).toBe(false);
    const transitions = [1, 2, 3, 4].map(() => breaker.failed(false, 0, 0));
    expect(transitions).toEqual([false, false, true, false]);
    expect(breaker.state).toBe('open');
  });

  it('lets exactly one call through when its wait is over', () => {
    const breaker = opened();
    expect(breaker.waitMs(0)).toBe(500);
    expect(breaker.waitMs(500)).toBe(0);
    expect(breaker.letThrough()).toBe(true);
    expect(breaker.state).toBe('half_open');
    expect(breaker.waitMs(10_000)).toBe(Number.POSITIVE_INFINITY);
  });

  it('waits longer after each probe that fails, up to a bound', () => {
    const breaker = opened(1);
    const waits = [1, 2, 3, 4].map(() => {
      breaker.letThrough();
      breaker.failed(true, 0, 1);
      return breaker.waitMs(0);
    });
    expect(waits).toEqual([2_000, 4_000, 4_000, 4_000]);
  });

  it('closes on any success, and counts from zero with the next failure', () => {
    const breaker = opened();
    expect(breaker.succeeded()).toBe(true);
    expect(breaker.waitMs(0)).toBe(0);
    expect(breaker.letThrough()).toBe(false);
    expect(breaker.failed(false, 0, 0)).toBe(false);
    expect(breaker.state).toBe('closed');
  });

  it('allows the next probe at once after one that ended without an answer', () => {
    const breaker = opened();
    breaker.letThrough();
    breaker.abandoned(100);
    expect(breaker.waitMs(100)).toBe(0);
    breaker.succeeded();
    breaker.abandoned(100);
    expect(breaker.state).toBe('closed');
  });

  it('ignores calls that were made before it opened', () => {
    const breaker = opened();
    breaker.letThrough();
    breaker.failed(false, 0, 0);
    expect(breaker.state).toBe('half_open');
  });

  it('never has two probes in flight, in any order of events', () => {
    const step = fc.constantFrom('fail', 'succeed', 'abandon', 'time');
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const breaker = opened();
        let now = 0;
        let isProbing = false;
        for (const what of steps) {
          if (breaker.waitMs(now) === 0) {
            const isProbe = breaker.letThrough();
            expect(isProbe && isProbing).toBe(false);
            isProbing ||= isProbe;
          }
          if (what === 'time') now += 10_000;
          else {
            if (what === 'fail') breaker.failed(isProbing, now, 0);
            else if (what === 'succeed') breaker.succeeded();
            else if (isProbing) breaker.abandoned(now);
            isProbing = false;
          }
        }
      }),
    );
  });
});
