import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IntakeLimits } from '../../../../src/pipeline/intake/intake-limits.ts';

/** Limits of 100 requests and 1,000 bytes, with so many requests of one byte accepted by partition. */
function limitsWith(counts: Readonly<Record<string, number>> = {}): IntakeLimits {
  const limits = new IntakeLimits({ maxRequests: 100, maxBytes: 1_000 });
  for (const [partition, count] of Object.entries(counts)) {
    for (let index = 0; index < count; index += 1) limits.add(partition, 1);
  }
  return limits;
}

describe('IntakeLimits', () => {
  it('counts requests and bytes', () => {
    const limits = limitsWith({ a: 2, b: 1 });
    limits.remove('a', 1);
    expect([limits.requests, limits.bytes]).toEqual([2, 2]);
  });

  it('lets one partition fill everything when it is the only one', () => {
    expect(limitsWith().budget('a')).toBe(100);
    expect(limitsWith({ a: 60 }).budget('a')).toBe(40);
    expect(limitsWith({ a: 100 }).budget('a')).toBe(0);
  });

  it('lets any partition in below half of the limit', () => {
    const limits = limitsWith({ a: 45, b: 1, c: 1, d: 1 });
    expect(limits.budget('a')).toBe(2);
    expect(limits.mayResume('a')).toBe(true);
  });

  it('gives each active partition an equal share above that', () => {
    const limits = limitsWith({ a: 60, b: 10 });
    expect(limits.budget('a')).toBe(0);
    expect(limits.budget('b')).toBe(30);
    expect(limits.budget('new')).toBe(30);
  });

  it('has no budget for any partition while there is no room for bytes', () => {
    const limits = limitsWith();
    limits.add('a', 1_000);
    expect([limits.budget('a'), limits.budget('b')]).toEqual([0, 0]);
    limits.remove('a', 1_000);
    expect(limits.budget('b')).toBe(100);
  });

  it('resumes only well below its limits', () => {
    expect([limitsWith({ a: 81 }), limitsWith({ a: 80 })].map((limits) => limits.mayResume('a'))).toEqual([
      false,
      true,
    ]);
    const limits = limitsWith();
    limits.add('a', 801);
    expect(limits.mayResume('a')).toBe(false);
    limits.remove('a', 801);
    limits.add('a', 800);
    expect(limits.mayResume('a')).toBe(true);
  });

  it('resumes a partition that has less than its share before one that has more', () => {
    const limits = limitsWith({ a: 60, b: 10 });
    expect([limits.mayResume('a'), limits.mayResume('b')]).toEqual([false, true]);
    expect(limitsWith({ a: 39, b: 10 }).mayResume('a')).toBe(true);
    expect(limitsWith({ a: 41, b: 10 }).mayResume('a')).toBe(false);
  });

  it('never exceeds its limit, and resumes every partition when all requests are done', () => {
    const partition = fc.constantFrom('a', 'b', 'c', 'd');
    const step = fc.record({ partition, bytes: fc.nat(300), done: fc.boolean() });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(step, { maxLength: 100 }),
        (maxRequests, steps) => {
          const limits = new IntakeLimits({ maxRequests, maxBytes: 1_000 });
          const accepted: { readonly partition: string; readonly bytes: number }[] = [];
          for (const { done, ...request } of steps) {
            const first = accepted[0];
            if (done && first !== undefined) {
              accepted.shift();
              limits.remove(first.partition, first.bytes);
            } else if (limits.budget(request.partition) > 0) {
              accepted.push(request);
              limits.add(request.partition, request.bytes);
            }
            expect(limits.requests).toBe(accepted.length);
            expect(limits.requests).toBeLessThanOrEqual(maxRequests);
            expect(limits.bytes).toBeLessThan(1_000 + 300);
          }
          for (const { partition: of, bytes } of accepted) limits.remove(of, bytes);
          for (const each of ['a', 'b', 'c', 'd']) {
            expect(limits.mayResume(each)).toBe(true);
            expect(limits.budget(each)).toBe(maxRequests);
          }
        },
      ),
    );
  });
});

describe('IntakeLimits of paused partitions', () => {
  it('names each of them once, when it has room again', () => {
    const limits = new IntakeLimits({ maxRequests: 10, maxBytes: 1_000 });
    for (let count = 0; count < 10; count += 1) limits.add(count < 9 ? 'full' : 'other', 1);
    limits.refused('full');
    limits.refused('other');
    expect(limits.takeResumable()).toEqual([]);
    for (let count = 0; count < 2; count += 1) limits.remove('full', 1);
    expect(limits.takeResumable()).toEqual(['other']);
    for (let count = 0; count < 7; count += 1) limits.remove('full', 1);
    expect(limits.takeResumable()).toEqual(['full']);
    expect(limits.takeResumable()).toEqual([]);
  });
});
