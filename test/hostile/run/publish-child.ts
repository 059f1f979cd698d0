/**
 * The hostile tenant, in a separate process, so that it does not disturb the measurement. It prepares its bombs, reports that it
 * is ready, starts on command, and sends every kind in turn until it is stopped.
 *
 *   publish-child.ts BROKER TOPIC PARTITIONS SEED PER_SECOND [KIND,KIND]
 */
import { setTimeout as wait } from 'node:timers/promises';
import { Random } from '../../faults/random.ts';
import { hostileBatches } from '../records/hostile-batches.ts';
import { RawProducer } from '../wire/raw-producer.ts';
import type { Publication } from './publication.ts';

export type FromHostile =
  | { readonly type: 'ready' }
  | { readonly type: 'done' }
  | { readonly type: 'published'; readonly publication: Publication }
  | { readonly type: 'refused'; readonly kind: string; readonly errorCode: number };

const [broker = '', topic = '', partitions = '', seed = '', perSecond = '', only = ''] =
  process.argv.slice(2);
const random = new Random(Number(seed));
const batches = await hostileBatches(only);
const producer = await RawProducer.connect(broker);
let isOver = false;
let count = 0;
process.on('message', (message) => {
  if (message === 'start') void run();
  if (message === 'stop') isOver = true;
});
process.once('disconnect', () => process.exit(0));
tell({ type: 'ready' });

async function run(): Promise<void> {
  const began = performance.now();
  for (;;) {
    for (const kind of shuffled(batches.kinds)) {
      if (isOver) {
        producer.close();
        tell({ type: 'done' });
        return;
      }
      await publish(kind);
      await wait(Math.max(0, began + (count * 1_000) / Number(perSecond) - performance.now()));
    }
  }
}

async function publish(kind: string): Promise<void> {
  count += 1;
  const { key, bytes } = batches.make(kind, `h-${kind}-${count}`, random.fork());
  const partition = count % Number(partitions);
  const appended = await producer.send(topic, partition, bytes);
  if ('errorCode' in appended) return tell({ type: 'refused', kind, errorCode: appended.errorCode });
  tell({ type: 'published', publication: { key, kind, topic, partition, offset: appended.baseOffset } });
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, at: random.next() }))
    .sort((one, other) => one.at - other.at)
    .map(({ value }) => value);
}

function tell(message: FromHostile): void {
  process.send?.(message);
}
