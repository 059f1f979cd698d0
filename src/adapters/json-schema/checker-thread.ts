import { Worker } from 'node:worker_threads';
import {
  type BatchResult,
  type JobToRun,
  PROGRESS,
  type ThreadMessage,
  type ThreadSettings,
} from './checker-protocol.ts';

/** The thread's file lies beside this one, as a source or as built. */
const WORKER = new URL(`./checker-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** Ample for every schema and value within limits: a thread that needs more ends, and with it what it was doing. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32 };

/** Where a thread is in what it was given. */
export interface ThreadProgress {
  /** Of all items so far; grows with each that is begun. */
  readonly started: number;
  readonly job: number;
  readonly item: number;
}

export interface ThreadListener {
  onReady(): void;
  onDone(jobs: BatchResult): void;
  /** Once, however it ended, unless it was ended by `end`. */
  onDied(reason: string): void;
}

/** A thread that checks. It keeps the process running only while it has something to do. */
export class CheckerThread {
  isReady = false;
  readonly #worker: Worker;
  readonly #progress = new Int32Array(new SharedArrayBuffer(PROGRESS.length * 4));
  readonly #ended: Promise<unknown>;
  #listener: ThreadListener | null;

  constructor(listener: ThreadListener) {
    this.#listener = listener;
    const workerData: ThreadSettings = { progress: this.#progress.buffer };
    // Nothing of the environment is needed in there, secrets least of all.
    this.#worker = new Worker(WORKER, { workerData, env: {}, resourceLimits: RESOURCE_LIMITS });
    this.#worker.unref();
    this.#worker.on('message', (message: ThreadMessage) => this.#received(message));
    this.#worker.on('error', (error: Error & { code?: string }) => this.#died(error.code ?? error.name));
    this.#worker.on('exit', (code) => this.#died(`exit code ${code}`));
    this.#ended = new Promise((resolve) => this.#worker.once('exit', resolve));
  }

  get progress(): ThreadProgress {
    const at = (place: number) => Atomics.load(this.#progress, place);
    return { started: at(PROGRESS.started), job: at(PROGRESS.job), item: at(PROGRESS.item) };
  }

  run(jobs: readonly JobToRun[]): void {
    this.#worker.ref();
    this.#worker.postMessage(jobs);
  }

  /** Ends it wherever it is. Resolves when it has ended, which may take as long as what V8 does not interrupt. */
  end(): Promise<unknown> {
    this.#listener = null;
    this.#worker.unref();
    void this.#worker.terminate();
    return this.#ended;
  }

  #received(message: ThreadMessage): void {
    if (message.kind === 'ready') {
      this.isReady = true;
      this.#listener?.onReady();
      return;
    }
    this.#worker.unref();
    this.#listener?.onDone(message.jobs);
  }

  #died(reason: string): void {
    const listener = this.#listener;
    this.#listener = null;
    listener?.onDied(reason);
  }
}
