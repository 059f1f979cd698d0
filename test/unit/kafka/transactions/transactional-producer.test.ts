import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import type { Broker } from '../../../../src/adapters/kafka/kafkajs/broker.ts';
import type { Cluster } from '../../../../src/adapters/kafka/kafkajs/cluster-requests.ts';
import { TransactionalProducer } from '../../../../src/adapters/kafka/transactions/transactional-producer.ts';
import { type OutboundRecord, ProducerDisconnected } from '../../../../src/ports/kafka.ts';

const brokerError = (type: string) =>
  Object.assign(new kafkajs.KafkaJSProtocolError(new Error(type)), { type });

const identity = { transactionalId: 'group/chat.requests/3', producerId: '7', producerEpoch: 2 };
const position = { groupId: 'group', topic: 'chat.requests', partition: 3, offset: 42, metadata: 'the map' };
const record = (topic: string, partition: number | undefined, key: string): OutboundRecord => ({
  topic,
  ...(partition !== undefined && { partition }),
  key,
  value: Buffer.from('v'),
  headers: {},
});

type Name =
  | 'initProducerId'
  | 'addOffsetsToTxn'
  | 'addPartitionsToTxn'
  | 'txnOffsetCommit'
  | 'produce'
  | 'endTxn';
interface Request {
  readonly node: number;
  readonly name: Name;
  readonly of: unknown;
}

/**
 * Three brokers: 1 coordinates transactions, 2 the group, and each topic's partition p is led by the broker of `leaders`. A test
 * may delay answers: `held` answers when it is released.
 */
class FakeCluster {
  readonly requests: Request[] = [];
  readonly coordinatorsAskedFor: string[] = [];
  leaders: Record<number, number> = { 3: 3, 4: 1 };
  connected = true;
  private readonly connection = { socket: {} };
  /** Called while metadata is read. */
  onMetadata: () => void = () => undefined;
  groupConnected = true;
  disconnects = 0;
  /** Replaces an answer; called for each request. */
  fails: (name: Name) => Error | null = () => null;
  held: Promise<void> | null = null;

  private broker(node: number): Broker {
    const answer =
      (name: Name, gives: unknown = undefined) =>
      async (of: unknown) => {
        this.requests.push({ node, name, of });
        await this.held;
        const error = this.fails(name);
        if (error !== null) throw error;
        return gives;
      };
    return {
      connectionPool: {
        isConnected: () => (node === 2 ? this.groupConnected : this.connected),
        pool: [this.connection],
      },
      initProducerId: answer('initProducerId', { producerId: '7', producerEpoch: 2 }),
      addOffsetsToTxn: answer('addOffsetsToTxn'),
      addPartitionsToTxn: answer('addPartitionsToTxn'),
      txnOffsetCommit: answer('txnOffsetCommit'),
      produce: answer('produce'),
      endTxn: answer('endTxn'),
    } as unknown as Broker;
  }

  /** Does what kafkajs does when it reconnects. */
  replaceSocket(): void {
    this.connection.socket = {};
  }

  async connectProducer(): Promise<TransactionalProducer> {
    const cluster = {
      refreshMetadataIfNecessary: async () => this.onMetadata(),
      addMultipleTargetTopics: async () => undefined,
      findTopicPartitionMetadata: () =>
        Object.entries(this.leaders).map(([id, leader]) => ({ partitionId: Number(id), leader })),
      findBroker: async ({ nodeId }: { nodeId: number }) => this.broker(nodeId),
      findGroupCoordinator: async ({ groupId, coordinatorType }: Record<string, unknown>) => {
        this.coordinatorsAskedFor.push(String(groupId));
        // As kafkajs does: it connects to any broker that it finds.
        if (coordinatorType === 1) this.connected = true;
        else this.groupConnected = true;
        return this.broker(coordinatorType === 1 ? 1 : 2);
      },
      disconnect: async () => {
        this.disconnects += 1;
        throw new Error('the connection is already closed');
      },
    } as unknown as Cluster;
    return TransactionalProducer.connect(cluster, identity.transactionalId, 60_000);
  }

  get names(): Name[] {
    return this.requests.map(({ name }) => name);
  }
}

async function connected() {
  const cluster = new FakeCluster();
  const producer = await cluster.connectProducer();
  cluster.requests.length = 0;
  return { cluster, producer };
}

