import { setTimeout as wait } from 'node:timers/promises';
import type { TopicPartition } from '../../../ports/kafka.ts';
import { retry } from '../../../runtime/retry.ts';
import type { Broker } from '../kafkajs/broker.ts';
import { leaderOf, whileBusy } from '../kafkajs/broker-errors.ts';
import {
  brokerError,
  byTopic,
  type Cluster,
  KafkaDecoder,
  KafkaEncoder,
  topicMetadata,
} from '../kafkajs/cluster-requests.ts';
import { findCoordinator } from '../kafkajs/find-coordinator.ts';

/*
 * A commit is acknowledged when the coordinator has noted it; it then writes a marker to every partition of the transaction. A
 * coordinator of Kafka 4 that starts with such a note leaves out the partitions that have no leader at that moment, and
 * notes that the transaction is complete (docs/decisions/0029). The records there are then neither committed nor aborted: the
 * next transaction of the same id that ends in that partition decides them, with its own result.
 *
 * So before the id is used again, the resolver ends an empty transaction in every partition that the last one can have
 * written, with the same decision as the last one. Where the marker was written, this changes nothing.
 *
 * Sources: https://kafka.apache.org/protocol#The_Messages_DescribeTransactions, KIP-664, KIP-98.
 */
const DESCRIBE_TRANSACTIONS = 65;
const TRANSACTIONAL_ID_NOT_FOUND = 105;
const TIMEOUT_MS = 3_000;
/** While markers are written the coordinator is busy for a few milliseconds. */
const BUSY_DELAY_MS = 3;
const BUSY_TRIES = 1_000;
const END_TRIES = 5;
const END_DELAY_MS = 200;

const COMMITTED: ReadonlySet<string> = new Set(['PrepareCommit', 'CompleteCommit']);
const ABORTED: ReadonlySet<string> = new Set(['PrepareAbort', 'CompleteAbort']);

/** Where transactions of an id write. */
export interface Written {
  readonly transactionalId: string;
  readonly partitions: readonly TopicPartition[];
  /** Whose offsets they commit; null for none. */
  readonly groupId: string | null;
}

/** Ends the last transaction of an id in every partition that it can have written. */
export class InDoubtTransactionResolver {
  private readonly cluster: Cluster;
  private readonly timeoutMs: number;
  /** Ids whose last transaction was committed: the coordinator forgets that as soon as another producer has begun. */
  private readonly committed = new Set<string>();

  /** @param timeoutMs of transactions (`transaction.timeout.ms`) */
  constructor(cluster: Cluster, timeoutMs: number) {
    this.cluster = cluster;
    this.timeoutMs = timeoutMs;
  }

  /**
   * Ends every earlier producer of the id as well. Retry a failed call: it continues with the earlier decision. Does nothing on
   * brokers older than Kafka 3.0, which do not report the decision.
   *
   * @throws when a partition has no leader, or a coordinator is not available
   */
  async resolve({ transactionalId, partitions, groupId }: Written): Promise<void> {
    await this.cluster.refreshMetadataIfNecessary();
    const coordinator = await findCoordinator(this.cluster, 'transaction', transactionalId);
    // 1. Find the decision, as long as the coordinator knows it.
    const state = await stateOf(coordinator, transactionalId);
    if (state === null) return;
    if (COMMITTED.has(state)) this.committed.add(transactionalId);
    if (ABORTED.has(state)) this.committed.delete(transactionalId);
    // 2. Require leaders, so that no marker is left out.
    await requireLeaders(coordinator, partitions);
    if (groupId !== null) await findCoordinator(this.cluster, 'group', groupId);
    // 3. Fence every earlier producer.
    const identity = await whileBusy(() =>
      coordinator.initProducerId({ transactionalId, transactionTimeout: this.timeoutMs }),
    );
    // 4. End the transaction the same way in every partition.
    const producer = { transactionalId, ...identity };
    await coordinator.addPartitionsToTxn({ ...producer, topics: byTopic(partitions) });
    if (groupId !== null) await coordinator.addOffsetsToTxn({ ...producer, groupId });
    const end = { ...producer, transactionResult: this.committed.has(transactionalId) };
    // Given up halfway, the coordinator would abort it in the end, whatever had been decided. The same end may be asked for again.
    await retry(() => coordinator.endTxn(end), { tries: END_TRIES, delayMs: END_DELAY_MS });
    await untilComplete(coordinator, transactionalId);
    this.committed.delete(transactionalId);
  }
}

/** @returns null if the id has had no transaction, or the broker does not report it */
async function stateOf(coordinator: Broker, transactionalId: string): Promise<string | null> {
  if (coordinator.versions[DESCRIBE_TRANSACTIONS] === undefined) return null;
  const { errorCode, state } = await coordinator.connectionPool.send({
    request: {
      apiKey: DESCRIBE_TRANSACTIONS,
      apiVersion: 0,
      apiName: 'DescribeTransactions',
      // The header's tagged fields; lengths of compact arrays are one more than they say.
      encode: async () =>
        new KafkaEncoder()
          .writeUVarInt(0)
          .writeUVarInt(2)
          .writeUVarIntString(transactionalId)
          .writeUVarInt(0),
    },
    response: { decode: async (payload) => decodeState(payload), parse: async (answer) => answer },
    requestTimeout: TIMEOUT_MS,
  });
  if (errorCode === TRANSACTIONAL_ID_NOT_FOUND) return null;
  if (errorCode !== 0) throw brokerError(errorCode);
  return state;
}

/** Reads as far as the only transaction's state. */
function decodeState(payload: Buffer): { readonly errorCode: number; readonly state: string } {
  const decoder = new KafkaDecoder(payload);
  // The header's tagged fields, throttle time, number of transactions; then the transaction.
  decoder.readTaggedFields();
  decoder.readInt32();
  decoder.readUVarInt();
  const errorCode = decoder.readInt16();
  decoder.readUVarIntString();
  return { errorCode, state: decoder.readUVarIntString() };
}

/** Of these partitions only: one without a leader does not keep the others from being ended. */
async function requireLeaders(coordinator: Broker, partitions: readonly TopicPartition[]): Promise<void> {
  const topics = byTopic(partitions).map(({ topic }) => topic);
  const known = new Map(
    (await topicMetadata(coordinator, topics, TIMEOUT_MS)).map(({ topic, partitionMetadata }) => [
      topic,
      partitionMetadata,
    ]),
  );
  for (const partition of partitions) leaderOf(partition, known.get(partition.topic) ?? []);
}

async function untilComplete(coordinator: Broker, transactionalId: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const state = await stateOf(coordinator, transactionalId);
    if (state === null || !state.startsWith('Prepare')) return;
    if (tries >= BUSY_TRIES) throw new Error(`the transaction of ${transactionalId} is still in ${state}`);
    await wait(BUSY_DELAY_MS);
  }
}
