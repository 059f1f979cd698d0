const SLOT_COUNT = 4096;
const SLOT_MASK = SLOT_COUNT - 1;

/** Something the wheel runs once when its time has come. It may schedule itself again from `run`. */
export interface WheelTask {
  /** Owned by the wheel: the millisecond the task is due at. */
  dueTick: number;
  run(nowMs: number): void;
}

/**
 * One timer for every waiting stream: a hashed wheel of one-millisecond slots.
 *
 * Ten thousand streams would otherwise keep ten thousand timers, and tokens due in the same millisecond would each
 * wake the event loop. There is no cancel: a task whose stream is gone is expected to return at once.
 */
export class TimerWheel {
  readonly #slots: WheelTask[][] = Array.from({ length: SLOT_COUNT }, () => []);
  readonly #clock: () => number;
  #handledTick = 0;
  #pending = 0;
  #timer: NodeJS.Timeout | undefined;
  #armedTick = Number.POSITIVE_INFINITY;

  /** @param clock monotonic milliseconds */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Runs the task at the first millisecond that is not before `dueMs`, and never inside this call. */
  schedule(task: WheelTask, dueMs: number): void {
    if (this.#pending === 0) this.#handledTick = Math.floor(this.#clock());
    const tick = Math.max(Math.ceil(dueMs), this.#handledTick + 1);
    task.dueTick = tick;
    this.#slots[tick & SLOT_MASK]?.push(task);
    this.#pending += 1;
    if (tick < this.#armedTick) this.#arm(tick);
  }

  /** Runs `action` once after `delayMs`. */
  after(delayMs: number, action: () => void): void {
    this.schedule({ dueTick: 0, run: action }, this.#clock() + delayMs);
  }

  #arm(tick: number): void {
    clearTimeout(this.#timer);
    this.#armedTick = tick;
    this.#timer = setTimeout(() => this.#turn(), Math.max(0, Math.ceil(tick - this.#clock())));
  }

  #turn(): void {
    this.#armedTick = Number.NEGATIVE_INFINITY; // tasks that schedule during the turn must not arm: the turn does
    const now = this.#clock();
    const lastTick = Math.floor(now);
    // After a pause longer than the wheel one full round meets every slot.
    let tick = Math.max(this.#handledTick + 1, lastTick - SLOT_MASK);
    for (; tick <= lastTick; tick += 1) {
      this.#handledTick = tick;
      const slot = this.#slots[tick & SLOT_MASK];
      if (slot === undefined || slot.length === 0) continue;
      this.#slots[tick & SLOT_MASK] = [];
      for (const task of slot) this.#runOrKeep(task, lastTick, now);
    }
    this.#armedTick = Number.POSITIVE_INFINITY;
    this.#armNext();
  }

  #runOrKeep(task: WheelTask, lastTick: number, now: number): void {
    if (task.dueTick > lastTick) {
      this.#slots[task.dueTick & SLOT_MASK]?.push(task);
      return;
    }
    this.#pending -= 1;
    task.run(now);
  }

  #armNext(): void {
    if (this.#pending === 0) return;
    for (let ahead = 1; ahead <= SLOT_COUNT; ahead += 1) {
      const tick = this.#handledTick + ahead;
      if (this.#slots[tick & SLOT_MASK]?.length) {
        this.#arm(tick);
        return;
      }
    }
  }
}
