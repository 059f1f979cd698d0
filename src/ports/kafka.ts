/** Null is a header without a value, undefined no header. Several values are one header each, under one name. */
export type HeaderValue = Uint8Array | string | null | (Uint8Array | string | null)[] | undefined;
/** What comes from outside has no prototype: a header may be called like something that every object has. */
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

/** Why the content of a record is not here: it has an offset and a time alone. */
export interface UnreadableRecord {
  readonly code: 'too_large' | 'unreadable_batch';
  /** What is wrong and the way out; nothing of the record's content. */
  readonly message: string;
}

/** A record as it lies in a request topic. */
export interface InboundRecord extends RecordSource {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: RecordHeaders;
  /** Set when the record could not be read: it has no value and no headers then. */
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
  /** The oldest offset that the log still has; 0 when the broker does not tell. */
  readonly logStart: number;
  /** May be empty: what was fetched can hold nothing but markers of transactions and aborted records. */
  readonly records: readonly InboundRecord[];
  /** The offset after everything that was read: what lies between the last record and it is no record. */
  readonly nextOffset: number;
}

/** What the source of requests reports. Called synchronously; must not throw. */
export interface RequestSourceListener {
  /**
   * A new assignment, before anything of it is fetched: pauses and seeks made inside hold from the first fetch on.
   *
   * @param rebalanceMs what joining took, as this member saw it
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
  /** When partitions are divided the next time, this member gets none; it stays a member until `stop`. */
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
  /** Another one than before: the topic was deleted and created again. Null from brokers that have no such ids. */
  readonly topicId: string | null;
}

/** One transaction: the position after it and everything that becomes visible with it. */
export interface Settlement {
  readonly offset: number;
  readonly metadata: string;
  readonly records: readonly OutboundRecord[];
  /** The topic that the offset is of: nothing is committed when its name belongs to another one now. Null is not compared. */
  readonly topicId: string | null;
}

/** A broker refused a record itself (its size, its form), so that sending it again never helps. */
export class RecordRefused extends Error {
  override readonly name = 'RecordRefused';
}

/** Nothing was begun: the producer's connection was closed since its last transaction, as brokers do with idle ones or when they stop. */
export class ProducerDisconnected extends Error {
  override readonly name = 'ProducerDisconnected';
}

/** A fenced transactional producer of one lane. */
export interface LaneProducer {
  /**
   * Commits offsets and records in one transaction. Any rejection leaves the outcome in doubt: the producer must be
   * closed and the lane opened again. Rejects with `RecordRefused` when a record itself was refused, and with
   * `ProducerDisconnected` when nothing is in doubt but the lane must be opened again all the same. Called before the last one
   * has ended, it begins after that, and fails when that fails.
   *
   * @returns when it was committed (monotonic clock), which may be earlier than the promise resolves
   */
  settle(settlement: Settlement): Promise<number>;
  close(): Promise<void>;
}

/** What a lane needs of the cluster. */
export interface LaneTransport {
  /** Asks the group's coordinator now: is the group stable and does this member hold the partition? */
  holds(memberId: string, partition: TopicPartition): Promise<boolean>;
  /**
   * A new producer with the lane's transactional id. When it resolves, every earlier one is fenced and every earlier transaction complete.
   *
   * @param heldBy a member of the group: rejects, and disturbs nobody, when the partition went elsewhere while others had their turn
   */
  fence(partition: TopicPartition, heldBy?: string): Promise<LaneProducer>;
  /** Reads what is committed. Only true after `fence`. */
  committedPosition(partition: TopicPartition): Promise<CommittedPosition>;
  /** The id that the topic has now; null when the broker has no ids. Rejects when there is no such topic. */
  topicId(topic: string): Promise<string | null>;
  /** Identifies the cluster whose offsets a map speaks of. */
  readonly clusterId: string;
}

/** Records of one partition, in order. Neither they nor the list change once they are handed over. */
export interface RecordBatch extends TopicPartition {
  readonly records: readonly OutboundRecord[];
}

/** A record of a batch that no broker will ever take. */
export interface RefusedRecord {
  /** Its place in the batch. */
  readonly index: number;
  /** The broker's name of the error, for example `MESSAGE_TOO_LARGE`. */
  readonly errorType: string;
}

/** What a cluster says of a topic. */
export interface TopicFacts {
  readonly topic: string;
  readonly partitions: number;
  /** `max.message.bytes`: a batch, and so a record, with more bytes is refused. */
  readonly maxBatchBytes: number;
}

/**
 * Writes records outside any transaction, at least once: after an error that can pass the identical records of that partition
 * again. Batches of one partition are written in the order of the calls, and no partition waits for another.
 */
export interface RecordSink {
  /** The partition of a key (murmur2), as of now: a topic may get more of them. */
  partitionOf(topic: string, key: Uint8Array | string): number;
  /** How many partitions a topic has, as last read. */
  partitionsOf(topic: string): number;
  /** `TopicFacts.maxBatchBytes`, as last read. */
  maxBatchBytes(topic: string): number;
  /**
   * @param onWritten called once for each batch, in whatever order they end and never before this returns: all of its records are
   *   acknowledged but those that were refused for good. Not called after `close`.
   */
  write(
    batches: readonly RecordBatch[],
    onWritten: (batch: RecordBatch, refused: readonly RefusedRecord[]) => void,
  ): void;
  close(): Promise<void>;
}
