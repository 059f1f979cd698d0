import type { RecordCodec } from '../../contract/codec.ts';
import { Deque } from '../../domain/queues/deque.ts';
import type { Clock } from '../../ports/clock.ts';
import type { OutboundRecord, RecordSink, RefusedRecord } from '../../ports/kafka.ts';
import { Announcement } from './announcement.ts';
import type { ChunksNotPublished, PublishFailure } from './chunk-failure.ts';
import { ChunkStream, type ChunkStreamHost, type ChunkStreamInfo } from './chunk-stream.ts';
import { PartitionQueue } from './partition-queue.ts';
import { type BatchSource, SealedBatch } from './sealed-batch.ts';
import { SharedBuffer } from './shared-buffer.ts';

/** Bytes sealed for one send, over all partitions. */
const SEND_MAX_BYTES = 600_000;
/** A send with at least so many records shows a load at which larger batches matter more than a short delay. */
const FULL_SEND_RECORDS = 100;
/** The spacing of full sends: a produce request costs the broker as much as dozens of records in it. */
const SPACING_MS = 10;
/** How long an unanswered send delays the partitions that are not in it. */
const PATIENCE_MS = 25;

/** The call that an announcement is about; without an attempt, the request. */
export interface CallRef {
  readonly requestId: string;
  readonly tenantId: string;
  readonly attempt: number | null;
}

export interface ChunkPublisherOptions {
  readonly sink: RecordSink;
  readonly codec: RecordCodec;
  readonly topic: string;
  readonly clock: Clock;
  /** Above so many waiting bytes writers have to wait. Memory is bounded by slower reading, never by dropping. */
  readonly maxBufferedBytes: number;
  /** Called once per batch with the number of chunks in it. */
  readonly onPublished?: (chunks: number) => void;
  /** Called for each stream and each announcement that cannot be published. */
  readonly onFailed?: (failure: PublishFailure) => void;
  readonly spacingMs?: number;
  readonly patienceMs?: number;
}

/**
 * Sends chunks as soon as the producer is free. While a send is in flight, the deltas of an attempt merge into its next chunk. So
 * at low load every token is a record at once, and at high load batches grow.
 *
 * A send takes all partitions that have data and are not in flight. The next send follows when the last one is answered, under
 * high load some milliseconds later. A partition without an answer delays other partitions only for a moment. The publisher
 * never reorders, and never mixes attempts or choices. Once handed to the sink, a chunk never changes.
 */
export class ChunkPublisher {
  private readonly options: ChunkPublisherOptions;
  private readonly host: ChunkStreamHost;
  private readonly queues = new Map<string, PartitionQueue>();
  private readonly ready = new Deque<PartitionQueue>();
  private readonly buffer: SharedBuffer;
  private readonly spacingMs: number;
  private readonly patienceMs: number;
  private round = 0;
  private sentAt = Number.NEGATIVE_INFINITY;
  private sentRecords = 0;
  /** Batches of the last send without an answer. */
  private unanswered = 0;
  private timer: NodeJS.Timeout | null = null;
  /** Since when batches have waited without any acknowledgement. */
  private waitingSince = 0;

  constructor(options: ChunkPublisherOptions) {
    this.options = options;
    this.buffer = new SharedBuffer(options.maxBufferedBytes);
    this.spacingMs = options.spacingMs ?? SPACING_MS;
    this.patienceMs = options.patienceMs ?? PATIENCE_MS;
    this.host = {
      codec: options.codec,
      clock: options.clock,
      enqueue: (queue, source) => this.enqueue(queue, source),
      grew: (queue, bytes) => this.grew(queue, bytes),
      shrank: (queue, bytes) => this.buffer.shrank(queue.share, bytes),
      streamFailed: (info, topic, failure) => this.streamFailed(info, topic, failure),
    };
  }

  /** Bytes that wait for the broker, including those in flight. */
  get bufferedBytes(): number {
    return this.buffer.bytes;
  }

  /** Milliseconds without any acknowledgement while something waits for one; null if nothing waits. */
  oldestUnacknowledgedMs(): number | null {
    return this.buffer.bytes === 0 ? null : this.options.clock.monotonic() - this.waitingSince;
  }

  /**
   * Opens the stream of an attempt and fixes its partition for good.
   *
   * @param partition null: chosen by the request's id
   */
  open(info: ChunkStreamInfo, partition: number | null = null): ChunkStream {
    return new ChunkStream(this.host, this.queueOf(this.options.topic, info.requestId, partition), info);
  }

  /**
   * Sends a record outside of any attempt's sequence, in order with earlier announcements for its partition. Best effort: if it
   * cannot be built or published, that is reported and nobody waits. The same holds if its partition has stalled for so long
   * that its part of the buffer is full.
   *
   * @param of the call that it is about
   * @param build encodes it; may throw
   */
  announce(of: CallRef, build: () => OutboundRecord): void {
    let topic: string | null = null;
    const failed = (reason: string) =>
      this.failed({ kind: 'announcement', reason, topic, error: reason, ...of });
    try {
      const record = build();
      topic = record.topic;
      const queue = this.queueOf(record.topic, record.key ?? '', record.partition ?? null);
      const announcement = new Announcement(record, failed);
      if (!Number.isSafeInteger(announcement.bytes)) failed('encoding');
      else if (!this.buffer.hasRoom(queue.share, announcement.bytes)) failed('buffer_full');
      else {
        void this.grew(queue, announcement.bytes);
        this.enqueue(queue, announcement);
      }
    } catch {
      failed('encoding');
    }
  }

