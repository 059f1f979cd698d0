import { Deque } from '../../domain/queues/deque.ts';
import type { TopicPartition } from '../../ports/kafka.ts';
import type { BatchSource, SealedBatch } from './sealed-batch.ts';
import { BufferShare } from './shared-buffer.ts';

/**
 * The sources that wait for one partition.
 *
 *   idle ──a source has data──► ready ──sealed──► in flight ──written──► idle, or ready if more waits
 */
export class PartitionQueue implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly share = new BufferShare();
  state: 'idle' | 'ready' | 'in flight' = 'idle';
  private readonly sources = new Deque<BatchSource>();

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  get isEmpty(): boolean {
    return this.sources.length === 0;
  }

  push(source: BatchSource): void {
    this.sources.push(source);
  }

  /** Fills a batch from the sources in turn. What remains of a source waits for its next turn. */
  fill(batch: SealedBatch): void {
    // Each source once: a source with many chunks does not keep the others waiting.
    for (let left = this.sources.length; left > 0; left -= 1) {
      const source = this.sources.peek();
      if (source === undefined || !batch.hasRoomFor(source.nextBytes)) return;
      this.sources.shift();
      source.seal(batch);
      if (source.nextBytes > 0) this.sources.push(source);
    }
  }
}
