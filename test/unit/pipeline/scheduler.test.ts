import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Scheduler } from '../../../src/pipeline/scheduler.ts';
import { turn } from '../../support/fakes/turn.ts';

/** Schedules tasks that end when the test says so, and keeps the order in which they began. */
class Bench {
  readonly begun: string[] = [];
  readonly running = new Map<string, () => void>();
  private readonly scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  schedule(key: string, name = key): void {
    this.scheduler.schedule({
      key,
      run: () => {
        this.begun.push(name);
        return new Promise((resolve) => this.running.set(name, resolve));
      },
    });
  }

  async end(name: string): Promise<void> {
    const resolve = this.running.get(name);
    if (resolve === undefined) throw new Error(`${name} does not run`);
    this.running.delete(name);
    resolve();
    await turn();
  }
}

function bench(maxRunning: number): { scheduler: Scheduler; tasks: Bench } {
  const scheduler = new Scheduler(maxRunning);
  return { scheduler, tasks: new Bench(scheduler) };
}

describe('Scheduler', () => {
  it('begins a task at once while there is room', () => {
    const { scheduler, tasks } = bench(2);
    tasks.schedule('a');
    tasks.schedule('b');
    tasks.schedule('c');
    expect(tasks.begun).toEqual(['a', 'b']);
    expect([scheduler.runningCount, scheduler.taskCount]).toEqual([2, 3]);
  });

  it('runs one task of a key at a time, in their order, and other keys beside it', async () => {
    const { scheduler, tasks } = bench(10);
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
    expect([scheduler.runningCount, scheduler.taskCount]).toEqual([0, 0]);
  });

  it('begins a key anew after its last task has ended', async () => {
    const { tasks } = bench(1);
    tasks.schedule('a', 'a1');
    await tasks.end('a1');
    tasks.schedule('a', 'a2');
    expect(tasks.begun).toEqual(['a1', 'a2']);
  });

  it('does not let a busy key keep others waiting', async () => {
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

  it('keeps order per key, its limit and nobody waiting without need, in any interleaving', async () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('schedule' as const), key: fc.constantFrom('a', 'b', 'c', 'd') }),
      fc.record({ kind: fc.constant('end' as const), pick: fc.nat() }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(action, { maxLength: 60 }),
        async (limit, actions) => {
          const { scheduler, tasks } = bench(limit);
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
            expect(tasks.running.size).toBe(scheduler.runningCount);
            expect(scheduler.taskCount).toBe(scheduled.length - ended.length);
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
