import { FairQueue, type Place } from '../../domain/queues/fair-queue.ts';

/** A task that runs in order with all other tasks of its key. */
export interface Task {
  /** Tasks with one key run one after another, in the order in which they were scheduled. */
  readonly key: string;
  /** The tenant that it runs for. Owners take turns if not everything can run at once. */
  readonly owner: string;
  /** Milliseconds after which it starts even without a slot, once the tasks before it under its key are done; null: never. */
  readonly lateAfterMs?: number | null;
  /** Once it fires, the task starts even without a slot, once the tasks before it under its key are done. */
  readonly cancelled?: AbortSignal;
  /** Never rejects. */
  run(seat: Seat): Promise<void>;
}

/** The longest delay of a timer. */
const LONGEST_TIMER_MS = 2_147_483_647;

export interface SlotsOptions {
  /** Tasks that run at the same time. */
  readonly maxRunning: number;
  /** How many tasks of an owner continue in each of its turns, at least 1. */
  readonly weightOf: (owner: string) => number;
}

/**
 * The state of a task, which only `Slots` changes. A running task has a slot.
 *
 *   queued ───────► running ──leave()──► parked ──┬─► returning ──► running …
 *    after those       │                         └─ take(), takeAnyway() ──► running …
 *    of its key        ▼
 *                    ended
 */
export class Seat {
  readonly task: Task;
  state: 'queued' | 'running' | 'parked' | 'returning' | 'ended' = 'queued';
  /** The task queued behind it under its key. */
  next: Seat | null = null;
  /** Its place in line for a slot; null if it stands in none. */
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

/** An entry in the line for a slot. Called in its turn, it takes the slot or leaves it to the next. */
export type SlotWanted = () => void;

/**
 * Runs tasks in order per key and in any order across keys, a limited number at a time. If more could run, owners take turns by
 * their weights. Tasks that return from a wait and tasks that have not started take turns too. A key that has finished a task
 * goes to the end of its owner's line. So neither a busy conversation nor a busy tenant keeps others waiting. Constant time per
 * task.
 */
export class Slots {
  private readonly maxRunning: number;
  /** The last unfinished task of each key. */
  private readonly lastOfKey = new Map<string, Seat>();
  private readonly wanted: FairQueue<SlotWanted>;
  private parked = 0;
  private running = 0;
  private waiting = 0;

  constructor({ maxRunning, weightOf }: SlotsOptions) {
    this.maxRunning = maxRunning;
    this.wanted = new FairQueue(weightOf);
  }

  /** Scheduled tasks that are not finished, by state. */
  get counts() {
    const { running, parked, waiting } = this;
    return { running, parked, waiting };
  }

  /** Whether a slot is free and nobody waits for one. */
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
    const { lateAfterMs = null, cancelled } = task;
    if (cancelled?.aborted === true) seat.isLate = true;
    else cancelled?.addEventListener('abort', () => this.late(seat), { once: true });
    if (lateAfterMs !== null && lateAfterMs <= LONGEST_TIMER_MS)
      seat.lateTimer = setTimeout(() => this.late(seat), lateAfterMs);
    if (last !== undefined) last.next = seat;
    else this.queue(seat);
  }

  /** A running task starts to wait for something: its slot goes to others, its key stays taken. */
  leave(seat: Seat): void {
    if (seat.state !== 'running') throw new Error(`a task that is ${seat.state} has no slot to leave`);
    seat.state = 'parked';
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

  /** A parked task takes a slot: in its turn, or while one is free. */
  take(seat: Seat): void {
    seat.state = 'running';
    this.running += 1;
    this.parked -= 1;
  }

  /** A task that is about to end takes a slot at once, beyond the limit. */
  takeAnyway(seat: Seat): void {
    if (seat.state === 'parked' || seat.state === 'returning') this.take(seat);
  }

  /**
   * A parked task waits for a slot in its turn. A task that has a slot continues at once.
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

  /** It makes no call any more, and so waits for none. */
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
