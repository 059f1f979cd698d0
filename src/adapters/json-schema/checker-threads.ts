import type { BatchResult, JobToRun } from './checker-protocol.ts';
import { CheckerThread } from './checker-thread.ts';

/** How long one item may take before its thread is ended: far more than the limits within the thread. */
const HARD_LIMIT_MS = 2_000;
/** How often the thread's progress is looked at; the second look without progress starts a spare thread. */
const LOOK_MS = 250;
/** An item that did not get the processor is waited for longer, but not without end. */
const MAX_WAIT_MS = 2 * HARD_LIMIT_MS;
/** Threads that are being ended and have not yet. No more are started above that. */
const MAX_ENDING = 2;
const RESTART_DELAY_MS = { first: 100, most: 30_000 } as const;

export interface ThreadsListener {
  /** A thread waits for something to do. */
  onIdle(): void;
  onDone(jobs: BatchResult): void;
  /**
   * The thread that was doing this has ended before it was done. Which item it had begun last is null when it had begun
   * none of them.
   */
  onLost(begun: { job: number; item: number } | null, reason: string): void;
}

/**
 * The thread that checks, and the one that takes its place.
 *
 *   starting ──ready──► idle ◄──done── busy
 *                        └────run()────►│ no progress for the hard limit, or the thread died
 *   spare (or starting) ◄───onLost──────┘
 *
 * The spare is started when the first item takes long, or when a thread died without that, and kept from then on.
 */
export class CheckerThreads {
  readonly #listener: ThreadsListener;
  #current: CheckerThread | null = null;
  #spare: CheckerThread | null = null;
  #ending = 0;
  #isBusy = false;
  #keepsSpare = false;
  #closed = false;
  #failures = 0;
  #restart: NodeJS.Timeout | null = null;
  #watch: NodeJS.Timeout | null = null;
  /** The progress when the thread was given its work, and when it was last seen to change. */
  #before = 0;
  #seen = { started: -1, atMs: 0, processorMs: 0 };

  constructor(listener: ThreadsListener) {
    this.#listener = listener;
  }

  get isIdle(): boolean {
    return this.#current?.isReady === true && !this.#isBusy;
  }

  /** Starts the first thread; later ones are started automatically. */
  start(): void {
    if (this.#closed || this.#current !== null || this.#restart !== null) return;
    this.#current = this.#newThread();
  }

  /** Only when idle. */
  run(jobs: readonly JobToRun[]): void {
    const thread = this.#current;
    if (thread === null) return;
    this.#isBusy = true;
    this.#before = thread.progress.started;
    this.#seen = { started: this.#before, atMs: performance.now(), processorMs: processorMs() };
    thread.run(jobs);
    this.#watch ??= setTimeout(() => this.#look(), LOOK_MS).unref();
  }

  /** Ends all threads; what was given to them is not reported any more. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    if (this.#watch !== null) clearTimeout(this.#watch);
    const threads = [this.#current, this.#spare];
    this.#current = null;
    this.#spare = null;
    await Promise.all(threads.map((thread) => thread?.end()));
  }

  #newThread(): CheckerThread | null {
    if (this.#closed || this.#ending >= MAX_ENDING) return null;
    const thread: CheckerThread = new CheckerThread({
      onReady: () => {
        this.#failures = 0;
        if (thread === this.#current) this.#listener.onIdle();
      },
      onDone: (jobs) => this.#done(jobs),
      onDied: (reason) => (thread === this.#current ? this.#lost(reason) : this.#lostSpare()),
    });
    return thread;
  }

  #done(jobs: BatchResult): void {
    this.#isBusy = false;
    this.#listener.onDone(jobs);
    if (this.isIdle) this.#listener.onIdle();
  }

  /** Looks whether the thread gets on. */
  #look(): void {
    this.#watch = null;
    if (!this.#isBusy || this.#current === null) return;
    const { started } = this.#current.progress;
    if (started !== this.#seen.started) {
      this.#seen = { started, atMs: performance.now(), processorMs: processorMs() };
    }
    const waitedMs = performance.now() - this.#seen.atMs;
    if (waitedMs >= LOOK_MS * 1.5) this.#keepSpare();
    const hardlyRan = processorMs() - this.#seen.processorMs < HARD_LIMIT_MS / 2;
    if (waitedMs >= HARD_LIMIT_MS && (!hardlyRan || waitedMs >= MAX_WAIT_MS)) {
      // This loop may have stood still itself: what the thread has posted meanwhile comes first.
      setImmediate(() => this.#endIfStill(started));
      return;
    }
    this.#watch = setTimeout(() => this.#look(), LOOK_MS).unref();
  }

  #endIfStill(started: number): void {
    const thread = this.#current;
    if (!this.#isBusy || thread === null) return;
    if (thread.progress.started !== started) {
      this.#watch = setTimeout(() => this.#look(), LOOK_MS).unref();
      return;
    }
    this.#lost('time limit');
  }

  #lost(reason: string): void {
    const thread = this.#current;
    if (thread === null) return;
    const { started, job, item } = thread.progress;
    const wasBusy = this.#isBusy;
    const wasReady = thread.isReady;
    this.#isBusy = false;
    this.#end(thread);
    this.#current = this.#spare;
    this.#spare = null;
    if (wasReady) this.#keepsSpare = true;
    else this.#failures += 1;
    if (this.#current === null) this.#startLater();
    else this.#keepSpare();
    if (wasBusy) this.#listener.onLost(started === this.#before ? null : { job, item }, reason);
    if (this.isIdle) this.#listener.onIdle();
  }

  #lostSpare(): void {
    this.#spare = null;
  }

  #end(thread: CheckerThread): void {
    this.#ending += 1;
    void thread.end().then(() => {
      this.#ending -= 1;
      if (this.#current === null) this.#startLater();
      else if (this.#keepsSpare) this.#keepSpare();
    });
  }

  #keepSpare(): void {
    this.#keepsSpare = true;
    this.#spare ??= this.#newThread();
  }

  /** At once, unless threads do not even start: then with growing pauses. */
  #startLater(): void {
    if (this.#closed || this.#restart !== null) return;
    if (this.#failures === 0) {
      this.#current ??= this.#newThread();
      return;
    }
    const delayMs = Math.min(RESTART_DELAY_MS.first * 2 ** this.#failures, RESTART_DELAY_MS.most);
    this.#restart = setTimeout(() => {
      this.#restart = null;
      this.#current ??= this.#newThread();
    }, delayMs).unref();
  }
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