describe('a transactional producer', () => {
  it('fences earlier producers of its id when it connects, and waits while the coordinator loads or ends their transactions', async () => {
    const cluster = new FakeCluster();
    const busy = ['GROUP_LOAD_IN_PROGRESS', 'CONCURRENT_TRANSACTIONS'];
    cluster.fails = () => {
      const type = busy.shift();
      return type === undefined ? null : brokerError(type);
    };
    await cluster.connectProducer();
    const of = { transactionalId: identity.transactionalId, transactionTimeout: 60_000 };
    expect(cluster.requests).toEqual(Array(3).fill({ node: 1, name: 'initProducerId', of }));
  });

  it('registers everything with the coordinator, then writes position and records, then commits', async () => {
    const { cluster, producer } = await connected();
    await producer.write({ position, records: [record('responses', 3, 'a'), record('costs', 3, 'b')] });
    await producer.commit();
    const message = (key: string) => ({ key, value: Buffer.from('v'), headers: {}, partition: 3 });
    const written = (topic: string, key: string) => ({
      topic,
      partitions: [{ topic, partition: 3, messages: [message(key)], firstSequence: 0 }],
    });
    expect(cluster.requests).toEqual(
      [
        { node: 1, name: 'addOffsetsToTxn', of: { ...identity, groupId: 'group' } },
        {
          node: 1,
          name: 'addPartitionsToTxn',
          of: {
            ...identity,
            topics: [
              { topic: 'responses', partitions: [3] },
              { topic: 'costs', partitions: [3] },
            ],
          },
        },
        {
          node: 3,
          name: 'produce',
          of: { ...identity, topicData: [written('responses', 'a'), written('costs', 'b')] },
        },
        {
          node: 2,
          name: 'txnOffsetCommit',
          of: {
            ...identity,
            groupId: 'group',
            topics: [
              { topic: 'chat.requests', partitions: [{ partition: 3, offset: '42', metadata: 'the map' }] },
            ],
          },
        },
        { node: 1, name: 'endTxn', of: { ...identity, transactionResult: true } },
      ].sort(
        (one, other) => cluster.names.indexOf(one.name as Name) - cluster.names.indexOf(other.name as Name),
      ),
    );
    expect(cluster.names.indexOf('addPartitionsToTxn')).toBeLessThan(cluster.names.indexOf('produce'));
    expect(cluster.names.at(-1)).toBe('endTxn');
  });

  it('waits for a single round trip, not for each request', async () => {
    const { cluster, producer } = await connected();
    const answers = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const [added, written] = answers as [PromiseWithResolvers<void>, PromiseWithResolvers<void>];
    cluster.held = added.promise;
    const writing = producer.write({ position, records: [record('responses', 3, 'a')] });
    await expect.poll(() => cluster.names).toEqual(['addOffsetsToTxn', 'addPartitionsToTxn']);
    cluster.held = written.promise;
    added.resolve();
    await expect.poll(() => cluster.names.slice(2).sort()).toEqual(['produce', 'txnOffsetCommit']);
    written.resolve();
    await writing;
  });

  it('looks up each coordinator once', async () => {
    const { cluster, producer } = await connected();
    for (let count = 0; count < 3; count += 1) {
      await producer.write({ position, records: [] });
      await producer.commit();
    }
    expect(cluster.coordinatorsAskedFor).toEqual([identity.transactionalId, 'group']);
  });

  it('sends each broker the partitions that it leads, and numbers the records of each partition', async () => {
    const { cluster, producer } = await connected();
    const records = [
      record('responses', 3, 'a'),
      record('responses', 4, 'b'),
      record('responses', 3, 'c'),
      record('costs', 4, 'd'),
    ];
    const sequences = () =>
      cluster.requests
        .filter(({ name }) => name === 'produce')
        .flatMap(({ node, of }) =>
          (of as Parameters<Broker['produce']>[0]).topicData.flatMap(({ topic, partitions }) =>
            partitions.map(({ partition, firstSequence, messages }) => [
              `node ${node}: ${topic} ${partition}`,
              firstSequence,
              messages.map(({ key }) => key).join(),
            ]),
          ),
        );
    await producer.write({ position: null, records });
    expect(cluster.names).not.toContain('addOffsetsToTxn');
    expect(cluster.names).not.toContain('txnOffsetCommit');
    expect(sequences()).toEqual([
      ['node 3: responses 3', 0, 'a,c'],
      ['node 1: responses 4', 0, 'b'],
      ['node 1: costs 4', 0, 'd'],
    ]);
    cluster.requests.length = 0;
    await producer.write({ position: null, records });
    expect(sequences().map(([, first]) => first)).toEqual([2, 1, 1]);
  });

  it('commits a position alone, and aborts', async () => {
    const { cluster, producer } = await connected();
    await producer.write({ position, records: [] });
    await producer.abort();
    expect(cluster.names).toEqual(['addOffsetsToTxn', 'txnOffsetCommit', 'endTxn']);
    expect(cluster.requests.at(-1)?.of).toEqual({ ...identity, transactionResult: false });
  });

  it.each(['addOffsetsToTxn', 'addPartitionsToTxn'] as const)(
    'repeats %s, and nothing else, while the coordinator ends the transaction before',
    async (busyOne) => {
      const { cluster, producer } = await connected();
      let busy = 2;
      cluster.fails = (name) =>
        name === busyOne && busy-- > 0 ? brokerError('CONCURRENT_TRANSACTIONS') : null;
      await producer.write({ position, records: [record('responses', 3, 'a')] });
      const counts = Object.groupBy(cluster.names, (name) => name);
      expect(counts[busyOne]).toHaveLength(3);
      expect(cluster.names).toHaveLength(6);
    },
  );

  it.each(['addOffsetsToTxn', 'addPartitionsToTxn'] as const)(
    'writes nothing when %s fails',
    async (failing) => {
      const { cluster, producer } = await connected();
      const error = brokerError('INVALID_PRODUCER_EPOCH');
      cluster.fails = (name) => (name === failing ? error : null);
      await expect(producer.write({ position, records: [record('responses', 3, 'a')] })).rejects.toBe(error);
      expect(cluster.names).toEqual(['addOffsetsToTxn', 'addPartitionsToTxn']);
    },
  );

  it.each(['txnOffsetCommit', 'produce', 'endTxn'] as const)('never repeats %s', async (failing) => {
    const { cluster, producer } = await connected();
    const error = brokerError('CONCURRENT_TRANSACTIONS');
    cluster.fails = (name) => (name === failing ? error : null);
    const settle = async () => {
      await producer.write({ position, records: [record('responses', 3, 'a')] });
      await producer.commit();
    };
    await expect(settle()).rejects.toBe(error);
    expect(cluster.names.filter((name) => name === failing)).toHaveLength(1);
  });

  it('writes nothing after its connection to the coordinator was lost', async () => {
    const { cluster, producer } = await connected();
    cluster.connected = false;
    await expect(producer.write({ position, records: [] })).rejects.toThrow(
      'the coordinator of group/chat.requests/3 has closed the connection since the last transaction',
    );
    expect(cluster.requests).toEqual([]);
  });

  it('writes nothing after that connection was lost during a metadata request', async () => {
    const { cluster, producer } = await connected();
    cluster.onMetadata = () => {
      cluster.connected = false;
    };
    const records = [record('responses', 3, 'a')];
    await expect(producer.write({ position, records })).rejects.toThrow(ProducerDisconnected);
    expect(cluster.requests).toEqual([]);
  });

  it('writes nothing over a connection other than the last transaction’s', async () => {
    const { cluster, producer } = await connected();
    cluster.onMetadata = () => cluster.replaceSocket();
    const records = [record('responses', 3, 'a')];
    await expect(producer.write({ position, records })).rejects.toThrow(ProducerDisconnected);
    expect(cluster.requests).toEqual([]);
  });

  it('reconnects to a group coordinator that has closed the connection', async () => {
    const { cluster, producer } = await connected();
    await producer.write({ position, records: [] });
    cluster.groupConnected = false;
    await producer.write({ position, records: [] });
    expect(cluster.coordinatorsAskedFor).toEqual([identity.transactionalId, 'group', 'group']);
  });

  it('writes again once it has found its coordinator', async () => {
    const { cluster, producer } = await connected();
    cluster.connected = false;
    await producer.reconnect();
    await producer.write({ position, records: [] });
    expect(cluster.coordinatorsAskedFor.slice(0, 2)).toEqual(Array(2).fill(identity.transactionalId));
  });

  it('begins nothing when a partition has no leader or number, and names the partition', async () => {
    const { cluster, producer } = await connected();
    await expect(producer.write({ position, records: [record('responses', 9, 'a')] })).rejects.toThrow(
      'responses has no partition 9, only 2 partitions',
    );
    cluster.leaders = { 3: -1 };
    await expect(producer.write({ position, records: [record('responses', 3, 'a')] })).rejects.toThrow(
      'responses has no leader of partition 3 now',
    );
    await expect(
      producer.write({ position, records: [record('responses', undefined, 'a')] }),
    ).rejects.toThrow('a record for responses names no partition');
    expect(cluster.requests).toEqual([]);
  });

  it('can be closed when its connections are closed', async () => {
    const { cluster, producer } = await connected();
    await producer.close();
    expect(cluster.disconnects).toBe(1);
  });
});
