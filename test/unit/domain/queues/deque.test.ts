import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deque } from '../../../../src/domain/queues/deque.ts';

describe('Deque', () => {
  it('is empty at first', () => {
    const deque = new Deque<string>();
    expect(deque.length).toBe(0);
    expect(deque.peek()).toBeUndefined();
    expect(deque.shift()).toBeUndefined();
    expect([...deque]).toEqual([]);
  });

  it('behaves like an array under any operations', () => {
    const operation = fc.oneof(
      { weight: 6, arbitrary: fc.constant('push' as const) },
      { weight: 4, arbitrary: fc.constant('shift' as const) },
      {
        weight: 3,
        arbitrary: fc.constantFrom(
          'clear' as const,
          'shift many' as const,
          'shift many' as const,
          'push many' as const,
          'push many' as const,
        ),
      },
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const deque = new Deque<number>();
        const model: number[] = [];
        let next = 0;
        const push = () => {
          deque.push(next);
          model.push(next);
          next += 1;
        };
        for (const name of operations) {
          if (name === 'push') push();
          if (name === 'push many') for (let index = 0; index < 50; index += 1) push();
          if (name === 'shift') expect(deque.shift()).toBe(model.shift());
          if (name === 'shift many')
            for (let index = 0; index < 40; index += 1) expect(deque.shift()).toBe(model.shift());
          if (name === 'clear') {
            deque.clear();
            model.length = 0;
          }
          expect(deque.length).toBe(model.length);
          expect(deque.peek()).toBe(model[0]);
          expect([...deque]).toEqual(model);
        }
      }),
    );
  });

  it('holds undefined like any other item', () => {
    const deque = new Deque<undefined>();
    deque.push(undefined);
    deque.push(undefined);
    deque.shift();
    expect(deque.length).toBe(1);
  });
});
