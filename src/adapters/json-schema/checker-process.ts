import { type ChildProcess, fork } from 'node:child_process';
import type { BatchResult, ChildMessage, JobToRun } from './engine/checker-protocol.ts';

/** The child's file lies beside this one, as a source or as built. */
const CHILD = new URL(`./checker-child${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** Ample for every schema and value within limits: a child that needs more ends, and with it what it was doing. */
const MEMORY_LIMITS = ['--max-old-space-size=192', '--max-semi-space-size=16'];

export interface ProcessListener {
  onReady(): void;
  onDone(jobs: BatchResult): void;
  /** Once, however it ended, unless it was ended by `end`. */
  onDied(reason: string): void;
}

/** What is used of a process that checks. */
export interface RunningProcess {
  /** Whether it waits for its first batch, or had one. */
  readonly isReady: boolean;
  readonly pid: number | null;
  run(jobs: readonly JobToRun[]): void;
  /** Ends it wherever it is. */
  end(): void;
}

/**
 * A child process that checks: all that can be killed wherever it is, and that dies alone. In a worker thread, V8 ends
 * the whole process when it cannot allocate what a pattern, a map or an array needs.
 *
 * It keeps the service running only while it has something to do, and ends when the service does.
 */
export class CheckerProcess implements RunningProcess {
  isReady = false;
  readonly #child: ChildProcess;
  #listener: ProcessListener | null;

  constructor(listener: ProcessListener) {
    this.#listener = listener;
    this.#child = fork(CHILD, {
      execArgv: MEMORY_LIMITS,
      // Nothing of the environment is needed in there, secrets least of all.
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
    });
    this.#child.unref();
    this.#child.channel?.unref();
    this.#child.on('message', (message) => this.#received(message as ChildMessage));
    this.#child.on('error', (error: NodeJS.ErrnoException) => this.#died(error.code ?? error.name));
    this.#child.on('exit', (code, signal) => this.#died(signal ?? `exit code ${code}`));
  }

  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  run(jobs: readonly JobToRun[]): void {
    this.#child.channel?.ref();
    this.#child.send(jobs, (error) => {
      if (error !== null) this.#died('not connected');
    });
  }

  end(): void {
    this.#listener = null;
    this.#child.channel?.unref();
    this.#child.kill('SIGKILL');
  }

  #received(message: ChildMessage): void {
    if (message.kind === 'ready') {
      this.isReady = true;
      this.#listener?.onReady();
      return;
    }
    this.#child.channel?.unref();
    this.#listener?.onDone(message.jobs);
  }

  #died(reason: string): void {
    const listener = this.#listener;
    this.#listener = null;
    listener?.onDied(reason);
  }
}
