import { cpus } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { Random } from '../../faults/random.ts';
import { withAdmin } from '../../faults/read-all.ts';
import { World } from '../../support/world.ts';
import { checkHostile, type HostileBreaches } from '../checks/check-hostile.ts';
import { checkNeighbours, type NeighbourBreaches } from '../checks/check-neighbours.ts';
import { RawProducer } from '../wire/raw-producer.ts';
import { HostileTenant } from './hostile-tenant.ts';
import { type Latency, latencyOf } from './latency.ts';
import { BOUND_TENANT, Neighbours } from './neighbours.ts';
import { OutcomeWatch, readOutputs } from './outputs.ts';
import { placeOf } from './publication.ts';
import { WatchedWorker } from './watched-worker.ts';

export interface RunOptions {
  readonly seed: number;
  readonly calmMs: number;
  readonly hostileMs: number;
  /** Requests of the nine together. */
  readonly perSecond: number;
  readonly hostilePerSecond: number;
  readonly only: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly say: (line: string) => void;
}

export interface RunResult {
  readonly neighbours: NeighbourBreaches;
  readonly hostile: HostileBreaches;
  readonly unreadable: readonly string[];
  readonly calm: Latency;
  readonly troubled: Latency;
  readonly ends: readonly string[];
  readonly exitCode: number | null;
  readonly unwell: readonly string[];
  readonly asked: number;
  readonly calmUse: ProcessorUse;
  readonly hostileUse: ProcessorUse;
  /** Bytes. */
  readonly calmMemory: number;
  readonly mostMemory: number;
  readonly published: number;
  readonly hostilePublished: number;
  readonly refused: ReadonlyMap<string, number>;
  readonly calls: number;
  /** Lines of the worker's metrics about its event loop. */
  readonly eventLoop: readonly string[];
}

const PARTITIONS = 6;
/** Warms up connections, code and the ledger before the measurement. */
const WARM_UP_MS = 10_000;
/** After this long without anything new, nothing more will come. */
const PATIENCE_MS = 60_000;
/** Time limit, even if outcomes still trickle in. */
const LONGEST_MS = 240_000;
const STOP_MS = 60_000;
const LOOK_MS = 500;
const SHOW_MS = 15_000;

/** Short enough that a stalled call times out within a phase. */
export const WORKER_ENV = {
  AI_OPENAI_TIMEOUT: '2s',
  AI_OPENAI_FIRST_TOKEN_TIMEOUT: '5s',
  AI_OPENAI_RETRY_ATTEMPTS: '1',
  AI_OPENAI_RETRY_DELAY: '50ms',
  CHAT_REQUEST_TIMEOUT: '60s',
  DRAIN_TIMEOUT: '20s',
};

