import { setTimeout as wait } from 'node:timers/promises';
import type { KafkaSettings } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import type { Worker } from '../support/worker.ts';
import type { World } from '../support/world.ts';
import type { Laboratory, LaboratoryCluster } from './laboratory.ts';
import type { Load } from './load.ts';
import type { Progress } from './progress.ts';
import type { Random } from './random.ts';

const LEASE_LOST = 'the lease was lost';

export interface FaultRunParts {
  readonly random: Random;
  readonly laboratory: Laboratory;
  readonly cluster: LaboratoryCluster;
  readonly world: World;
  readonly load: Load;
  readonly progress: Progress;
  readonly workersMayEnd: boolean;
  readonly startMayFail: boolean;
}

/** One repetition of a fault: the service under load, and the means to inject the fault. */
export class FaultRun {
  readonly random: Random;
  readonly laboratory: Laboratory;
  readonly cluster: LaboratoryCluster;
  readonly world: World;
  readonly load: Load;
  readonly progress: Progress;
  /** Clusters with outputs, oldest first. The workers use the last one. */
  readonly places: KafkaSettings[];
  readonly notes: string[] = [];
  readonly breaches: string[] = [];
  /** Workers that died or lost their lease while they had work. */
  deaths = 0;
  /** Workers whose heartbeats were late, because they were frozen or the machine was too busy. They abort their calls. */
  leaseLosses = 0;
  /** Workers that exited unexpectedly and were restarted. */
  restarts = 0;
  private readonly running = new Set<Worker>();
  private readonly workersMayEnd: boolean;
  private readonly startMayFail: boolean;
  private readonly beganAt = performance.now();
  private workerEnv: Readonly<Record<string, string>> = {};
  private over = false;

  constructor({ workersMayEnd, startMayFail, ...parts }: FaultRunParts) {
    this.random = parts.random;
    this.laboratory = parts.laboratory;
    this.cluster = parts.cluster;
    this.world = parts.world;
    this.load = parts.load;
    this.progress = parts.progress;
    this.places = [parts.world.config.kafka];
    this.workersMayEnd = workersMayEnd;
    this.startMayFail = startMayFail;
  }

  /** Workers that should be running. */
  get workers(): Worker[] {
    return [...this.running];
  }

  /** Records a timestamped note for analysing a failure. */
  note(text: string): void {
    this.notes.push(`${((performance.now() - this.beganAt) / 1000).toFixed(2)} s  ${text}`);
  }

  breach(text: string): void {
    this.note(`BREACH ${text}`);
    this.breaches.push(text);
  }

  /** Waits a random time. */
  async pause(leastMs: number, mostMs: number): Promise<void> {
    await wait(this.random.between(leastMs, mostMs));
  }

  /**
   * Starts a worker without waiting for it. Restarts it when it exits unexpectedly, as an orchestrator does.
   *
   * @param env for this worker only
   */
  spawn(env: Readonly<Record<string, string>> = {}): Worker {
    const worker = this.world.spawnWorker({ ...this.workerEnv, ...env });
    this.running.add(worker);
    this.note(`worker ${worker.pid} starts`);
    void worker.logged(LEASE_LOST).then(() => {
      this.note(`worker ${worker.pid} lost its lease`);
      this.leaseLosses += 1;
      this.deaths += 1;
    });
    let wasReady = false;
    worker.ready.then(
      () => {
        wasReady = true;
      },
      () => undefined,
    );
    void worker.exited.then((code) => {
      if (!this.running.delete(worker) || this.over) return;
      const text = `worker ${worker.pid} exited unexpectedly with ${code}: ${lastError(worker.log)}`;
      if (this.workersMayEnd || (this.startMayFail && !wasReady)) this.note(text);
      else this.breach(text);
      this.restarts += 1;
      this.deaths += 1;
      this.spawn();
    });
    return worker;
  }

  /** Adds this environment to all workers started from now on. */
  startWith(env: Readonly<Record<string, string>>): void {
    this.workerEnv = { ...this.workerEnv, ...env };
  }

  async kill(worker: Worker): Promise<void> {
    this.running.delete(worker);
    this.deaths += 1;
    this.note(`worker ${worker.pid} is killed`);
    await worker.kill();
  }

  /** Sends SIGTERM. The worker must exit with 0, unless it has not started yet: then the signal kills it, like any process. */
  async stop(worker: Worker): Promise<void> {
    this.running.delete(worker);
    this.note(`worker ${worker.pid} is stopped`);
    const code = await worker.stop();
    this.note(`worker ${worker.pid} ended with ${code}`);
    const wasEndedBySignal = code === null && worker.log.length === 0;
    if (code !== 0 && !wasEndedBySignal)
      this.breach(`worker ${worker.pid} exited with ${code} after SIGTERM: ${lastError(worker.log)}`);
  }

  freeze(worker: Worker): void {
    this.deaths += 1;
    this.note(`worker ${worker.pid} is frozen`);
    worker.signal('SIGSTOP');
  }

  thaw(worker: Worker): void {
    this.note(`worker ${worker.pid} wakes`);
    worker.signal('SIGCONT');
  }

  /** Stops restarting workers. */
  end(): void {
    this.over = true;
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.workers.map((worker) => this.stop(worker)));
  }
}

function lastError(log: readonly string[]): string {
  const line = log.findLast((candidate) => /"level":"?(error|fatal|50|60)|Error/.test(candidate));
  return (line ?? log.at(-1) ?? 'it logged nothing').slice(0, 400);
}
