import { readFileSync } from 'node:fs';
import { CheckerProcess, type ProcessListener, type RunningProcess } from './checker-process.ts';
import type { BatchResult, JobToRun } from './engine/checker-protocol.ts';

/** How long a batch may take before its process is ended: more than the limits in the process let it take. */
const HARD_LIMIT_MS = 2_000;
/** A process that did not get the processor is waited for longer, but not without end. */
const MAX_WAIT_MS = 6_000;
/** How often a batch that is not done is looked at; the second look starts a spare process. */
const LOOK_MS = 250;
const RESTART_DELAY_MS = { first: 100, most: 30_000 } as const;

export type StartProcess = (listener: ProcessListener) => RunningProcess;

export interface ProcessesListener {
  /** A process waits for something to do. */
  onIdle(): void;
  onDone(jobs: BatchResult): void;
  /** The process that had something to do has ended before it was done. */
  onLost(reason: string): void;
}

/**
 * The process that checks, and the one that takes its place.
 *
 *   starting ──ready──► idle ◄──done── busy
 *                        └────run()────►│ the batch takes longer than the hard limit, or the process died
 *   spare (or starting) ◄───onLost──────┘
 *
 * The spare is started when a batch takes long for the first time, or when a process died without that, and kept from then
 * on.
 */
export class CheckerProcesses {
  readonly #listener: ProcessesListener;
  readonly #startProcess: StartProcess;
  #current: RunningProcess | null = null;
  #spare: RunningProcess | null = null;
  #isBusy = false;
  #closed = false;
  /** Processes in a row that ended before they were ready. */
  #failures = 0;
  #restart: NodeJS.Timeout | null = null;
  #watch: NodeJS.Timeout | null = null;
  #runSince = { atMs: 0, processorMs: 0 };

  constructor(listener: ProcessesListener, startProcess: StartProcess = (of) => new CheckerProcess(of)) {
    this.#listener = listener;
    this.#startProcess = startProcess;
  }

  get isIdle(): boolean {
    return this.#current?.isReady === true && !this.#isBusy;
  }

  /** Whether the last process that was started ended before it was ready. */
  get hasFailed(): boolean {
    return this.#failures > 0;
  }

  /** Starts the first process; later ones are started automatically. */
  start(): void {
    if (this.#closed || this.#restart !== null) return;
    this.#current ??= this.#newProcess();
  }

  /** Only when idle. */
  run(jobs: readonly JobToRun[]): void {
    if (this.#current === null) return;
    this.#isBusy = true;
    this.#runSince = { atMs: performance.now(), processorMs: -1 };
    this.#current.run(jobs);
    this.#watch ??= setTimeout(() => this.#look(), LOOK_MS).unref();
  }

  /** Ends all processes; what was given to them is not reported any more. */
  close(): void {
    this.#closed = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    if (this.#watch !== null) clearTimeout(this.#watch);
    this.#current?.end();
    this.#spare?.end();
    this.#current = null;
    this.#spare = null;
  }

  #newProcess(): RunningProcess {
    const started: RunningProcess = this.#startProcess({
      onReady: () => {
        this.#failures = 0;
        if (started === this.#current) this.#listener.onIdle();
      },
      onDone: (jobs) => this.#done(jobs),
      onDied: (reason) => {
        if (started === this.#spare) this.#spare = null;
        else if (started === this.#current) this.#lost(reason);
      },
    });
    return started;
  }

  #done(jobs: BatchResult): void {
    this.#isBusy = false;
    this.#listener.onDone(jobs);
    if (this.isIdle) this.#listener.onIdle();
  }

  /** Looks how long the process has been busy with the same batch. */
  #look(): void {
    this.#watch = null;
    const current = this.#current;
    if (!this.#isBusy || current === null) return;
    const { atMs } = this.#runSince;
    const ranMs = performance.now() - atMs;
    if (this.#runSince.processorMs < 0) this.#runSince.processorMs = processorMsOf(current);
    if (ranMs >= LOOK_MS * 1.5) this.#spare ??= this.#newProcess();
    if (ranMs >= HARD_LIMIT_MS) {
      const hardlyRan = processorMsOf(current) - this.#runSince.processorMs < HARD_LIMIT_MS / 2;
      if (!hardlyRan || ranMs >= MAX_WAIT_MS) {
        // This loop may have stood still itself: what the process has sent meanwhile comes first.
        setImmediate(() => {
          if (this.#isBusy && this.#runSince.atMs === atMs) this.#lost('time limit');
        });
      }
    }
    this.#watch = setTimeout(() => this.#look(), LOOK_MS).unref();
  }

  #lost(reason: string): void {
    const wasBusy = this.#isBusy;
    if (this.#current?.isReady !== true) this.#failures += 1;
    this.#isBusy = false;
    this.#current?.end();
    this.#current = this.#spare;
    this.#spare = null;
    if (this.#current === null) this.#startLater();
    if (this.#failures === 0) this.#spare = this.#newProcess();
    if (wasBusy) this.#listener.onLost(reason);
    if (this.isIdle) this.#listener.onIdle();
  }

  /** At once, unless processes do not even start: then with growing pauses. */
  #startLater(): void {
    const pauses = this.#failures === 0 ? 0 : RESTART_DELAY_MS.first * 2 ** this.#failures;
    this.#restart = setTimeout(
      () => {
        this.#restart = null;
        this.start();
      },
      Math.min(pauses, RESTART_DELAY_MS.most),
    ).unref();
  }
}

/** In milliseconds, where the system reports it; otherwise it grows with the clock, as if the process always ran. */
function processorMsOf({ pid }: RunningProcess): number {
  try {
    const [user, system] =
      readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13) ?? [];
    // In hundredths of a second on every Linux that Node runs on.
    const ticks = Number(user) + Number(system);
    return Number.isFinite(ticks) ? ticks * 10 : performance.now();
  } catch {
    return performance.now();
  }
}
