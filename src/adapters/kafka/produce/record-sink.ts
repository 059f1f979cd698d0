import { RepeatLimiter } from '../../../domain/limits/repeat-limiter.ts';
import {
  type OutboundRecord,
  type RecordBatch,
  RecordRefused,
  type RecordSink,
  type RefusedRecord,
  type TopicFacts,
} from '../../../ports/kafka.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { errorType } from '../kafkajs/broker-errors.ts';
import type { KafkaConnection } from '../kafkajs/kafka-client.ts';
import { BrokerConnections, type ConnectionLane } from './broker-connections.ts';
import { LeaderRequests } from './leader-requests.ts';
import { partitionOfKey } from './partition-of-key.ts';
import { type OnWritten, PartitionWriter } from './partition-writer.ts';
import { classOfProduceError, produceErrorType } from './produce-errors.ts';
import { batchesOf } from './record-batches.ts';
import { TopicDirectory } from './topic-directory.ts';
import { untilKnown } from './until-known.ts';

/** How long further failures of the same topic and error are only counted after one was logged. */
const QUIET_MS = 10_000;
/** How long a leader waits for its replicas before a partition moves to a connection where it delays no other. */
const MAIN_TIMEOUT_MS = 3_000;
/** How long a topic may be unknown at the start. */
const TOPICS_TIMEOUT_MS = 5_000;
/** A broker answers before the request is given up. */
const ANSWER_MARGIN = 0.8;

export interface RecordSinkOptions {
  /** Topics whose partitions and limits are known from the start. */
  readonly topics?: readonly string[];
  /** Called with all topics when one has got more partitions or another limit. */
  readonly onTopics?: (topics: readonly TopicFacts[]) => void;
  /** Called for each time that a partition's records were not written. */
  readonly onFailed?: (errorType: string) => void;
}

/**
 * Writes records outside any transaction, at least once and in order within a partition. Each leader gets one request at a
 * time. After a transient error, the identical records of that partition are retried. An idempotent producer would lose
 * acknowledged records through kafkajs's retries.
 */
export class KafkaRecordSink implements RecordSink {
  private readonly connections: BrokerConnections;
  private readonly directory: TopicDirectory;
  private readonly logger: Logger;
  private readonly options: RecordSinkOptions;
  private readonly answerMs: number;
  private readonly writers = new Map<string, PartitionWriter>();
  private readonly leaders = new Map<string, LeaderRequests>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly limiter = new RepeatLimiter(QUIET_MS);
  private readonly closing = new AbortController();
  private keyless = 0;

  private constructor(
    connections: BrokerConnections,
    settings: KafkaConnection,
    logger: Logger,
    options: RecordSinkOptions,
  ) {
    this.connections = connections;
    this.logger = logger;
    this.options = options;
    this.answerMs = settings.requestTimeoutMs * ANSWER_MARGIN;
    this.directory = new TopicDirectory(connections, logger, (topics) => options.onTopics?.(topics));
  }

  /** @throws when no broker answers, or one of the topics does not exist */
  static async connect(
    settings: KafkaConnection,
    logger: Logger,
    options: RecordSinkOptions = {},
  ): Promise<KafkaRecordSink> {
    const { topics = [] } = options;
    const sink = new KafkaRecordSink(
      await BrokerConnections.connect(settings, logger),
      settings,
      logger,
      options,
    );
    try {
      // Brokers hear of a new topic one after the other.
      const signal = AbortSignal.timeout(TOPICS_TIMEOUT_MS);
      await untilKnown(sink.directory, topics, logger, signal).catch((cause: unknown) => {
        throw new Error(
          `these topics are missing, or no broker answers: ${topics.join(', ')}; create them with: completion-bus topics create`,
          { cause },
        );
      });
      for (const topic of topics) await sink.directory.readLimit(topic);
    } catch (error) {
      await sink.close();
      throw error;
    }
    return sink;
  }

  topics(): TopicFacts[] {
    return this.directory.facts();
  }

  partitionOf(topic: string, key: Uint8Array | string): number {
    return partitionOfKey(key, Math.max(1, this.directory.partitionsOf(topic)));
  }

  partitionsOf(topic: string): number {
    return this.directory.partitionsOf(topic);
  }

  maxBatchBytes(topic: string): number {
    return this.directory.maxBatchBytes(topic);
  }

  write(batches: readonly RecordBatch[], onWritten: OnWritten): void {
    this.directory.refreshIfOld();
    for (const batch of batches) {
      const writer = this.writerOf(batch.topic, batch.partition);
      if (writer.push(batch, onWritten)) this.dispatch(writer);
    }
  }

