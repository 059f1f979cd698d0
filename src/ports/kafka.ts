/** Null is a header without a value, undefined no header. Several values are one header each, under one name. */
export type HeaderValue = Uint8Array | string | null | (Uint8Array | string | null)[] | undefined;
/** Headers from outside have no prototype, because a header may have the name of an object member. */
export type RecordHeaders = Record<string, HeaderValue>;

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The position of a record. It distinguishes an original from a publisher's repetition. */
export interface RecordSource extends TopicPartition {
  readonly offset: number;
  /** Broker or producer time of the record, epoch ms. It distinguishes the records of a recreated topic. */
  readonly timestamp: number;
}

/** Why a record could not be read. Such a record has only an offset and a time. */
export interface UnreadableRecord {
  readonly code: 'too_large' | 'unreadable_batch';
  /** What is wrong and what to do; nothing of the record's content. */
  readonly message: string;
}

/** A record as it lies in a request topic. */
export interface InboundRecord extends RecordSource {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: RecordHeaders;
  /** Set if the record could not be read; it then has no value and no headers. */
  readonly unreadable?: UnreadableRecord;
}

/** A record to be written. Without `partition` the key decides (murmur2). */
export interface OutboundRecord {
  readonly topic: string;
  readonly partition?: number;
  readonly key: Uint8Array | string | null;
  readonly value: Uint8Array | null;
  readonly headers: RecordHeaders;
}

/** Records that one fetch brought for one partition, in log order. */
export interface FetchedRecords extends TopicPartition {
  /** The offset that was asked for; records may begin later where the log has a gap. */
  readonly fetchedOffset: number;
  /** The offset after the last one of the partition. */
  readonly highWatermark: number;
  /** The oldest offset that the log still has; 0 if the broker does not report it. */
  readonly logStart: number;
  /** May be empty: a fetch can consist of transaction markers and aborted records only. */
  readonly records: readonly InboundRecord[];
  /** The offset after everything that was read. There are no records between the last one and this offset. */
  readonly nextOffset: number;
}

/** What the source of requests reports. Called synchronously; must not throw. */
export interface RequestSourceListener {
  /**
   * A new assignment, before its first fetch: pauses and seeks made in this call apply to that fetch.
   *
   * @param rebalanceMs how long joining took, as this member measured it
   */
  assigned(memberId: string, partitions: readonly TopicPartition[], rebalanceMs?: number): void;
  /** Records were fetched. The position moves past them if true is returned, else it stays. */
  fetched(batch: FetchedRecords): boolean;
  /** Reading has come to an offset: everything before it was handed over, or is no record (markers, aborted ones). */
  progressed?(partition: TopicPartition, nextOffset: number, highWatermark: number): void;
  /** The source has left the group and rejoins automatically. Nothing is assigned until `assigned` is called again. */
  interrupted(error: Error): void;
  /** The source is dead and does not recover. */
  crashed(error: Error): void;
}

/** A group member that reads topics. It never commits offsets automatically. */
export interface RequestSource {
  start(listener: RequestSourceListener): Promise<void>;
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
  seek(partition: TopicPartition, offset: number): void;
  /** At the next rebalance, this member gets no partitions. It stays a member until `stop`. */
  advertiseDraining(): void;
  /** Leaves the group and closes. */
  stop(): Promise<void>;
  /** Milliseconds since the last answer of a broker to a fetch, by a monotonic clock; null before the first. */
  lastFetchAgeMs(): number | null;
}

/** What the group's coordinator keeps for a partition. */
export interface CommittedPosition {
  /** The first offset that is not settled; null when nothing was committed. */
  readonly offset: number | null;
  /** The offset map as text; empty if there is no map. */
  readonly metadata: string;
  /** The oldest offset that the log still has. */
  readonly logStart: number;
  /** The offset after the newest record. */
  readonly logEnd: number;
  /** A changed id means that the topic was deleted and recreated. Null from brokers without topic ids. */
  readonly topicId: string | null;
}

