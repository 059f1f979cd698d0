import type { TopicPartition } from '../../../ports/kafka.ts';
import { doubledMs } from '../../../runtime/retry.ts';

const FIRST_DELAY_MS = 20;
const LONGEST_DELAY_MS = 1_000;

/** How far reading of one partition has come. */
export class FollowedPartition implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** Of the next record. */
  offset: number;
  /** In a row. */
  private failures = 0;

  constructor({ topic, partition }: TopicPartition, offset: number) {
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
  }

  answered(): void {
    this.failures = 0;
  }

  /** @returns after how many milliseconds to try again */
  failed(): number {
    this.failures += 1;
    return doubledMs(this.failures, FIRST_DELAY_MS, LONGEST_DELAY_MS);
  }
}
