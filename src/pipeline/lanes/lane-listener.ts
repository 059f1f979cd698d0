import type { InboundRecord, OutboundRecord, TopicPartition } from '../../ports/kafka.ts';

/** One finished request as it waits to be settled. */
export interface FinishedRequest {
  readonly offset: number;
  readonly records: readonly OutboundRecord[];
  /** What each record takes in a batch at most. */
  readonly recordBytes: readonly number[];
  /** When it was finished, by the monotonic clock. */
  readonly finishedAt: number;
  /** The broker refuses these records for good: offer others in their place when this offset is asked for again. */
  refused(): void;
}

/** Of a transaction, by the monotonic clock. */
export interface SettleTimes {
  readonly began: number;
  /** When it was committed, which is told later by as long as the event loop has other things to do. */
  readonly visibleAt: number;
}

export interface LaneListener {
  /** Whether there is room for this record, or it is known from before a doubt. */
  mayAccept(record: InboundRecord): boolean;
  /** A record was accepted and waits for `finish`. Not called for offsets that the map knows as settled. */
  accepted(record: InboundRecord): void;
  /** Outcomes became visible. */
  settled(partition: TopicPartition, requests: readonly FinishedRequest[], times: SettleTimes): void;
  /** The log has no records from `from` to `to` any more: transaction markers, or deleted before they were handled. */
  gap(partition: TopicPartition, from: number, to: number): void;
  /** Records of an offset range whose work goes on from before a doubt, in order: they are settled although the log has lost them. */
  known(partition: TopicPartition, from: number, to: number): readonly InboundRecord[];
  /**
   * The lane goes on from what is committed: what `isSettled` has its outcome visible, whoever settled it. What is known of
   * another topic than this one, which had its name before, never comes again.
   */
  opened(partition: TopicPartition, topicId: string | null, isSettled: (offset: number) => boolean): void;
  /** Nothing more will be settled until a person has looked. */
  halted(partition: TopicPartition, reason: string): void;
  /** A transaction's outcome is unknown, its connection is gone, or opening failed; the lane is about to try again. */
  inDoubt(partition: TopicPartition, error: unknown): void;
}
