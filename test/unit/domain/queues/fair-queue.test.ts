import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from '../../../../src/domain/queues/fair-queue.ts';

function drained<T>(queue: FairQueue<T>): T[] {
  const items: T[] = [];
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) items.push(item);
  return items;
}

describe('FairQueue', () => {
  it('is a plain queue for one owner', () => {
    const queue = new FairQueue<number>(() => 1);
    for (const item of [1, 2, 3]) queue.push('a', item);
    expect(queue.length).toBe(3);
    expect(drained(queue)).toEqual([1, 2, 3]);
    expect(queue.length).toBe(0);
    expect(queue.shift()).toBeUndefined();
    expect(queue.length).toBe(0);
  });

  it('lets owners take turns, however many items one of them has', () => {
    const queue = new FairQueue<string>(() => 1);
    for (let index = 1; index <= 4; index += 1) queue.push('busy', `busy${index}`);
    queue.push('b', 'b1');
    queue.push('c', 'c1');
    queue.push('b', 'b2');
    expect(drained(queue)).toEqual(['busy1', 'b1', 'c1', 'busy2', 'b2', 'busy3', 'busy4']);
  });

  it('serves each owner as many items per turn as its weight', () => {
    const queue = new FairQueue<string>((owner) => (owner === 'a' ? 2 : 1));
    for (let index = 1; index <= 5; index += 1) queue.push('a', `a${index}`);
    for (let index = 1; index <= 3; index += 1) queue.push('b', `b${index}`);
    expect(drained(queue)).toEqual(['a1', 'a2', 'b1', 'a3', 'a4', 'b2', 'a5', 'b3']);
  });

  it('saves no turns for an owner without items', () => {
    const queue = new FairQueue<string>((owner) => (owner === 'a' ? 2 : 1));
    queue.push('a', 'a1');
    expect(queue.shift()).toBe('a1');
    queue.push('b', 'b1');
    for (let index = 2; index <= 5; index += 1) queue.push('a', `a${index}`);
    expect(drained(queue)).toEqual(['b1', 'a2', 'a3', 'a4', 'a5']);
  });

  it('loses and repeats nothing, keeps the order of each owner, and starves none', () => {
    const owner = fc.constantFrom('a', 'b', 'c');
    const steps = fc.array(fc.oneof(owner, fc.constant(null)), { maxLength: 80 });
    fc.assert(
      fc.property(steps, (life) => {
        const weights: Record<string, number> = { a: 1, b: 2, c: 3 };
        const queue = new FairQueue<string>((name) => weights[name] ?? 1);
        const waiting = new Map<string, string[]>(['a', 'b', 'c'].map((name) => [name, []]));
        /** Items served to others since an owner began to wait for its turn. */
        const patience = new Map<string, number>();
        for (const [index, name] of [...life, ...life.map(() => null)].entries()) {
          if (name !== null) {
            queue.push(name, `${name}${index}`);
            waiting.get(name)?.push(`${name}${index}`);
          } else {
            const item = queue.shift();
            const served = item?.charAt(0);
            if (served === undefined) expect([...waiting.values()].flat()).toEqual([]);
            else expect(waiting.get(served)?.shift()).toBe(item);
            for (const [each, items] of waiting) {
              patience.set(each, each === served || items.length === 0 ? 0 : (patience.get(each) ?? 0) + 1);
              expect(patience.get(each)).toBeLessThanOrEqual(6 - (weights[each] ?? 0));
            }
          }
          expect(queue.length).toBe([...waiting.values()].flat().length);
        }
      }),
    );
  });
});
