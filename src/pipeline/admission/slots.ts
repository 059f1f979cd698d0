import { FairQueue, type Place } from '../../domain/queues/fair-queue.ts';

/** Something to be done in order with everything else of its key. */
export interface Task {
  /** Tasks with one key run one after another, in the order in which they were scheduled. */
  readonly key: string;
  /** Who it is done for: owners take turns when not everything can run at once. */
  readonly owner: string;
  /** Milliseconds after which it begins although there is no slot, as soon as those before it under its key are done; null: never. */
  readonly lateAfterMs?: number | null;
  /** Never rejects. */
  run(seat: Seat): Promise<void>;
}

/** A timer cannot wait longer. */
const LONGEST_TIMER_MS = 2_147_483_647;

export interface SlotsOptions {
  /** Tasks at a time. */
  readonly maxRunning: number;
  /** How many tasks of an owner go on in each of its turns, at least 1. */
  readonly weightOf: (owner: string) => number;
}

/**
 * A task's state, which only `Slots` changes. It has a slot while it is running.
 *
 *   queued ───────► running ──leave()──► away ──┬─► returning ──► running …
 *    after those       │                        └─ take(), takeAnyway() ──► running …
 *    of its key        ▼
 *                    ended
 */
export class Seat {
  readonly task: Task;
  state: 'queued' | 'running' | 'away' | 'returning' | 'ended' = 'queued';
  /** The one that is queued behind it under its key. */
  next: Seat | null = null;
  /** Where it is queued for a slot; null while it is not. */
  place: Place<SlotWanted> | null = null;
  isLate = false;
  lateTimer: NodeJS.Timeout | null = null;

  constructor(task: Task) {
    this.task = task;
  }

  get owner(): string {
    return this.task.owner;
  }
}

/** What stands in line for a slot: called in its turn, it takes the slot, or leaves it to the next. */
export type SlotWanted = () => void;

/**
 * Runs tasks in order per key and without any order across keys, a limited number at a time. When more could run, owners take
 * turns by their weights. What returns from a wait and what has not begun take turns too, and a key that has finished a
 * task goes to the end of its owner's line, so neither a busy conversation nor a busy tenant keeps others waiting.
 * Constant time per task.
 */
export class Slots {
  private readonly maxRunning: number;
  /** The last task of each key that has one which is not done. */
  private readonly lastOfKey = new Map<string, Seat>();
  private readonly wanted: FairQueue<SlotWanted>;
  private parked = 0;
  private running = 0;
  private waiting = 0;

  constructor({ maxRunning, weightOf }: SlotsOptions) {
    this.maxRunning = maxRunning;
    this.wanted = new FairQueue(weightOf);
  }

  /** What is scheduled and not finished, by what it does. */
  get counts() {
    const { running, parked, waiting } = this;
    return { running, parked, waiting };
  }

  /** Whether a slot may be taken although nobody's turn has come: nobody waits for one. */
  get isFree(): boolean {
    return this.wanted.length === 0 && this.hasSlot;
  }

  schedule(task: Task): void {
    const seat = new Seat(task);
    const last = this.lastOfKey.get(task.key);
    this.lastOfKey.set(task.key, seat);
    this.waiting += 1;
    if (last === undefined && this.isFree) {
      this.start(seat);
      return;
    }
    const { lateAfterMs = null } = task;
    if (lateAfterMs !== null && lateAfterMs <= LONGEST_TIMER_MS)
      seat.lateTimer = setTimeout(() => this.late(seat), lateAfterMs);
    if (last !== undefined) last.next = seat;
    else this.queue(seat);
  }

  /** For a running task that waits for something: its slot goes to others, its key stays taken. */
  leave(seat: Seat): void {
    if (seat.state !== 'running') throw new Error(`a task that is ${seat.state} has no slot to leave`);
    seat.state = 'away';
    this.running -= 1;
    this.parked += 1;
    this.dispatch();
  }

  /** Stands in line for a slot. Ends with `unwant`, or in its turn. */
  want(owner: string, wanted: SlotWanted): Place<SlotWanted> {
    return this.wanted.push(owner, wanted, 'again');
  }

  unwant(place: Place<SlotWanted>): void {
    this.wanted.remove(place);
  }

  /** A task that is away has a slot from now on: in its turn, or while one is free. */
  take(seat: Seat): void {
    seat.state = 'running';
    this.running += 1;
    this.parked -= 1;
  }

  /** A task that is about to end has a slot at once, beyond the limit. */
  takeAnyway(seat: Seat): void {
    if (seat.state === 'away' || seat.state === 'returning') this.take(seat);
  }

  /**
   * A task that was away waits for a slot in its turn; one that has a slot goes on at once.
   *
   * @throws the signal's reason
   */
  async comeBack(seat: Seat, signal: AbortSignal): Promise<void> {
    if (seat.state === 'running') return;
    signal.throwIfAborted();
    if (this.isFree) {
      this.take(seat);
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    seat.state = 'returning';
    const place = this.want(seat.owner, () => {
      this.take(seat);
      resolve();
    });
    const stop = () => {
      this.unwant(place);
      reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
    await promise.finally(() => signal.removeEventListener('abort', stop));
  }

  private get hasSlot(): boolean {
    return this.running < this.maxRunning;
  }

  private dispatch(): void {
    while (this.hasSlot) {
      const takesSlot = this.wanted.shift();
      if (takesSlot === undefined) return;
      takesSlot();
    }
  }

  private queue(seat: Seat): void {
    if (seat.isLate) this.start(seat);
    else seat.place = this.wanted.push(seat.owner, () => this.start(seat));
  }

  /** It can only tell that it came too late: that waits for nobody's call. */
  private late(seat: Seat): void {
    seat.isLate = true;
    if (seat.place !== null && this.wanted.remove(seat.place)) this.start(seat);
  }

  private start(seat: Seat): void {
    if (seat.lateTimer !== null) clearTimeout(seat.lateTimer);
    seat.state = 'running';
    this.running += 1;
    this.waiting -= 1;
    void seat.task.run(seat).finally(() => this.finished(seat));
  }

  private finished(seat: Seat): void {
    const { next, task } = seat;
    seat.state = 'ended';
    this.running -= 1;
    if (next === null) this.lastOfKey.delete(task.key);
    else this.queue(next);
    this.dispatch();
  }
}
