import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type Seat, Slots } from '../../../../src/pipeline/admission/slots.ts';
import { turn } from '../../../support/fakes/turn.ts';

/** Schedules tasks that the test ends, and records the order in which they began. */
class Bench {
  readonly begun: string[] = [];
  readonly running = new Map<string, () => void>();
  private readonly seats = new Map<string, Seat>();
  private readonly slots: Slots;

  constructor(slots: Slots) {
    this.slots = slots;
  }

  schedule(key: string, name = key, owner = 'default', lateAfterMs: number | null = null): void {
    this.slots.schedule({
      key,
      owner,
      lateAfterMs,
      run: (seat) => {
        this.begun.push(name);
        this.seats.set(name, seat);
        return new Promise((resolve) => this.running.set(name, resolve));
      },
    });
  }

  seat(name: string): Seat {
    const seat = this.seats.get(name);
    if (seat === undefined) throw new Error(`${name} has not begun`);
    return seat;
  }

  async end(name: string): Promise<void> {
    const resolve = this.running.get(name);
    if (resolve === undefined) throw new Error(`${name} does not run`);
    this.running.delete(name);
    resolve();
    await turn();
  }
}

function bench(maxRunning: number, weightOf = (_owner: string) => 1): { slots: Slots; tasks: Bench } {
  const slots = new Slots({ maxRunning, weightOf });
  return { slots, tasks: new Bench(slots) };
}

