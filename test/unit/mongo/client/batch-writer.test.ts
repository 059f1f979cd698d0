import { describe, expect, it } from 'vitest';
import { createBatchWriter } from '../../../../src/adapters/mongo/client/batch-writer.ts';

/** A database whose answers the test provides. */
function heldDatabase() {
  const batches: { items: readonly number[]; answer: () => void; fail: (error: Error) => void }[] = [];
  const write = createBatchWriter<number, string>((items) => {
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    batches.push({ items, answer: () => resolve(items.map((item) => `written ${item}`)), fail: reject });
    return promise;
  });
  return { batches, write };
}
const microtasks = async () => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

describe('a batch writer', () => {
  it('sends a lone write at once', async () => {
    const { batches, write } = heldDatabase();
    const written = write(1);
    await microtasks();
    expect(batches.map(({ items }) => items)).toEqual([[1]]);
    batches[0]?.answer();
    expect(await written).toBe('written 1');
  });

  it('sends writes of the same turn together, and answers each', async () => {
    const { batches, write } = heldDatabase();
    const written = Promise.all([write(1), write(2), write(3)]);
    await microtasks();
    expect(batches.map(({ items }) => items)).toEqual([[1, 2, 3]]);
    batches[0]?.answer();
    expect(await written).toEqual(['written 1', 'written 2', 'written 3']);
  });

  it('keeps two batches in flight, and gathers later writes into the next', async () => {
    const { batches, write } = heldDatabase();
    for (let item = 1; item <= 8; item += 1) {
      void write(item);
      await microtasks();
    }
    expect(batches.map(({ items }) => items)).toEqual([[1], [2]]);
    batches[1]?.answer();
    await microtasks();
    expect(batches.map(({ items }) => items).slice(2)).toEqual([[3, 4, 5, 6, 7, 8]]);
  });

  it('sends no more than 500 writes in one batch', async () => {
    const { batches, write } = heldDatabase();
    for (let item = 0; item < 1_100; item += 1) void write(item);
    await microtasks();
    batches[0]?.answer();
    await microtasks();
    expect(batches.map(({ items }) => items.length)).toEqual([500, 500, 100]);
  });

  it('writes few items of a failed batch at a time', async () => {
    let running = 0;
    let most = 0;
    const write = createBatchWriter<number, number>(async (items) => {
      if (items.length > 1) throw new Error('one of them is refused');
      running += 1;
      most = Math.max(most, running);
      await microtasks();
      running -= 1;
      return items;
    });
    const items = Array.from({ length: 500 }, (_, item) => item);
    expect(await Promise.all(items.map(write))).toEqual(items);
    expect(most).toBe(8);
  });

  it('writes each item of a failed batch alone, so that a bad one does not affect others', async () => {
    const write = createBatchWriter<number, number>(async (items) => {
      if (items.includes(2)) throw new Error('two is refused');
      return items.map((item) => item * 10);
    });
    expect(await Promise.allSettled([write(1), write(2), write(3)])).toEqual([
      { status: 'fulfilled', value: 10 },
      { status: 'rejected', reason: new Error('two is refused') },
      { status: 'fulfilled', value: 30 },
    ]);
  });
});
