import type { InboundRecord, TopicPartition } from '../../../src/ports/kafka.ts';

/** One partition of a request topic. Offsets may have gaps and old records may be deleted, as in a real one. */
export class FakeLog implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** The oldest offset that is kept. */
  start = 0;
  /** The offset after the newest record. */
  end = 0;
  private kept: InboundRecord[] = [];
  /** When the log was created: another one has other times. */
  private createdAt = 1_000;
  topicId: string | null = 'topic-1';

  constructor(topic = 'chat.requests', partition = 0) {
    this.topic = topic;
    this.partition = partition;
  }

  get records(): readonly InboundRecord[] {
    return this.kept;
  }

  append(
    members: Partial<Pick<InboundRecord, 'key' | 'value' | 'headers' | 'timestamp'>> = {},
  ): InboundRecord {
    const record = {
      topic: this.topic,
      partition: this.partition,
      offset: this.end,
      timestamp: this.createdAt + this.end,
      key: null,
      value: null,
      headers: {},
      ...members,
    };
    this.kept.push(record);
    this.end += 1;
    return record;
  }

  appendMany(count: number): void {
    for (let index = 0; index < count; index += 1) this.append();
  }

  /** Offsets without a record: transaction markers, or what compaction took. */
  skip(count = 1): void {
    this.end += count;
  }

  /** Retention deletes everything below an offset. */
  deleteBelow(offset: number): void {
    this.start = offset;
    this.kept = this.kept.filter((record) => record.offset >= offset);
  }

  /** Deletes the topic and recreates it under its name. */
  recreate(): void {
    this.start = 0;
    this.end = 0;
    this.kept = [];
    this.createdAt += 1_000_000;
    this.topicId = `topic-${this.createdAt}`;
  }
}
