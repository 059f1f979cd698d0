import type { RequestSource, TopicPartition } from '../../ports/kafka.ts';

export type PauseReason = 'opening' | 'saturated' | 'map full' | 'draining';

/** The reasons why a partition is paused. It is fetched from again once the last reason is gone. */
export class LanePauses {
  private readonly source: RequestSource;
  private readonly partition: TopicPartition;
  private readonly reasons = new Set<PauseReason>();

  constructor(source: RequestSource, partition: TopicPartition) {
    this.source = source;
    this.partition = partition;
  }

  get isPaused(): boolean {
    return this.reasons.size > 0;
  }

  has(reason: PauseReason): boolean {
    return this.reasons.has(reason);
  }

  pause(reason: PauseReason): void {
    this.reasons.add(reason);
    this.source.pause(this.partition);
  }

  resume(reason: PauseReason): void {
    if (!this.reasons.delete(reason) || this.isPaused) return;
    this.source.resume(this.partition);
  }

  /** The worker rejoined the group, and the source may have resumed everything. */
  repeat(): void {
    if (this.isPaused) this.source.pause(this.partition);
  }
}
