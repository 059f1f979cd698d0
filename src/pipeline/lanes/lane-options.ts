import type { Clock } from '../../ports/clock.ts';
import type { LaneTransport, RequestSource, TopicPartition } from '../../ports/kafka.ts';
import type { LaneListener } from './lane-listener.ts';

export interface LaneOptions {
  readonly partition: TopicPartition;
  readonly source: RequestSource;
  readonly transport: LaneTransport;
  readonly listener: LaneListener;
  readonly clock: Clock;
  /** Bytes of one transaction's records per output topic: below the topics' max.message.bytes. */
  readonly batchMaxBytes: number;
  /** The spacing of transactions while outcomes come quickly (`SettlePace`). */
  readonly settleSpacingMs: number;
}
