import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { Worker } from '../../support/worker.ts';
import type { World } from '../../support/world.ts';

const SAMPLE_MS = 250;
const ASK_MS = 1_000;
/** An orchestrator would not wait longer either. */
const ANSWER_MS = 5_000;
const KIBIBYTE = 1_024;
/** Linux counts processor time in hundredths of a second. */
const TICK_MS = 10;

/** A worker that is observed from outside, and restarted when it exits unexpectedly. */
export class WatchedWorker {
  /** The reason of each exit. */
  readonly ends: string[] = [];
  /** Descriptions of the answers of `/livez` and `/readyz` that were not 200. */
  readonly unwell: string[] = [];
  /** Bytes; of all its processes. */
  mostMemory = 0;
  asked = 0;
  private readonly world: World;
  private worker: Worker;
  private isReady = false;
  private isOver = false;
  private readonly watching: Promise<unknown>;

  private constructor(world: World, worker: Worker) {
    this.world = world;
    this.worker = worker;
    this.watch(worker);
    this.watching = Promise.all([this.sample(), this.ask()]);
  }

  static async start(world: World): Promise<WatchedWorker> {
    const worker = await world.startWorker();
    const watched = new WatchedWorker(world, worker);
    watched.isReady = true;
    return watched;
  }

  get memory(): number {
    return memoryOf(this.worker.pid, 'VmRSS');
  }

  /** Milliseconds of processor time, of all its threads, since it began. */
  get processorMs(): number {
    if (!this.isReady) return 0;
    const stat = readFileSync(`/proc/${this.worker.pid}/stat`, 'utf8');
    // After the name, which may have spaces, user and system time are the twelfth and thirteenth field.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }

  async metrics(): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.worker.httpPort}/metrics`);
    return response.text();
  }

  /** SIGTERM. @returns the exit code; -1 when it did not end in time */
  async stop(patienceMs: number): Promise<number | null> {
    this.isOver = true;
    await this.watching;
    const late = new AbortController();
    const code = await Promise.race([
      this.worker.stop(),
      wait(patienceMs, -1, { signal: late.signal }).catch(() => -1),
    ]);
    late.abort();
    if (code === -1) await this.worker.kill();
    return code;
  }

  private watch(worker: Worker): void {
    void worker.exited.then((code) => {
      if (this.isOver) return;
      const said = worker.log.findLast((line) => /"level":"?(error|fatal|50|60)|Error|FATAL/.test(line));
      this.ends.push(`it ended with ${code}: ${(said ?? worker.log.at(-1) ?? '').slice(0, 300)}`);
      this.isReady = false;
      this.worker = this.world.spawnWorker();
      this.watch(this.worker);
      this.worker.ready.then(
        () => {
          this.isReady = true;
        },
        () => undefined,
      );
    });
  }

  private async sample(): Promise<void> {
    while (!this.isOver) {
      this.mostMemory = Math.max(this.mostMemory, memoryOf(this.worker.pid, 'VmHWM'));
      await wait(SAMPLE_MS);
    }
  }

  /** Does not probe during a restart, because the exit itself is the failure. */
  private async ask(): Promise<void> {
    while (!this.isOver) {
      if (this.isReady) for (const path of ['livez', 'readyz']) await this.askFor(path);
      await wait(ASK_MS);
    }
  }

  private async askFor(path: string): Promise<void> {
    const { httpPort } = this.worker;
    this.asked += 1;
    try {
      const response = await fetch(`http://127.0.0.1:${httpPort}/${path}`, {
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const text = await response.text();
      if (response.status !== 200) this.unwell.push(`/${path}: ${response.status} ${text.slice(0, 300)}`);
    } catch (error) {
      if (this.isReady) this.unwell.push(`/${path}: ${error}`);
    }
  }
}

/** Bytes, or 0 for a process that has exited. */
function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  try {
    const line = readFileSync(`/proc/${pid}/status`, 'utf8')
      .split('\n')
      .find((one) => one.startsWith(field));
    return Number(/\d+/.exec(line ?? '')?.[0] ?? 0) * KIBIBYTE;
  } catch {
    return 0;
  }
}
