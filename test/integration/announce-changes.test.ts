import { MongoClient } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KafkaLaneTransport } from '../../src/adapters/kafka/transactions/lane-transport.ts';
import { createModelStore } from '../../src/adapters/mongo/catalog/catalog-store.ts';
import { createChangeOutbox } from '../../src/adapters/mongo/catalog/change-outbox.ts';
import type { ChangeOutbox } from '../../src/catalog/stores.ts';
import { type AnnounceChanges, createAnnouncer } from '../../src/catalog/upkeep/announce-changes.ts';
import type { LaneTransport } from '../../src/ports/kafka.ts';
import { catalogModel } from '../support/fakes/fake-catalog.ts';
import { ModelChangeLog } from '../support/model-changes.ts';
import { silent, World } from '../support/world.ts';

const signal = new AbortController().signal;
const DIED = new Error('this process has died here');

let world: World;
let mongo: MongoClient;
let log: ModelChangeLog;
let outbox: ChangeOutbox;
let transports: KafkaLaneTransport[];

beforeEach(async () => {
  world = await World.create({ partitions: 1 });
  mongo = await MongoClient.connect(world.config.mongo.url);
  outbox = createChangeOutbox(db());
  transports = [];
  log = await ModelChangeLog.read(world);
  await (await announcer()).all(signal);
});
afterEach(async () => {
  await Promise.all(transports.map((transport) => transport.close()));
  await log?.close();
  await mongo?.close();
  await world?.close();
});

const db = () => mongo.db(world.config.mongo.database);

const addModels = (...ids: string[]) =>
  createModelStore(db()).update(() => ids.map((id) => catalogModel(id)));

/** An announcer as in another process, with its own connections and optionally other dependencies. */
async function announcer(
  change: (transport: LaneTransport) => LaneTransport = (transport) => transport,
  box: ChangeOutbox = outbox,
): Promise<AnnounceChanges> {
  const { kafka } = world.config;
  const transport = await KafkaLaneTransport.connect(
    { ...kafka, groupId: `${kafka.groupId}.catalog` },
    [world.topics.modelChanges],
    silent,
  );
  transports.push(transport);
  return createAnnouncer({
    outbox: box,
    transport: change({
      clusterId: transport.clusterId,
      holds: (member, partition) => transport.holds(member, partition),
      fence: (partition) => transport.fence(partition),
      committedPosition: (partition) => transport.committedPosition(partition),
      topicId: (topic) => transport.topicId(topic),
    }),
    codec: world.codec,
    topic: world.topics.modelChanges,
    groupId: kafka.groupId,
    onAnnounced: () => undefined,
  });
}

/** The visible changes of the models m…, once every stored change is visible. */
async function visible(): Promise<string[]> {
  await addModels('the-end');
  await (await announcer()).all(signal);
  await log.seen('the-end');
  return log.all.map(({ model: id, change }) => `${change} ${id}`).filter((line) => / m\d$/.test(line));
}

describe('announcing changes', () => {
  it('publishes stored changes in order and deletes them', async () => {
    await addModels('m2', 'm1');
    await createModelStore(db()).update(() => [{ ...catalogModel('m1'), contextWindow: 2 }]);
    expect(await (await announcer()).isNeeded()).toBe(true);
    expect(await visible()).toEqual(['ADDED m2', 'ADDED m1', 'UPDATED m1']);
    expect(await outbox.pending(10)).toEqual({ outboxId: '', changes: [] });
    expect(await (await announcer()).isNeeded()).toBe(false);
  });

  it('publishes nothing twice when an announcer died after its commit, before deleting the changes', async () => {
    await addModels('m1', 'm2');
    const dying = { ...outbox, forget: () => Promise.reject(DIED) };
    await expect((await announcer(undefined, dying)).all(signal)).rejects.toThrow(DIED.message);
    await addModels('m3');
    expect(await visible()).toEqual(['ADDED m1', 'ADDED m2', 'ADDED m3']);
  });

  it('publishes the changes of an announcer that died before its commit', async () => {
    await addModels('m1', 'm2');
    const dying = await announcer((transport) => ({
      ...transport,
      fence: async (partition) => {
        const producer = await transport.fence(partition);
        return { settle: () => Promise.reject(DIED), close: () => producer.close() };
      },
    }));
    await expect(dying.all(signal)).rejects.toThrow(DIED.message);
    expect(await visible()).toEqual(['ADDED m1', 'ADDED m2']);
  });

  it('fences a frozen announcer, so that it publishes nothing when it wakes', async () => {
    await addModels('m1', 'm2');
    const frozen = Promise.withResolvers<void>();
    const woken = Promise.withResolvers<void>();
    let isFirst = true;
    const sleeper = await announcer((transport) => ({
      ...transport,
      fence: async (partition) => {
        const producer = await transport.fence(partition);
        if (!isFirst) return producer;
        isFirst = false;
        return {
          settle: async (settlement) => {
            frozen.resolve();
            await woken.promise;
            return producer.settle(settlement);
          },
          close: () => producer.close(),
        };
      },
    }));
    const sleeping = sleeper.all(signal);
    await frozen.promise;
    await (await announcer()).all(signal);
    await addModels('m3');
    woken.resolve();
    await sleeping;
    expect(await visible()).toEqual(['ADDED m1', 'ADDED m2', 'ADDED m3']);
  });

  it('publishes each change once, however many announcers run at the same time', async () => {
    await addModels('m1', 'm2', 'm3');
    const all = await Promise.all(Array.from({ length: 4 }, () => announcer()));
    await Promise.allSettled(all.map((one) => one.all(signal)));
    expect(await visible()).toEqual(['ADDED m1', 'ADDED m2', 'ADDED m3']);
  });

  it('does not apply the position of a deleted database to a new one', async () => {
    await addModels('m1');
    await (await announcer()).all(signal);
    await db().dropDatabase();
    await addModels('m2');
    expect((await outbox.pending(1)).changes[0]?.number).toBe(1);
    expect(await visible()).toEqual(['ADDED m1', 'ADDED m2']);
  });

  it('stores one change when two writers saw the same change', async () => {
    await Promise.all(Array.from({ length: 8 }, () => addModels('m1', 'm2')));
    expect(await visible()).toEqual(['ADDED m1', 'ADDED m2']);
  });
});
