import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { readTopics } from '../../src/adapters/kafka/consumer/topic-reader.ts';
import type { Broker, ProducerIdentity } from '../../src/adapters/kafka/kafkajs/broker.ts';
import {
  type Cluster,
  COORDINATOR_TYPES,
  connectCluster,
} from '../../src/adapters/kafka/kafkajs/cluster-requests.ts';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { InDoubtTransactionResolver } from '../../src/adapters/kafka/transactions/in-doubt-transaction-resolver.ts';
import { KafkaLaneTransport } from '../../src/adapters/kafka/transactions/lane-transport.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { silent } from '../support/world.ts';

const { kafka: connection } = loadConfig(
  { KAFKA_BROKERS: process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092' },
  { readFile: () => '' },
);
const admin = createKafka(connection, silent, PATIENT_RETRIES).admin();
let cluster: Cluster;
let name: string;
let responses: string;
let costs: string;
let elsewhere: string;

/** The parts of kafkajs's broker that only forging needs. */
interface Forger extends Broker {
  produce(request: object): Promise<unknown>;
  txnOffsetCommit(request: object): Promise<unknown>;
}

/** A transaction may write only to partitions known to its coordinator. Without that rule, a lost marker can be forged. */
async function verifyTransactions(value: boolean): Promise<void> {
  const configEntries = [{ name: 'transaction.partition.verification.enable', value: String(value) }];
  const { brokers } = await admin.describeCluster();
  const resources = brokers.map(({ nodeId }) => ({
    type: kafkajs.ConfigResourceTypes.BROKER,
    name: String(nodeId),
    configEntries,
  }));
  await admin.alterConfigs({ validateOnly: false, resources });
}

beforeAll(async () => {
  await admin.connect();
  await verifyTransactions(false);
  cluster = await connectCluster(connection, silent);
});
afterAll(async () => {
  await verifyTransactions(true);
  await admin.disconnect();
  await cluster.disconnect();
});
beforeEach(async () => {
  name = `ends-${randomUUID().slice(0, 8)}`;
  [responses, costs, elsewhere] = [`${name}.responses`, `${name}.costs`, `${name}.elsewhere`];
  const topics = [name, responses, costs, elsewhere].map((topic) => ({ topic, numPartitions: 1 }));
  await admin.createTopics({ topics, waitForLeaders: true });
});
afterEach(async () => {
  await admin.deleteTopics({ topics: [name, responses, costs, elsewhere] });
  await admin.deleteGroups([name]).catch(() => undefined);
});

const transactionalId = () => `${name}/${name}/0`;
const written = () => ({
  transactionalId: transactionalId(),
  partitions: [responses, costs].map((topic) => ({ topic, partition: 0 })),
  groupId: name,
});

async function coordinators(): Promise<{ coordinator: Forger; group: Forger }> {
  const of = async (groupId: string, coordinatorType: number) =>
    (await cluster.findGroupCoordinator({ groupId, coordinatorType })) as Forger;
  return {
    coordinator: await of(transactionalId(), COORDINATOR_TYPES.transaction),
    group: await of(name, COORDINATOR_TYPES.group),
  };
}

/** A transaction that writes one record to each output and position 7. Only these topics get its end marker. */
async function transactionEndedIn(marked: readonly string[], commit: boolean): Promise<void> {
  const { coordinator, group } = await coordinators();
  // A broker without an earlier transaction is still loading.
  const identity = await vi.waitFor(
    () => coordinator.initProducerId({ transactionalId: transactionalId(), transactionTimeout: 60_000 }),
    { timeout: 10_000 },
  );
  const producer: ProducerIdentity = { transactionalId: transactionalId(), ...identity };
  await coordinator.addPartitionsToTxn({
    ...producer,
    topics: marked.map((topic) => ({ topic, partitions: [0] })),
  });
  const messages = [{ key: Buffer.from('left'), value: null, headers: {}, timestamp: Date.now() }];
  await coordinator.produce({
    ...producer,
    acks: -1,
    timeout: 5_000,
    topicData: [responses, costs].map((topic) => ({
      topic,
      partitions: [{ partition: 0, firstSequence: 0, messages }],
    })),
  });
  await group.txnOffsetCommit({
    ...producer,
    groupId: name,
    topics: [{ topic: name, partitions: [{ partition: 0, offset: '7', metadata: 'left' }] }],
  });
  await coordinator.endTxn({ ...producer, transactionResult: commit });
}

/** The records visible once the lane's next transaction is visible, and the position before it. */
async function afterNextTransaction(): Promise<{ visible: string[]; offset: number | null }> {
  const visible: string[] = [];
  const marked = Promise.withResolvers<void>();
  let marks = 0;
  const reader = await readTopics({
    settings: connection,
    logger: silent,
    topics: [responses, costs],
    from: 'start',
    onRecord: ({ topic, key }) => {
      if (String(key) !== 'next') visible.push(`${topic.slice(name.length + 1)} ${key}`);
      else if (++marks === 2) marked.resolve();
    },
    onCrash: marked.reject,
  });
  const transport = await KafkaLaneTransport.connect(
    { ...connection, groupId: name },
    [responses, costs],
    silent,
  );
  try {
    const lane = { topic: name, partition: 0 };
    const producer = await transport.fence(lane);
    const { offset } = await transport.committedPosition(lane);
    const records = [responses, costs].map((topic) => ({
      topic,
      partition: 0,
      key: 'next',
      value: null,
      headers: {},
    }));
    await producer.settle({ offset: 8, metadata: '', topicId: null, records });
    await producer.close();
    await marked.promise;
    return { visible: visible.sort(), offset };
  } finally {
    await transport.close();
    await reader.close();
  }
}

describe('a lane that opens after a transaction whose end marker some partitions missed', () => {
  it('finds a committed one committed, without the marker on the position', async () => {
    await transactionEndedIn([responses, costs], true);
    expect(await afterNextTransaction()).toEqual({
      visible: ['costs left', 'responses left'],
      offset: 7,
    });
  });

  it('finds a committed one committed, without the marker on one output and the position', async () => {
    await transactionEndedIn([costs], true);
    expect(await afterNextTransaction()).toEqual({
      visible: ['costs left', 'responses left'],
      offset: 7,
    });
  });

  it('finds a committed one committed, without any marker', async () => {
    await transactionEndedIn([elsewhere], true);
    expect(await afterNextTransaction()).toEqual({
      visible: ['costs left', 'responses left'],
      offset: 7,
    });
  });

  it('finds nothing of an aborted one, without any marker', async () => {
    await transactionEndedIn([elsewhere], false);
    expect(await afterNextTransaction()).toEqual({ visible: [], offset: null });
  });
});

describe('the resolver of in-doubt transactions', () => {
  /** The cluster, with one coordinator call that fails the first time. */
  function failingOnce(call: 'addPartitionsToTxn' | 'endTxn', times = 1): Cluster {
    let left = times;
    return {
      ...cluster,
      brokerPool: cluster.brokerPool,
      refreshMetadataIfNecessary: () => cluster.refreshMetadataIfNecessary(),
      findGroupCoordinator: async (of) => {
        const broker = await cluster.findGroupCoordinator(of);
        return new Proxy(broker, {
          get: (target, property) => {
            if (property === call && left > 0)
              return async () => {
                left -= 1;
                throw new Error('the connection broke');
              };
            const value: unknown = Reflect.get(target, property);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        });
      },
    };
  }

  it('keeps the decision when it was interrupted after another producer had begun', async () => {
    await transactionEndedIn([costs], true);
    const resolver = new InDoubtTransactionResolver(failingOnce('addPartitionsToTxn'), 60_000);
    await expect(resolver.resolve(written())).rejects.toThrow('the connection broke');
    await resolver.resolve(written());
    expect(await afterNextTransaction()).toMatchObject({ offset: 7 });
  });

  it('requests the end again, because a started commit must not be aborted', async () => {
    await transactionEndedIn([costs], true);
    await new InDoubtTransactionResolver(failingOnce('endTxn', 2), 60_000).resolve(written());
    expect(await afterNextTransaction()).toMatchObject({ offset: 7 });
  });

  it('forgets a commit that was followed by an abort', async () => {
    await transactionEndedIn([costs], true);
    const resolver = new InDoubtTransactionResolver(failingOnce('addPartitionsToTxn'), 60_000);
    await expect(resolver.resolve(written())).rejects.toThrow('the connection broke');
    await transactionEndedIn([elsewhere], false);
    await resolver.resolve(written());
    expect((await afterNextTransaction()).visible).toEqual(['costs left']);
  });

  it('does nothing for an id without a transaction', async () => {
    await new InDoubtTransactionResolver(cluster, 60_000).resolve(written());
    const { coordinator } = await coordinators();
    const { producerEpoch } = await coordinator.initProducerId({
      transactionalId: transactionalId(),
      transactionTimeout: 60_000,
    });
    expect(producerEpoch).toBe(0);
  });

  it('waits for partition leaders, and names a partition without one', async () => {
    await transactionEndedIn([costs], true);
    const resolver = new InDoubtTransactionResolver(cluster, 60_000);
    const missing = { topic: responses, partition: 9 };
    await expect(resolver.resolve({ ...written(), partitions: [missing] })).rejects.toMatchObject({
      message: expect.stringContaining(`${responses} has no partition 9`),
      retriable: true,
    });
  });
});
