import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimiter } from '../../../../src/domain/limits/rate-limiter.ts';
import type { RateLimits } from '../../../../src/domain/limits/rate-limits.ts';
import { type Simulation, simulate } from '../rate-limiter-simulation.ts';

const usual: Simulation = {
  workers: 2,
  calls: 300,
  requests: 60,
  tokens: 40_000,
  windowMs: 6_000,
  latencyMs: 20,
  tokensOf: (call) => 200 + ((call * 7919) % 9) * 120,
};

const latencies = [4, 40, 100];
const workerCounts = [1, 2, 5];
const cases = workerCounts.flatMap((workers) => latencies.map((latencyMs) => ({ workers, latencyMs })));

const limits = (requests: number, tokens: number, limit = 60): RateLimits => ({
  requests: { limit, remaining: requests, resetMs: (limit - requests) * 100 },
  tokens: { limit: 40_000, remaining: tokens, resetMs: (40_000 - tokens) / 8 },
});

/** Makes a call now. */
function call(limiter: RateLimiter, tokens: number, now: number) {
  limiter.reserve(tokens, now);
  return limiter.begin(tokens, now);
}

describe('workers that share a limit and coordinate only through headers', () => {
  it.each(cases)('use it well and are rarely refused: %o', (members) => {
    const { refused, calls, throughput } = simulate({ ...usual, ...members });
    expect(refused / calls).toBeLessThan(0.02);
    expect(throughput).toBeGreaterThan(0.85);
  });

  it.each(cases)('adapt when it is halved and the headers report it: %o', (members) => {
    const { refused, calls, throughput } = simulate({ ...usual, ...members, halve: 'reported' });
    expect(refused / calls).toBeLessThan(0.02);
    expect(throughput).toBeGreaterThan(0.85);
  });

  it.each(cases)('adapt when it is halved and nothing reports it: %o', (members) => {
    // Each worker learns it from a few refusals of its own.
    const enough = Math.max(300, 120 * members.workers);
    const { refused, calls, throughput } = simulate({
      ...usual,
      ...members,
      calls: enough,
      halve: 'unreported',
    });
    expect(refused / calls).toBeLessThan(0.05);
    expect(throughput).toBeGreaterThan(0.8);
  });

  it('do so for limits, windows and latencies of any size', () => {
    const any = fc.record({
      workers: fc.integer({ min: 1, max: 3 }),
      requests: fc.integer({ min: 40, max: 400 }),
      windowMs: fc.integer({ min: 4_000, max: 20_000 }),
      latencyMs: fc.integer({ min: 2, max: 60 }),
      size: fc.integer({ min: 100, max: 900 }),
    });
    fc.assert(
      fc.property(any, ({ size, ...members }) => {
        const calls = members.requests * 3;
        const { refused, throughput } = simulate({ ...usual, ...members, calls, tokensOf: () => size });
        expect(refused / calls).toBeLessThan(0.04);
        expect(throughput).toBeGreaterThan(0.8);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a rate limiter', () => {
  it('admits everything while limits are unknown', () => {
    const limiter = new RateLimiter();
    for (let count = 0; count < 1_000; count += 1) call(limiter, 1_000_000, 0);
    expect(limiter.waitMs(1_000_000, 0)).toBe(0);
    expect(limiter.remaining).toEqual({ requests: null, tokens: null });
  });

  it('pauses for as long as the provider asks, but at most for a minute', () => {
    const limiter = new RateLimiter();
    limiter.answered(call(limiter, 10, 0), null, 0);
    limiter.refused(call(limiter, 10, 10), limits(0, 40_000), 5_000, 20);
    expect(limiter.waitMs(10, 20)).toBeGreaterThanOrEqual(5_000);
    limiter.refused(call(limiter, 10, 30), limits(0, 40_000), 86_400_000, 30);
    expect(limiter.waitMs(10, 60_031)).toBeLessThan(86_000_000);
  });

  it('waits for tokens as well as for requests, and reports what remains', () => {
    const limiter = new RateLimiter();
    limiter.answered(call(limiter, 600, 0), limits(59, 4_000), 10);
    expect(limiter.remaining).toEqual({ requests: 59, tokens: 4_000 });
    expect(limiter.waitMs(600, 10)).toBe(0);
    expect(limiter.waitMs(5_000, 10)).toBeGreaterThan(0);
  });

  it('admits a call larger than the whole limit when the limit is full', () => {
    const limiter = new RateLimiter();
    limiter.answered(call(limiter, 600, 0), limits(59, 39_000), 10);
    expect(limiter.waitMs(1_000_000, 10)).toBeLessThan(120_000);
    expect(limiter.waitMs(1_000_000, 200_000)).toBe(0);
  });

  it('does not count released reservations as used', () => {
    const limiter = new RateLimiter();
    limiter.answered(call(limiter, 600, 0), limits(10, 40_000), 10);
    const before = limiter.waitMs(600, 10);
    for (let count = 0; count < 50; count += 1) limiter.reserve(600, 10);
    expect(limiter.waitMs(600, 10)).toBeGreaterThan(before);
    for (let count = 0; count < 50; count += 1) limiter.release(600);
    expect(limiter.waitMs(600, 10)).toBe(before);
  });

  it('ignores an answer that a later one overtook', () => {
    const limiter = new RateLimiter();
    const first = call(limiter, 10, 0);
    const second = call(limiter, 10, 1);
    limiter.answered(second, limits(30, 30_000), 5);
    limiter.answered(first, limits(31, 30_010), 6);
    expect(limiter.remaining.requests).toBe(30);
  });

  it('accepts limits without a reset time as limits per minute', () => {
    const limiter = new RateLimiter();
    const requests = { limit: 60, remaining: 0, resetMs: null };
    limiter.answered(call(limiter, 10, 0), { requests, tokens: null }, 0);
    const waitMs = limiter.waitMs(10, 0);
    expect(waitMs).toBeGreaterThan(1_000);
    expect(limiter.waitMs(10, 600_000)).toBe(0);
  });

  it('does not slow down after a refusal that either reported limit explains', () => {
    for (const explaining of [
      { ...limits(0, 40_000), tokens: null },
      { ...limits(60, 5), requests: null },
    ]) {
      const limiter = new RateLimiter();
      for (let at = 0; at < 100; at += 10) limiter.answered(call(limiter, 600, at), null, at);
      limiter.refused(call(limiter, 600, 100), explaining, null, 110);
      expect(limiter.waitMs(600, 110)).toBeGreaterThan(0);
      // Later the limit is full again, and no other wait remains.
      for (let count = 0; count < 2; count += 1) limiter.reserve(0, 1_000_000);
      expect(limiter.waitMs(0, 1_000_000)).toBe(0);
    }
  });

  it('slows down once for all calls that are refused together, and forgets a limit that is not hit again', () => {
    const limiter = new RateLimiter();
    for (let at = 0; at < 4_000; at += 100) limiter.answered(call(limiter, 1, at), null, at);
    const together = [call(limiter, 1, 4_000), call(limiter, 1, 4_001), call(limiter, 1, 4_002)];
    for (const one of together) limiter.refused(one, null, null, 4_010);
    // 0.6 of a call every 100 ms, once.
    expect(limiter.waitMs(1, 4_010)).toBeCloseTo(100 / 0.6, -1);
    let now = 4_010;
    for (let count = 0; count < 1_000; count += 1) {
      now += limiter.waitMs(1, now);
      limiter.answered(call(limiter, 1, now), null, now);
    }
    for (let count = 0; count < 100; count += 1) call(limiter, 1, now);
    expect(limiter.waitMs(1, now)).toBe(0);
  });

  it('is not slowed down by occasional refusals', () => {
    const limiter = new RateLimiter();
    for (let count = 0; count < 1_000; count += 1) {
      const one = call(limiter, 1, count * 10);
      if (count % 20 === 0) limiter.refused(one, null, null, count * 10);
      else limiter.answered(one, null, count * 10);
      for (let more = 0; more < 2; more += 1) limiter.reserve(1, count * 10);
      expect(limiter.waitMs(1, count * 10)).toBe(0);
      for (let more = 0; more < 2; more += 1) limiter.release(1);
    }
  });

  it('is not slowed down by previous low traffic', () => {
    const limiter = new RateLimiter();
    for (let minute = 0; minute < 40; minute += 1)
      limiter.answered(call(limiter, 1, minute * 60_000), null, minute * 60_000);
    const now = 2_400_000;
    for (let at = now; at < now + 100; at += 10) limiter.answered(call(limiter, 1, at), null, at);
    for (const one of [call(limiter, 1, now + 90), call(limiter, 1, now + 95)])
      limiter.refused(one, null, null, now + 100);
    // 0.6 of a call every 10 ms.
    expect(limiter.waitMs(1, now + 100)).toBeLessThan(20);
  });

  it('slows down from its rate before an outage of the provider', () => {
    const limiter = new RateLimiter();
    for (let at = 0; at < 1_000; at += 10) limiter.answered(call(limiter, 1, at), null, at);
    const back = 30_000;
    for (const one of [call(limiter, 1, back), call(limiter, 1, back)])
      limiter.refused(one, null, null, back + 5);
    // 0.6 of a call every 10 ms.
    expect(limiter.waitMs(1, back + 5)).toBeLessThan(20);
  });

  it('does not keep slowing down for refusals at any rate', () => {
    const limiter = new RateLimiter();
    let now = 0;
    for (let count = 1; count <= 3_000; count += 1) {
      now += Math.max(10, limiter.waitMs(1, now));
      const one = call(limiter, 1, now);
      // In pairs, one call in 25.
      if (count % 50 < 2) limiter.refused(one, null, null, now);
      else limiter.answered(one, null, now);
    }
    expect(3_000 / (now / 1_000)).toBeGreaterThan(30);
  });

  it('slows down again when a limit becomes much smaller', () => {
    const limiter = new RateLimiter();
    let now = 0;
    for (; now < 5_000; now += 10) limiter.answered(call(limiter, 1, now), null, now);
    let taken = 0;
    let refused = 0;
    for (const from = now; now < from + 60_000; ) {
      now += Math.max(1, limiter.waitMs(1, now));
      const one = call(limiter, 1, now);
      // Two calls a second from now on.
      if (taken < ((now - from) * 2) / 1_000) {
        taken += 1;
        limiter.answered(one, null, now);
      } else {
        refused += 1;
        limiter.refused(one, null, null, now);
      }
    }
    expect(taken).toBeGreaterThan(80);
    expect(refused).toBeLessThan(taken / 2);
  });

  it('recovers from the slowest rate in minutes, independent of the number of calls', () => {
    const limiter = new RateLimiter();
    let now = 0;
    for (let refusals = 0; refusals < 20; refusals += 1) {
      limiter.refused(call(limiter, 1, now), null, null, now + 1);
      now += limiter.waitMs(1, now + 1) + 2;
    }
    expect(limiter.waitMs(1, now - 1)).toBeLessThanOrEqual(60_000);
    const until = now + 600_000;
    let calls = 0;
    for (; now < until; calls += 1) {
      limiter.answered(call(limiter, 1, now), null, now);
      now += Math.max(100, limiter.waitMs(1, now));
    }
    expect(calls).toBeGreaterThan(100);
  });

  it('never stops permanently, even if the first calls were refused', () => {
    const limiter = new RateLimiter();
    for (let count = 0; count < 3; count += 1) limiter.refused(call(limiter, 1, 0), null, null, 10);
    expect(limiter.waitMs(1, 10)).toBeGreaterThan(0);
    expect(limiter.waitMs(1, 60_000)).toBe(0);
  });
});
