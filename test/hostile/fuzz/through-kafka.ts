import { setTimeout as wait } from 'node:timers/promises';
import { World } from '../../support/world.ts';
import { oneOutcomeEach } from '../checks/check-hostile.ts';
import { randomRecord } from '../generate/random-record.ts';
import { OutcomeWatch, readOutputs } from '../run/outputs.ts';
import { type Publication, placeOf } from '../run/publication.ts';
import { WatchedWorker } from '../run/watched-worker.ts';
import { RawProducer } from '../wire/raw-producer.ts';
import type { RawRecord } from '../wire/raw-record.ts';
import { encodeRecords, recordBatch } from '../wire/record-batch.ts';
import type { FoundKind, RowResult } from './fuzz-row.ts';

const PARTITIONS = 6;
/** Maximum number of published records without an outcome. */
const MOST_WAITING = 2_000;
/** After this long without anything new, nothing more will come. */
const PATIENCE_MS = 60_000;
const LOOK_MS = 100;
const STOP_MS = 60_000;

/** Publishes records of the row to a broker, lets a worker handle them, and checks that each has one outcome. */
export async function throughKafka(
  seed: number,
  count: number,
  say: (line: string) => void,
): Promise<RowResult> {
  const began = performance.now();
  const world = await World.create({ partitions: PARTITIONS });
  const producer = await RawProducer.connect(world.config.kafka.brokers[0] ?? '');
  try {
    const worker = await WatchedWorker.start(world);
    const watch = await OutcomeWatch.start(world);
    const published = await publish(seed, count, world, producer, watch, say);
    await until(() => missing(published, watch) === 0, watch);
    const exitCode = await worker.stop(STOP_MS);
    await watch.close();
    const outputs = await readOutputs(world);
    const counts = new Map<string, number>([['dead', outputs.dead.length]]);
    for (const { status, code } of outputs.hostileResponses) {
      const name = `${status} ${code ?? ''}`.trim();
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const found = new Map<string, FoundKind>();
    note(found, 'not one outcome', oneOutcomeEach(published, outputs));
    note(found, 'unreadable output', outputs.unreadable);
    note(found, 'the worker ended', worker.ends);
    note(found, '/livez or /readyz', worker.unwell);
    if (exitCode !== 0) note(found, 'stopping', [`the worker ended with ${exitCode} after SIGTERM`]);
    return { counts, found, tried: published.length, seconds: (performance.now() - began) / 1_000 };
  } finally {
    producer.close();
    await world.close();
  }
}

async function publish(
  seed: number,
  count: number,
  world: World,
  producer: RawProducer,
  watch: OutcomeWatch,
  say: (line: string) => void,
): Promise<Publication[]> {
  const published: Publication[] = [];
  const topic = world.topics.requests;
  for (let index = 0; index < count; index += 1) {
    const record = keyed(randomRecord(seed, index), index);
    const partition = index % PARTITIONS;
    const batch = recordBatch(encodeRecords([record]), 1, 'none', Date.now());
    const appended = await producer.send(topic, partition, batch);
    if ('errorCode' in appended) continue;
    published.push({
      key: String(record.key),
      kind: `at ${index}`,
      topic,
      partition,
      offset: appended.baseOffset,
    });
    if ((index + 1) % 5_000 === 0) say(`through Kafka: ${index + 1} published`);
    if (published.length - outcomesOf(watch) > MOST_WAITING)
      await until(() => published.length - outcomesOf(watch) <= MOST_WAITING / 2, watch);
  }
  return published;
}

/** The response to a record without a key, or with an empty key, has another key, so it cannot be found by key. */
function keyed(record: RawRecord, index: number): RawRecord {
  return record.key === null || record.key.length === 0
    ? { ...record, key: Buffer.from(`fuzz-${index}`) }
    : record;
}

function outcomesOf({ byKey, dead }: OutcomeWatch): number {
  return dead.size + [...byKey.values()].reduce((sum, count) => sum + count, 0);
}

function missing(published: readonly Publication[], watch: OutcomeWatch): number {
  const deadLettered = published.filter((record) => watch.dead.has(placeOf(record))).length;
  return published.length - deadLettered - [...watch.byKey.values()].reduce((sum, count) => sum + count, 0);
}

async function until(holds: () => boolean, watch: OutcomeWatch): Promise<void> {
  const began = performance.now();
  while (!holds() && performance.now() - Math.max(began, watch.lastAt) < PATIENCE_MS) await wait(LOOK_MS);
}

function note(found: Map<string, FoundKind>, name: string, breaches: readonly string[]): void {
  const [example] = breaches;
  if (example !== undefined)
    found.set(name, { places: [], example: breaches.slice(0, 8).join('\n'), count: breaches.length });
}
