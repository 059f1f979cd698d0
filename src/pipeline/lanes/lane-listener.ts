import type { InboundRecord, OutboundRecord, TopicPartition } from '../../ports/kafka.ts';

/** One finished request that waits to be settled. */
export interface FinishedRequest {
  readonly offset: number;
  readonly records: readonly OutboundRecord[];
  /** The most that each record takes in a batch. */
  readonly recordBytes: readonly number[];
  /** When it was finished, by the monotonic clock. */
  readonly finishedAt: number;
  /** The broker refuses these records permanently. When this offset is requested again, offer others in their place. */
  refused(): void;
}

/** The times of a transaction, by the monotonic clock. */
export interface SettleTimes {
  readonly began: number;
  /** When it was committed. A busy event loop reports it later. */
  readonly visibleAt: number;
}

export interface LaneListener {
  /** Whether there is room for this record, or it is known from before the lane was in doubt. */
  mayAccept(record: InboundRecord): boolean;
  /** A record was accepted and waits for `finish`. Not called for offsets that the map lists as settled. */
  accepted(record: InboundRecord): void;
  /** Outcomes became visible. */
  settled(partition: TopicPartition, requests: readonly FinishedRequest[], times: SettleTimes): void;
  /** The log no longer has records from `from` to `to`: transaction markers, or deleted before they were handled. */
  gap(partition: TopicPartition, from: number, to: number): void;
  /** Known records of an offset range, in order, whose work continues from before a doubt. They are settled even if the log lost them. */
  known(partition: TopicPartition, from: number, to: number): readonly InboundRecord[];
  /**
   * The lane continues from the committed position. If `isSettled` is true, the outcome is visible, whichever worker settled it.
   * Records of an earlier topic of the same name are never redelivered.
   */
  opened(partition: TopicPartition, topicId: string | null, isSettled: (offset: number) => boolean): void;
  /** Nothing more is settled: the partition needs an operator. */
  halted(partition: TopicPartition, reason: string): void;
  /** A transaction is in doubt, its connection was lost, or opening failed. The lane is about to try again. */
  inDoubt(partition: TopicPartition, error: unknown): void;
}