  private queueOf(topic: string, key: Uint8Array | string, chosen: number | null): PartitionQueue {
    const partition = chosen ?? this.options.sink.partitionOf(topic, key);
    const name = `${topic}/${partition}`;
    let queue = this.queues.get(name);
    if (queue === undefined) {
      queue = new PartitionQueue(topic, partition);
      this.queues.set(name, queue);
    }
    return queue;
  }

  private enqueue(queue: PartitionQueue, source: BatchSource): void {
    queue.push(source);
    if (queue.state !== 'idle') return;
    queue.state = 'ready';
    this.ready.push(queue);
    this.sendSoon();
  }

  private grew(queue: PartitionQueue, bytes: number): Promise<void> | undefined {
    if (this.buffer.bytes === 0) this.waitingSince = this.options.clock.monotonic();
    return this.buffer.grew(queue.share, bytes);
  }

  /** Sends now, or once the spacing allows. */
  private sendSoon(): void {
    if (this.timer !== null) return;
    const spacingMs = this.sentRecords > FULL_SEND_RECORDS ? this.spacingMs : 0;
    const delayMs = this.unanswered === 0 ? spacingMs : this.patienceMs;
    const leftMs = this.sentAt + delayMs - this.options.clock.monotonic();
    if (leftMs <= 0) this.send();
    else this.sendIn(leftMs);
  }

  private sendIn(delayMs: number): void {
    this.timer = setTimeout(() => {
      this.timer = null;
      if (this.ready.length > 0) this.send();
    }, delayMs).unref();
  }

  private forgetTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  /** Seals the data of the ready partitions and hands it over. Never throws. */
  private send(): void {
    const batches: SealedBatch[] = [];
    this.round += 1;
    this.sentAt = this.options.clock.monotonic();
    for (let left = SEND_MAX_BYTES; left > 0; ) {
      const queue = this.ready.shift();
      if (queue === undefined) break;
      const batch = this.seal(queue, left);
      if (batch === null) continue;
      batches.push(batch);
      left -= batch.bytes;
    }
    this.unanswered = batches.length;
    this.sentRecords = batches.reduce((sum, { records }) => sum + records.length, 0);
    if (batches.length > 0 && !this.write(batches))
      for (const batch of batches) if (!this.write([batch])) this.refuse(batch);
  }

  /** @returns false if the sink cannot take them; it has then taken none of them */
  private write(batches: readonly SealedBatch[]): boolean {
    try {
      this.options.sink.write(batches, (batch, refused) => this.written(batch as SealedBatch, refused));
      return true;
    } catch (error) {
      this.failed({ kind: 'publisher', reason: 'unexpected', topic: null, error: nameOf(error) });
      return false;
    }
  }

  private refuse(batch: SealedBatch): void {
    this.written(
      batch,
      batch.records.map((_, index) => ({ index, errorType: 'unexpected' })),
    );
  }

  /** @returns null if nothing is left to send: every source in it has failed */
  private seal(queue: PartitionQueue, budgetBytes: number): SealedBatch | null {
    const { topic, partition } = queue;
    const limit = this.options.sink.maxBatchBytes(topic);
    const batch = new SealedBatch(topic, partition, this.round, limit, budgetBytes);
    queue.state = 'in flight';
    try {
      while (!queue.isEmpty && batch.records.length === 0) queue.fill(batch);
    } catch (error) {
      this.failed({ kind: 'publisher', reason: 'unexpected', topic, error: nameOf(error) });
    }
    if (batch.records.length > 0) return batch;
    this.release(queue, batch);
    return null;
  }

  private written(batch: SealedBatch, refused: readonly RefusedRecord[]): void {
    try {
      this.settle(batch, refused);
    } catch (error) {
      this.failed({ kind: 'publisher', reason: 'unexpected', topic: batch.topic, error: nameOf(error) });
    }
    if (batch.round === this.round && this.unanswered > 0) this.unanswered -= 1;
    if (this.ready.length === 0) return;
    // The answers are complete; only the wait for the next send remains.
    if (this.unanswered === 0) this.forgetTimer();
    this.sendSoon();
  }

  private settle(batch: SealedBatch, refused: readonly RefusedRecord[]): void {
    const queue = this.queues.get(`${batch.topic}/${batch.partition}`);
    if (queue === undefined) return;
    this.waitingSince = this.options.clock.monotonic();
    this.release(queue, batch);
    for (const part of batch.parts) {
      const refusal = refused.find(({ index }) => index >= part.first && index < part.first + part.count);
      if (refusal === undefined) part.source.acknowledged(part);
      else part.source.refused(refusal.errorType);
    }
    if (batch.topic === this.options.topic) this.options.onPublished?.(batch.records.length - refused.length);
  }

  /** The batch was written, or was never sent. */
  private release(queue: PartitionQueue, batch: SealedBatch): void {
    queue.state = queue.isEmpty ? 'idle' : 'ready';
    if (queue.state === 'ready') this.ready.push(queue);
    const bytes = batch.parts.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0);
    this.buffer.shrank(queue.share, bytes);
  }

  private streamFailed(info: ChunkStreamInfo, topic: string, failure: ChunksNotPublished): void {
    const { requestId, tenantId, attempt } = info;
    const { reason, message } = failure;
    this.failed({ kind: 'stream', reason, topic, requestId, tenantId, attempt, error: message });
  }

  private failed(
    failure: Pick<PublishFailure, 'kind' | 'reason' | 'topic' | 'error'> & Partial<PublishFailure>,
  ) {
    this.options.onFailed?.({ requestId: null, tenantId: null, attempt: null, ...failure });
  }
}

/** The name only: the message may quote the answer. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}