describe('Slots', () => {
  it('begins a task at once while there is room', () => {
    const { slots, tasks } = bench(2);
    tasks.schedule('a');
    tasks.schedule('b');
    tasks.schedule('c');
    expect(tasks.begun).toEqual(['a', 'b']);
    expect(slots.counts).toEqual({ running: 2, parked: 0, waiting: 1 });
  });

  it('runs one task of a key at a time, in order, and other keys in parallel', async () => {
    const { slots, tasks } = bench(10);
    tasks.schedule('a', 'a1');
    tasks.schedule('a', 'a2');
    tasks.schedule('a', 'a3');
    tasks.schedule('b', 'b1');
    expect(tasks.begun).toEqual(['a1', 'b1']);
    await tasks.end('a1');
    await tasks.end('a2');
    expect(tasks.begun).toEqual(['a1', 'b1', 'a2', 'a3']);
    await tasks.end('a3');
    await tasks.end('b1');
    expect(slots.counts).toMatchObject({ running: 0, waiting: 0 });
  });

  it('begins a key again after its last task has ended', async () => {
    const { tasks } = bench(1);
    tasks.schedule('a', 'a1');
    await tasks.end('a1');
    tasks.schedule('a', 'a2');
    expect(tasks.begun).toEqual(['a1', 'a2']);
  });

  it('does not let a busy key delay others', async () => {
    const { tasks } = bench(1);
    for (let index = 1; index <= 50; index += 1) tasks.schedule('busy', `busy${index}`);
    tasks.schedule('other');
    tasks.schedule('third');
    await tasks.end('busy1');
    await tasks.end('other');
    await tasks.end('third');
    await tasks.end('busy2');
    expect(tasks.begun).toEqual(['busy1', 'other', 'third', 'busy2', 'busy3']);
  });

  it('lets owners take turns by weight, so that a busy one does not delay others', async () => {
    const { tasks } = bench(1, (owner) => (owner === 'large' ? 2 : 1));
    for (let index = 1; index <= 20; index += 1) tasks.schedule(`busy${index}`, `busy${index}`, 'busy');
    for (let index = 1; index <= 3; index += 1) tasks.schedule(`large${index}`, `large${index}`, 'large');
    for (const name of ['busy1', 'busy2', 'large1', 'large2', 'busy3']) await tasks.end(name);
    expect(tasks.begun).toEqual(['busy1', 'busy2', 'large1', 'large2', 'busy3', 'large3']);
  });

  it('keeps order per key and its limit, and delays no task without need, in any interleaving', async () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('schedule' as const), key: fc.constantFrom('a', 'b', 'c', 'd') }),
      fc.record({ kind: fc.constant('end' as const), pick: fc.nat() }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(action, { maxLength: 60 }),
        async (limit, actions) => {
          const { slots, tasks } = bench(limit);
          const scheduled: string[] = [];
          const ended: string[] = [];
          const endOne = async (pick: number) => {
            const name = [...tasks.running.keys()].at(pick % Math.max(1, tasks.running.size));
            if (name === undefined) return;
            ended.push(name);
            await tasks.end(name);
          };
          const check = () => {
            const keys = [...tasks.running.keys()].map((name) => name.charAt(0));
            expect(new Set(keys).size).toBe(keys.length);
            expect(tasks.running.size).toBe(slots.counts.running);
            expect(slots.counts.running + slots.counts.waiting).toBe(scheduled.length - ended.length);
            const waitingKeys = new Set(
              scheduled.filter((name) => !ended.includes(name)).map((name) => name.charAt(0)),
            );
            expect(tasks.running.size).toBe(Math.min(limit, waitingKeys.size));
          };
          for (const [index, step] of actions.entries()) {
            if (step.kind === 'schedule') {
              scheduled.push(`${step.key}${index}`);
              tasks.schedule(step.key, `${step.key}${index}`);
            } else await endOne(step.pick);
            check();
          }
          while (tasks.running.size > 0) await endOne(0);
          for (const key of ['a', 'b', 'c', 'd']) {
            const ofKey = (names: readonly string[]) => names.filter((name) => name.startsWith(key));
            expect(ofKey(tasks.begun)).toEqual(ofKey(scheduled));
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('a task that would begin too late', () => {
  it('begins without a slot when its time has come, after those of its key', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { slots, tasks } = bench(1);
      tasks.schedule('busy');
      for (const name of ['k1', 'k2']) tasks.schedule('k', name, 'default', 1_000);
      tasks.schedule('patient');
      vi.advanceTimersByTime(999);
      expect(tasks.begun).toEqual(['busy']);
      vi.advanceTimersByTime(1);
      expect(tasks.begun).toEqual(['busy', 'k1']);
      expect(slots.counts).toMatchObject({ running: 2, waiting: 2 });
      await tasks.end('k1');
      expect(tasks.begun).toEqual(['busy', 'k1', 'k2']);
      await tasks.end('k2');
      await tasks.end('busy');
      await tasks.end('patient');
      expect(slots.counts).toEqual({ running: 0, parked: 0, waiting: 0 });
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a task that left its slot', () => {
  const never = new AbortController().signal;

  it('releases its slot to others, and takes turns for another one with new tasks', async () => {
    const { slots, tasks } = bench(1);
    for (const name of ['a', 'b', 'c', 'd']) tasks.schedule(name);
    slots.leave(tasks.seat('a'));
    expect(tasks.begun).toEqual(['a', 'b']);
    expect(slots.counts).toMatchObject({ running: 1, parked: 1, waiting: 2 });
    let isBack = false;
    const back = slots.comeBack(tasks.seat('a'), never).then(() => {
      isBack = true;
    });
    await turn();
    expect(isBack).toBe(false);
    await tasks.end('b');
    await back;
    expect(tasks.begun).toEqual(['a', 'b']);
    expect(slots.counts.running).toBe(1);
    await tasks.end('a');
    expect(tasks.begun).toEqual(['a', 'b', 'c']);
  });

  it('neither starves new tasks nor is starved by them', async () => {
    const { slots, tasks } = bench(1);
    for (const name of ['a', 'b', 'c', 'd']) tasks.schedule(name);
    const goneOn: string[] = [];
    const goAway = (name: string) => {
      slots.leave(tasks.seat(name));
      return slots.comeBack(tasks.seat(name), never).then(() => {
        goneOn.push(name);
      });
    };
    for (const name of ['a', 'b', 'a', 'c', 'b', 'd']) {
      void goAway(name);
      await turn();
    }
    expect(tasks.begun).toEqual(['a', 'b', 'c', 'd']);
    expect(goneOn.slice(0, 3)).toEqual(['a', 'b', 'a']);
  });

  it('continues at once when a slot is free, or when it is about to end', async () => {
    const { slots, tasks } = bench(1);
    tasks.schedule('a');
    slots.leave(tasks.seat('a'));
    await slots.comeBack(tasks.seat('a'), never);
    expect(slots.counts.running).toBe(1);
    slots.leave(tasks.seat('a'));
    tasks.schedule('b');
    slots.takeAnyway(tasks.seat('a'));
    slots.takeAnyway(tasks.seat('a'));
    expect(slots.counts).toMatchObject({ running: 2, parked: 0 });
    await tasks.end('a');
    await tasks.end('b');
    expect(slots.counts).toMatchObject({ running: 0, parked: 0, waiting: 0 });
  });

  it('stops waiting for a slot when its signal fires', async () => {
    const { slots, tasks } = bench(1);
    tasks.schedule('a');
    tasks.schedule('b');
    const leaving = new AbortController();
    slots.leave(tasks.seat('a'));
    const back = slots.comeBack(tasks.seat('a'), leaving.signal);
    leaving.abort('enough');
    await expect(back).rejects.toBe('enough');
    await tasks.end('b');
    expect(slots.counts).toMatchObject({ running: 0, parked: 1 });
    await expect(slots.comeBack(tasks.seat('a'), leaving.signal)).rejects.toBe('enough');
  });

  it('keeps its key, and has no slot to release', async () => {
    const { slots, tasks } = bench(2);
    tasks.schedule('a', 'first');
    tasks.schedule('a', 'second');
    slots.leave(tasks.seat('first'));
    await turn();
    expect(tasks.begun).toEqual(['first']);
    expect(() => slots.leave(tasks.seat('first'))).toThrow('parked');
  });
});
