import { Deque } from '../domain/deque.ts';

/** Something to be done in order with everything else of its key. */
export interface Task {
  /** Tasks with one key run one after another, in the order in which they were scheduled. */
  readonly key: string;
  /** Never rejects. */
  run(): Promise<void>;
}

/**
 * Runs tasks in order per key and without any order across keys, a limited number at a time. A key that has finished a
 * task goes to the end of the line, so that a busy conversation does not keep others waiting. Constant time per task.
 */
export class Scheduler {
  private readonly maxRunning: number;
  /** Keys that have something to do or are doing it, with what waits behind it. */
  private readonly waitingByKey = new Map<string, Deque<Task>>();
  private readonly ready = new Deque<Task>();
  private running = 0;
  private waiting = 0;

  constructor(maxRunning: number) {
    this.maxRunning = maxRunning;
  }

  get runningCount(): number {
    return this.running;
  }

  /** Scheduled and not finished. */
  get taskCount(): number {
    return this.running + this.waiting;
  }

  schedule(task: Task): void {
    this.waiting += 1;
    const behind = this.waitingByKey.get(task.key);
    if (behind !== undefined) {
      behind.push(task);
      return;
    }
    this.waitingByKey.set(task.key, new Deque());
    this.ready.push(task);
    this.startReady();
  }

  private startReady(): void {
    while (this.running < this.maxRunning) {
      const task = this.ready.shift();
      if (task === undefined) return;
      this.running += 1;
      this.waiting -= 1;
      void task.run().finally(() => this.finished(task.key));
    }
  }

  private finished(key: string): void {
    this.running -= 1;
    const next = this.waitingByKey.get(key)?.shift();
    if (next === undefined) this.waitingByKey.delete(key);
    else this.ready.push(next);
    this.startReady();
  }
}
