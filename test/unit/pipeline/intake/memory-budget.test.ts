import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryBudget, type RequestMemory } from '../../../../src/pipeline/intake/memory-budget.ts';
import { turn } from '../../../support/fakes/turn.ts';

const MAX_BYTES = 1_000_000;

/** Whether a wait has ended. */
async function isGranted(wait: Promise<void> | null | undefined): Promise<boolean> {
  let granted = wait === null || wait === undefined;
  void wait?.then(() => {
    granted = true;
  });
  await turn();
  return granted;
}

function calling(budget: MemoryBudget, requestBytes = 0): RequestMemory {
  const memory = budget.open(requestBytes);
  void memory.begin();
  return memory;
}

describe('MemoryBudget', () => {
  it('counts requests, answers and outcomes, and nothing closed', () => {
    const budget = new MemoryBudget(MAX_BYTES);
    const memory = calling(budget, 10_000);
    void memory.grow(20_000);
    expect(budget.bytes).toBeGreaterThanOrEqual(30_000);
    memory.finish(5_000);
    expect(budget.bytes).toBeLessThan(15_000);
    memory.close();
    void memory.grow(1_000);
    memory.finish(1_000);
    expect(budget.bytes).toBe(0);
  });

  it('begins no call above half of it, except one when nothing else runs', async () => {
    const budget = new MemoryBudget(MAX_BYTES);
    const first = budget.open(900_000);
    expect(await isGranted(first.begin())).toBe(true);
    const second = budget.open(0);
    const wait = second.begin();
    expect([await isGranted(wait), budget.waitingCount]).toEqual([false, 1]);
    first.close();
    expect([await isGranted(wait), budget.waitingCount]).toEqual([true, 0]);
  });

  it('accepts nothing while answers and outcomes fill it, and resumes well below', () => {
    const budget = new MemoryBudget(MAX_BYTES);
    const memory = calling(budget);
    memory.finish(700_000);
    expect([budget.mayAccept, budget.mayResume]).toEqual([false, false]);
    memory.finish(600_000);
    expect([budget.mayAccept, budget.mayResume]).toEqual([true, false]);
    memory.close();
    expect([budget.mayAccept, budget.mayResume]).toEqual([true, true]);
  });

  it('makes streams wait near the limit, except the oldest', async () => {
    const budget = new MemoryBudget(MAX_BYTES);
    const [oldest, next, last] = [calling(budget), calling(budget), calling(budget)];
    expect(await isGranted(oldest.grow(300_000))).toBe(true);
    expect(await isGranted(next.grow(300_000))).toBe(true);
    const waits = [next.grow(500_000), last.grow(100_000)];
    expect(await Promise.all(waits.map(isGranted))).toEqual([false, false]);
    expect(await isGranted(oldest.grow(400_000))).toBe(true);
    oldest.end();
    expect(await Promise.all(waits.map(isGranted))).toEqual([true, false]);
  });

  it('makes even the oldest wait while outcomes pile up', async () => {
    const budget = new MemoryBudget(MAX_BYTES);
    const settled = calling(budget);
    settled.finish(500_000);
    const memory = calling(budget);
    const wait = memory.grow(300_000);
    expect(await isGranted(wait)).toBe(false);
    settled.close();
    expect(await isGranted(wait)).toBe(true);
  });

  it('forgets a stream that ended while it waited', async () => {
    const budget = new MemoryBudget(MAX_BYTES);
    const [oldest, next] = [calling(budget), calling(budget)];
    void oldest.grow(700_000);
    const wait = next.grow(100_000);
    next.close();
    oldest.close();
    expect(await isGranted(wait)).toBe(true);
    const other = calling(budget);
    void other.grow(800_000);
    expect(await isGranted(other.grow(900_000))).toBe(true);
  });

  it('counts no call for a request that ended while it waited to begin one', async () => {
    const budget = new MemoryBudget(MAX_BYTES);
    const first = calling(budget);
    void first.grow(540_000);
    for (let index = 0; index < 20; index += 1) {
      const memory = budget.open(20_000);
      expect(await isGranted(memory.begin())).toBe(false);
      if (index % 2 === 0) memory.finish(500);
      memory.close();
    }
    first.close();
    expect([budget.bytes, budget.waitingCount]).toEqual([0, 0]);
    // Too large next to others: it begins only when no call is in flight.
    expect(budget.open(900_000).begin()).toBeNull();
  });

  it('lets the next stream continue when the oldest has ended and its request waits for another call', async () => {
    const budget = new MemoryBudget(MAX_BYTES);
    const [oldest, next] = [calling(budget), calling(budget)];
    void oldest.grow(400_000);
    void next.grow(100_000);
    const wait = next.grow(350_000);
    expect(await isGranted(wait)).toBe(false);
    oldest.endStream();
    expect(await isGranted(wait)).toBe(true);
  });

  it('limits the answers of one tenant to half, so that those of others begin and end', async () => {
    const budget = new MemoryBudget(MAX_BYTES);
    const stalled: RequestMemory[] = [];
    for (let index = 0; index < 100; index += 1) {
      const memory = budget.open(0);
      memory.belongsTo('hostile');
      if (memory.begin() !== null) break;
      stalled.push(memory);
      if (memory.grow(20_000) !== undefined && stalled.length > 1) break;
    }
    const neighbour = budget.open(1_000);
    neighbour.belongsTo('neighbour');
    expect(neighbour.begin()).toBeNull();
    expect(neighbour.grow(50_000)).toBeUndefined();
    for (const memory of [...stalled, neighbour]) memory.close();
    expect(budget.bytes).toBe(0);
  });

  it('stays below its limit for any answers, and ends every stream once outcomes are settled', async () => {
    const answers = fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(answers, fc.boolean(), async (sizes, isSettling) => {
        const budget = new MemoryBudget(MAX_BYTES);
        const finished: RequestMemory[] = [];
        let done = 0;
        const streams = sizes.map(async (size) => {
          const memory = budget.open(1_000);
          await memory.begin();
          for (let read = 0; read < size; read += 5_000) await memory.grow(Math.min(size, read + 5_000));
          memory.finish(size);
          done += 1;
          if (isSettling) memory.close();
          else finished.push(memory);
        });
        await turn();
        expect(budget.bytes).toBeLessThan(MAX_BYTES);
        while (done < sizes.length) {
          const settled = finished.splice(0);
          expect(isSettling || settled.length > 0).toBe(true);
          for (const memory of settled) memory.close();
          await turn();
          expect(budget.bytes).toBeLessThan(MAX_BYTES);
        }
        await Promise.all(streams);
      }),
    );
  });
});