/** Runs nine tenants without the tenth, then with it, through one worker, and returns the result. */
export async function hostileRun(options: RunOptions): Promise<RunResult> {
  const { say, seed } = options;
  const prefix = `hostile${Date.now().toString(36)}`;
  const shared = `${prefix}.requests`;
  const bound = `${prefix}.requests.nine`;
  const world = await World.create({
    partitions: PARTITIONS,
    env: {
      ...WORKER_ENV,
      CHAT_TOPIC_PREFIX: prefix,
      CHAT_REQUEST_TOPICS: `${shared},${bound}=${BOUND_TENANT}`,
      ...options.env,
    },
  });
  const broker = world.config.kafka.brokers[0] ?? '';
  const producer = await RawProducer.connect(broker);
  try {
    // 1 Prepare everything, including the bombs, before the measurement.
    const hostile = await HostileTenant.prepare({
      broker,
      topic: shared,
      partitions: PARTITIONS,
      seed: seed + 1,
      perSecond: options.hostilePerSecond,
      only: options.only,
    });
    const worker = await WatchedWorker.start(world);
    const watch = await OutcomeWatch.start(world);
    const neighbours = new Neighbours(producer, { shared, bound, partitions: PARTITIONS }, new Random(seed));

    // 2 Run the nine alone, then with the tenth.
    const publishing = neighbours.publish(options.perSecond);
    await wait(WARM_UP_MS);
    const calmFrom = performance.now();
    const calmBegan = reading(worker);
    say(`calm for ${options.calmMs / 1_000} s`);
    await wait(options.calmMs);
    const calmMemory = worker.memory;
    const hostileFrom = performance.now();
    const calmUse = useOf(worker, calmBegan);
    const hostileBegan = reading(worker);
    say(`the tenth tenant begins, for ${options.hostileMs / 1_000} s`);
    hostile.start();
    const shown = setInterval(() => {
      const waiting = neighbours.published.length - watch.answeredAt.size;
      const memory = Math.round(worker.memory / 2 ** 20);
      say(
        `  ${hostile.published.length} hostile records, ${waiting} of the nine unanswered, ${memory} MiB, ${worker.ends.length} restarts`,
      );
    }, SHOW_MS);
    await wait(options.hostileMs);
    const hostileTo = performance.now();
    const hostileUse = useOf(worker, hostileBegan);
    await hostile.stop();
    neighbours.stop();
    await publishing;

    // 3 Wait until everything has its outcome, or nothing more comes.
    await untilAnswered(neighbours, hostile, watch);
    clearInterval(shown);
    const eventLoop = (await worker.metrics().catch(() => ''))
      .split('\n')
      .filter((line) => /^[^#]*event_?loop/i.test(line));
    const exitCode = await worker.stop(STOP_MS);
    await watch.close();

    // 4 Read all topics once nobody writes.
    say('reading the output topics');
    const outputs = await readOutputs(world);
    const calls = await world.standIn.calls();
    return {
      neighbours: checkNeighbours(neighbours.published, outputs, calls),
      hostile: checkHostile(hostile.published, outputs, calls),
      unreadable: outputs.unreadable,
      calm: latencyOf(neighbours.published, watch.answeredAt, calmFrom, hostileFrom),
      troubled: latencyOf(neighbours.published, watch.answeredAt, hostileFrom, hostileTo),
      ends: worker.ends,
      exitCode,
      unwell: worker.unwell,
      asked: worker.asked,
      calmUse,
      hostileUse,
      calmMemory,
      mostMemory: worker.mostMemory,
      published: neighbours.published.length,
      hostilePublished: hostile.published.length,
      refused: hostile.refused,
      calls: calls.length,
      eventLoop,
    };
  } finally {
    producer.close();
    await world.close();
    await withAdmin(world.config.kafka, (admin) => admin.deleteTopics({ topics: [bound] })).catch(
      () => undefined,
    );
  }
}

/** CPU time of a phase, in percent of one core. The value of the machine covers all cores. */
export interface ProcessorUse {
  readonly worker: number;
  readonly machine: number;
}

interface Reading {
  readonly at: number;
  readonly workerMs: number;
  readonly machineMs: number;
}

function reading(worker: WatchedWorker): Reading {
  const machineMs = cpus().reduce(
    (sum, { times }) => sum + times.user + times.nice + times.sys + times.irq,
    0,
  );
  return { at: performance.now(), workerMs: worker.processorMs, machineMs };
}

/** A restarted worker counts from zero, so its usage is unknown. */
function useOf(worker: WatchedWorker, before: Reading): ProcessorUse {
  const now = reading(worker);
  const share = (ms: number) => Math.round((100 * ms) / (now.at - before.at));
  return { worker: share(now.workerMs - before.workerMs), machine: share(now.machineMs - before.machineMs) };
}

async function untilAnswered(
  neighbours: Neighbours,
  hostile: HostileTenant,
  watch: OutcomeWatch,
): Promise<void> {
  const began = performance.now();
  for (;;) {
    const isAnswered = neighbours.published.every(({ requestId }) => watch.answeredAt.has(requestId));
    const needed = new Map<string, number>();
    for (const record of hostile.published)
      if (!watch.dead.has(placeOf(record))) needed.set(record.key, (needed.get(record.key) ?? 0) + 1);
    if (isAnswered && [...needed].every(([key, count]) => (watch.byKey.get(key) ?? 0) >= count)) return;
    const now = performance.now();
    if (now - Math.max(began, watch.lastAt) > PATIENCE_MS || now - began > LONGEST_MS) return;
    await wait(LOOK_MS);
  }
}
