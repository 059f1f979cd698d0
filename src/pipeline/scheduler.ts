import { Deque } from '../domain/deque.ts';
import { FairQueue } from '../domain/fair-queue.ts';

/** Something to be done in order with everything else of its key. */
export interface Task {
  /** Tasks with one key run one after another, in the order in which they were scheduled. */
  readonly key: string;
  /** Who it is done for: owners take turns when not everything can run at once. */
  readonly owner: string;
  /** Never rejects. */
  run(): Promise<void>;
}

export interface SchedulerOptions {
  /** Tasks at a time. */
  readonly maxRunning: number;
  /** How many tasks of an owner begin in each of its turns, at least 1. */
  readonly weightOf: (owner: string) => number;
}

/**
 * Runs tasks in order per key and without any order across keys, a limited number at a time. When more could run, owners
 * take turns by their weights, and a key that has finished a task goes to the end of its owner's line, so that neither a
 * busy conversation nor a busy tenant keeps others waiting. Constant time per task.
 */
export class Scheduler {
  private readonly maxRunning: number;
  /** Keys that have something to do or are doing it, with what waits behind it. */
  private readonly waitingByKey = new Map<string, Deque<Task>>();
  private readonly ready: FairQueue<Task>;
  /** Running tasks that wait until nothing else runs. */
  private readonly waitingAlone = new Set<() => void>();
  /** Tasks that were let alone and are not done: several when one of them could wait no longer. */
  private aloneCount = 0;
  /** Parked tasks that want to go on, in order. */
  private readonly returning = new Deque<() => void>();
  private parked = 0;
  private running = 0;
  private waiting = 0;

  constructor({ maxRunning, weightOf }: SchedulerOptions) {
    this.maxRunning = maxRunning;
    this.ready = new FairQueue(weightOf);
  }

  get runningCount(): number {
    return this.running;
  }

  /** What is scheduled and not finished, by what it does. */
  get counts() {
    const { running, parked, waiting, aloneCount: alone } = this;
    return { running, parked, waiting, alone };
  }

  /** Scheduled and not finished. */
  get taskCount(): number {
    return this.running + this.parked + this.waiting;
  }

  schedule(task: Task): void {
    this.waiting += 1;
    const behind = this.waitingByKey.get(task.key);
    if (behind !== undefined) {
      behind.push(task);
      return;
    }
    this.waitingByKey.set(task.key, new Deque());
    this.ready.push(task.owner, task);
    this.startReady();
  }

  /**
   * For a running task that may take the process down with it: resolves when nothing else runs, or after `maxWaitMs` in
   * any case. Nothing else begins until the returned function is called.
   */
  async alone(maxWaitMs: number): Promise<() => void> {
    const granted = Promise.withResolvers<void>();
    this.waitingAlone.add(granted.resolve);
    const timer = setTimeout(() => this.grant(granted.resolve), maxWaitMs);
    this.grantAlone();
    await granted.promise;
    clearTimeout(timer);
    return () => {
      this.aloneCount -= 1;
      this.grantAlone();
      this.startReady();
    };
  }

  /**
   * For a running task that waits for something that takes long: its place goes to others, its key stays taken. Not for one
   * that is alone.
   *
   * @returns how it goes on: when there is a place again, before all that have not begun; or at once, beyond the limit
   */
  park(): (atOnce: boolean) => Promise<void> {
    this.running -= 1;
    this.parked += 1;
    this.grantAlone();
    this.startReady();
    return async (atOnce) => {
      if (!atOnce && !this.hasPlace) await new Promise<void>((resolve) => this.returning.push(resolve));
      else this.running += 1;
      this.parked -= 1;
    };
  }

  private get hasPlace(): boolean {
    return this.running < this.maxRunning && this.aloneCount === 0 && this.waitingAlone.size === 0;
  }

  private startReady(): void {
    while (this.hasPlace) {
      const goOn = this.returning.shift();
      if (goOn !== undefined) {
        this.running += 1;
        goOn();
        continue;
      }
      const task = this.ready.shift();
      if (task === undefined) return;
      this.running += 1;
      this.waiting -= 1;
      void task.run().finally(() => this.finished(task.key));
    }
  }

  /** Those that wait to be alone run, but do nothing. */
  private grantAlone(): void {
    if (this.aloneCount > 0 || this.running > this.waitingAlone.size) return;
    for (const resolve of this.waitingAlone) {
      this.grant(resolve);
      return;
    }
  }

  private grant(resolve: () => void): void {
    if (!this.waitingAlone.delete(resolve)) return;
    this.aloneCount += 1;
    resolve();
  }

  private finished(key: string): void {
    this.running -= 1;
    const next = this.waitingByKey.get(key)?.shift();
    if (next === undefined) this.waitingByKey.delete(key);
    else this.ready.push(next.owner, next);
    this.grantAlone();
    this.startReady();
  }
}