/** One transaction: the position after it and everything that becomes visible with it. */
export interface Settlement {
  readonly offset: number;
  readonly metadata: string;
  readonly records: readonly OutboundRecord[];
  /** The id of the offset's topic: nothing is committed if its name now belongs to another topic. Null is not compared. */
  readonly topicId: string | null;
}

/** A broker refused the record itself (its size, its form), so a retry never helps. */
export class RecordRefused extends Error {
  override readonly name = 'RecordRefused';
}

/** No transaction was begun: the producer's connection was closed since the last one. Brokers close idle connections, and all when they stop. */
export class ProducerDisconnected extends Error {
  override readonly name = 'ProducerDisconnected';
}

/** A fenced transactional producer of one lane. */
export interface LaneProducer {
  /**
   * Commits offsets and records in one transaction. Any rejection leaves the outcome in doubt: the producer must be
   * closed and the lane reopened. Rejects with `RecordRefused` if a record itself was refused. Rejects with
   * `ProducerDisconnected` if nothing is in doubt but the lane must be reopened anyway. A call waits for the previous one, and
   * fails if that one fails.
   *
   * @returns when it was committed (monotonic clock), which may be earlier than the promise resolves
   */
  settle(settlement: Settlement): Promise<number>;
  close(): Promise<void>;
}

/** The operations of the cluster that a lane needs. */
export interface LaneTransport {
  /** Asks the group's coordinator now: is the group stable and does this member hold the partition? */
  holds(memberId: string, partition: TopicPartition): Promise<boolean>;
  /**
   * A new producer with the lane's transactional id. When it resolves, every earlier one is fenced and every earlier transaction complete.
   *
   * @param heldBy a member of the group. If the partition was reassigned while the call waited its turn, it rejects without fencing
   */
  fence(partition: TopicPartition, heldBy?: string): Promise<LaneProducer>;
  /** Reads the committed position. Only reliable after `fence`. */
  committedPosition(partition: TopicPartition): Promise<CommittedPosition>;
  /** The topic's current id; null if the broker has no topic ids. Rejects if the topic does not exist. */
  topicId(topic: string): Promise<string | null>;
  /** Identifies the cluster whose offsets a map contains. */
  readonly clusterId: string;
}

/** Records of one partition, in order. Neither the records nor the list may change after the call. */
export interface RecordBatch extends TopicPartition {
  readonly records: readonly OutboundRecord[];
}

/** A record of a batch that no broker will ever accept. */
export interface RefusedRecord {
  /** Its place in the batch. */
  readonly index: number;
  /** The broker's name of the error, for example `MESSAGE_TOO_LARGE`. */
  readonly errorType: string;
}

/** A topic as the cluster describes it. */
export interface TopicFacts {
  readonly topic: string;
  readonly partitions: number;
  /** `max.message.bytes`: a larger batch, and so a larger record, is refused. */
  readonly maxBatchBytes: number;
}

/**
 * Writes records outside any transaction, at least once: after a transient error, the identical records of that partition are
 * retried. Batches of one partition are written in the order of the calls. No partition waits for another.
 */
export interface RecordSink {
  /** The partition of a key (murmur2) at present. It changes when the topic gets more partitions. */
  partitionOf(topic: string, key: Uint8Array | string): number;
  /** How many partitions a topic has, as last read. */
  partitionsOf(topic: string): number;
  /** `TopicFacts.maxBatchBytes`, as last read. */
  maxBatchBytes(topic: string): number;
  /**
   * @param onWritten called once per batch, in any order and never before this returns. All records of the batch are acknowledged but
   *   those that were refused permanently. Not called after `close`.
   */
  write(
    batches: readonly RecordBatch[],
    onWritten: (batch: RecordBatch, refused: readonly RefusedRecord[]) => void,
  ): void;
  close(): Promise<void>;
}
