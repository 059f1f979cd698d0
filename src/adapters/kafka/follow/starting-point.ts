import type { TopicPartition } from '../../../ports/kafka.ts';

/** Where to begin: an end of the log, an offset, or the first record of a time (epoch ms) or later. */
export type StartingPoint = 'start' | 'end' | { readonly offset: number } | { readonly timestamp: number };

export interface PartitionToFollow extends TopicPartition {
  readonly from: StartingPoint;
}
