import { setTimeout as wait } from 'node:timers/promises';
import { Random } from '../../faults/random.ts';
import { World } from '../../support/world.ts';
import { hostileBatches } from '../records/hostile-batches.ts';
import { RawProducer } from '../wire/raw-producer.ts';
import { WORKER_ENV } from './hostile-run.ts';
import { OutcomeWatch } from './outputs.ts';
import { placeOf } from './publication.ts';
import { WatchedWorker } from './watched-worker.ts';

/** The cost of one record of a kind for an otherwise idle worker. */
export interface KindCost {
  readonly kind: string;
  /** Of all threads, in steps of 10. */
  readonly processorMs: number;
  /** Null when it had no outcome. */
  readonly tookMs: number | null;
  /** Bytes, at most so far. */
  readonly memory: number;
}

const PATIENCE_MS = 30_000;
const LOOK_MS = 10;
/** Work after the outcome counts too. */
const REST_MS = 300;

/** Sends one record of each kind, each when the one before has its outcome. @param only kinds, separated by commas; empty: all */
export async function costOfEach(
  seed: number,
  only: string,
  say: (line: string) => void,
): Promise<KindCost[]> {
  const batches = await hostileBatches(only);
  const random = new Random(seed);
  const world = await World.create({ partitions: 1, env: WORKER_ENV });
  const producer = await RawProducer.connect(world.config.kafka.brokers[0] ?? '');
  try {
    const worker = await WatchedWorker.start(world);
    const watch = await OutcomeWatch.start(world);
    const topic = world.topics.requests;
    const costs: KindCost[] = [];
    for (const [index, kind] of batches.kinds.entries()) {
      const { key, bytes } = batches.make(kind, `h-${kind}-${index}`, random.fork());
      await wait(REST_MS);
      const answered = watch.byKey.get(key) ?? 0;
      const before = worker.processorMs;
      const began = performance.now();
      const appended = await producer.send(topic, 0, bytes);
      if ('errorCode' in appended) {
        say(`the broker itself refused ${kind}`);
        continue;
      }
      const place = placeOf({ topic, partition: 0, offset: appended.baseOffset });
      const isOver = () => watch.dead.has(place) || (watch.byKey.get(key) ?? 0) > answered;
      while (!isOver() && performance.now() - began < PATIENCE_MS) await wait(LOOK_MS);
      const tookMs = isOver() ? performance.now() - began : null;
      await wait(REST_MS);
      costs.push({ kind, processorMs: worker.processorMs - before, tookMs, memory: worker.mostMemory });
    }
    await worker.stop(PATIENCE_MS);
    await watch.close();
    return costs;
  } finally {
    producer.close();
    await world.close();
  }
}