  /**
   * Resolves when all records are acknowledged. Waits for a topic that does not exist, and for partitions without a leader.
   *
   * @throws RecordRefused when some are refused for good; the others are written
   * @throws when the sink is closed meanwhile
   */
  async send(records: readonly OutboundRecord[]): Promise<void> {
    if (records.length === 0) return;
    const { signal } = this.closing;
    signal.throwIfAborted();
    const topics = [...new Set(records.map(({ topic }) => topic))];
    await untilKnown(this.directory, topics, this.logger, signal);
    const batches = batchesOf(records, (record) => this.placeOf(record));
    const closed = Promise.withResolvers<never>();
    const onClosed = () => closed.reject(signal.reason);
    signal.addEventListener('abort', onClosed, { once: true });
    try {
      const refused = await Promise.race([this.writeAll(batches), closed.promise]);
      const [first] = refused;
      if (first !== undefined)
        throw new RecordRefused(
          `the brokers refused ${refused.length} of ${records.length} records for good: ${first.errorType}`,
        );
    } finally {
      signal.removeEventListener('abort', onClosed);
    }
  }

  async close(): Promise<void> {
    this.closing.abort(new Error('the record sink was closed'));
    for (const timer of this.timers) clearTimeout(timer);
    await this.connections.close();
  }

  private writeAll(batches: readonly RecordBatch[]): Promise<RefusedRecord[]> {
    const { promise, resolve } = Promise.withResolvers<RefusedRecord[]>();
    const allRefused: RefusedRecord[] = [];
    let left = batches.length;
    this.write(batches, (_batch, refused) => {
      allRefused.push(...refused);
      left -= 1;
      if (left === 0) resolve(allRefused);
    });
    return promise;
  }

  /** Records without a key go to the partitions in turn. */
  private placeOf({ topic, partition, key }: OutboundRecord): number {
    if (partition !== undefined) return partition;
    if (key !== null) return this.partitionOf(topic, key);
    this.keyless += 1;
    return this.keyless % this.directory.partitionsOf(topic);
  }

  private writerOf(topic: string, partition: number): PartitionWriter {
    const name = `${topic}/${partition}`;
    let writer = this.writers.get(name);
    if (writer === undefined) {
      writer = new PartitionWriter(topic, partition);
      this.writers.set(name, writer);
    }
    return writer;
  }

  private dispatch(writer: PartitionWriter): void {
    if (this.closing.signal.aborted) return;
    const leader = this.directory.leaderOf(writer);
    if (leader === null) this.retry(writer, 'LEADER_NOT_AVAILABLE');
    else this.leader(leader, writer.lane).push(writer);
  }

  private leader(nodeId: number, lane: ConnectionLane): LeaderRequests {
    const name = `${nodeId}/${lane}`;
    let leader = this.leaders.get(name);
    if (leader === undefined) {
      const timeoutMs = lane === 'main' ? Math.min(MAIN_TIMEOUT_MS, this.answerMs) : this.answerMs;
      leader = new LeaderRequests(this.connections, nodeId, lane, Math.round(timeoutMs), {
        answered: (writer, code, bytes) => this.answered(writer, code, bytes),
        unencodable: (writer) => this.after(writer, writer.refuse('UNENCODABLE')),
        lost: (writer, error) => {
          writer.lane = 'suspect';
          this.retry(writer, errorType(error) || nameOf(error));
        },
      });
      this.leaders.set(name, leader);
    }
    return leader;
  }

  private answered(writer: PartitionWriter, code: number | null, bytes: number): void {
    if (code === 0) this.after(writer, writer.written());
    else this.failed(writer, code === null ? 'NO_ANSWER' : produceErrorType(code), bytes);
  }

  private failed(writer: PartitionWriter, type: string, bytes: number): void {
    const errorClass = classOfProduceError(type);
    if (errorClass === 'passes') {
      if (type === 'REQUEST_TIMED_OUT') writer.lane = 'suspect';
      this.retry(writer, type);
    } else {
      this.report(writer, type);
      if (errorClass === 'topic') this.after(writer, writer.refuseAll(type));
      else if (type === 'INVALID_RECORD') this.after(writer, writer.refuse(type));
      // The limit is known to those who seal the next batches before the refused one is settled.
      else
        void this.directory
          .refusedAsTooLarge(writer.topic, bytes)
          .finally(() => this.after(writer, writer.refuse(type)));
    }
  }

  private after(writer: PartitionWriter, hasMore: boolean): void {
    if (hasMore) this.dispatch(writer);
  }

  /** The identical records again, after a while. */
  private retry(writer: PartitionWriter, type: string): void {
    if (this.closing.signal.aborted) return;
    const delayMs = writer.failed();
    this.report(writer, type);
    void this.directory.refresh().catch(() => undefined);
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.dispatch(writer);
    }, delayMs);
    this.timers.add(timer);
  }

  private report({ topic, partition, tries }: PartitionWriter, type: string): void {
    this.options.onFailed?.(type);
    const suppressed = this.limiter.take(`${topic} ${type}`, performance.now());
    if (suppressed === null) return;
    const message =
      classOfProduceError(type) === 'passes'
        ? 'records could not be written; trying again'
        : 'a broker refused records; records that are refused individually are dropped';
    this.logger.warn({ topic, partition, error: type, tries, suppressed }, message);
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}
