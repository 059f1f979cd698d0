import type { OutboundRecord } from '../../../ports/kafka.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { retry } from '../../../runtime/retry.ts';
import { errorType } from '../kafkajs/broker-errors.ts';
import { connectCluster, topicMetadata } from '../kafkajs/cluster-requests.ts';
import type { KafkaSettings } from '../kafkajs/kafka-client.ts';
import { INVALID_TIMESTAMP } from '../produce/record-clock.ts';
import { InDoubtTransactionResolver } from './in-doubt-transaction-resolver.ts';
import { TransactionalProducer } from './transactional-producer.ts';

/** Transient: the coordinator moves, or waits for another transaction. */
const CONNECT_DELAY_MS = 100;
const CONNECT_TRIES = 300;
/** Enough tries to find the time of a broker that accepts early records, however wrong this machine's clock is. */
const TIME_TRIES = 40;
/** Per transaction, which has one batch for each partition: well below a topic's limit. */
const PACK_BYTES = 500_000;
const PACK_RECORDS = 500;

/** Errors that mean that another process holds the name. */
const TAKEN_OVER: ReadonlySet<string> = new Set(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH']);

/** Another process started the same task. It continues where this one stopped. */
export class TakenOver extends Error {
  override readonly name = 'TakenOver';
}

/**
 * Writes records in transactions under a name that one process at a time holds. Connecting fences the earlier holder, which
 * can write nothing from then on. So what is read after `connect` is complete: no other holder can add to it.
 */
export class ExclusivePublisher {
  private producer: TransactionalProducer;
  private readonly reopen: () => Promise<TransactionalProducer>;

  private constructor(producer: TransactionalProducer, reopen: () => Promise<TransactionalProducer>) {
    this.producer = producer;
    this.reopen = reopen;
  }

  /**
   * @param name of the task, within the group
   * @param topics that are written to
   * @throws TakenOver when another process connects with the name at the same time
   */
  static async connect(
    settings: KafkaSettings,
    logger: Logger,
    name: string,
    ...topics: string[]
  ): Promise<ExclusivePublisher> {
    // "/" cannot be in a topic's name, and lanes have two of them.
    const transactionalId = `${settings.groupId}/${name}`;
    const open = () => connectOnce(settings, logger, transactionalId, topics);
    const isRetryable = (error: unknown) => (error as { retriable?: boolean }).retriable === true;
    try {
      const producer = await retry(open, { tries: CONNECT_TRIES, delayMs: CONNECT_DELAY_MS, isRetryable });
      return new ExclusivePublisher(producer, open);
    } catch (error) {
      throw takenOverBy(error);
    }
  }

  /**
   * Records committed before an error stay committed.
   *
   * @throws TakenOver when another process has connected with the name
   */
  async publish(records: readonly OutboundRecord[]): Promise<void> {
    // The broker may have closed the idle connection during a long read. The last transaction was complete by then.
    await this.producer.reconnect();
    for (const pack of packs(records)) {
      try {
        await this.publishPack(pack);
      } catch (error) {
        throw takenOverBy(error);
      }
    }
  }

  /** Each try corrects a refused time (`RecordClock`). Nothing of a refused transaction was committed. */
  private publishPack(records: readonly OutboundRecord[]): Promise<void> {
    const publish = async () => {
      await this.producer.write({ position: null, records });
      await this.producer.commit();
    };
    return retry(publish, {
      tries: TIME_TRIES,
      isRetryable: (error) => errorType(error) === INVALID_TIMESTAMP,
      onRetry: async () => {
        await this.producer.close();
        this.producer = await this.reopen();
      },
    });
  }

  async close(): Promise<void> {
    await this.producer.close();
  }
}

/** `TakenOver` if the error means that another process holds the name, else the error itself. */
function takenOverBy(error: unknown): unknown {
  if (!TAKEN_OVER.has(errorType(error))) return error;
  return new TakenOver('another process has started the same task and continues it', { cause: error });
}

/** Fences the earlier holder. From here on, everything that it committed is visible in all partitions. */
async function connectOnce(
  settings: KafkaSettings,
  logger: Logger,
  transactionalId: string,
  topics: readonly string[],
): Promise<TransactionalProducer> {
  const { requestTimeoutMs, transactionTimeoutMs } = settings;
  const cluster = await connectCluster(settings, logger);
  try {
    const broker = await cluster.brokerPool.findConnectedBroker();
    const partitions = (await topicMetadata(broker, topics, requestTimeoutMs)).flatMap(
      ({ topic, partitionMetadata }) =>
        partitionMetadata.map(({ partitionId }) => ({ topic, partition: partitionId })),
    );
    // The reader of the topic reports that it is missing.
    if (partitions.length > 0)
      await new InDoubtTransactionResolver(cluster, transactionTimeoutMs).resolve({
        transactionalId,
        partitions,
        groupId: null,
      });
    return await TransactionalProducer.connect(cluster, transactionalId, transactionTimeoutMs);
  } catch (error) {
    await cluster.disconnect().catch(() => undefined);
    throw error;
  }
}

function packs(records: readonly OutboundRecord[]): OutboundRecord[][] {
  const result: OutboundRecord[][] = [];
  let bytes = 0;
  for (const record of records) {
    const size = record.value?.byteLength ?? 0;
    const current = result.at(-1);
    if (current === undefined || current.length >= PACK_RECORDS || bytes + size > PACK_BYTES) {
      result.push([record]);
      bytes = size;
    } else {
      current.push(record);
      bytes += size;
    }
  }
  return result;
}
