import type { RecordCodec } from '../../contract/codec.ts';
import type { CompletionDelta } from '../../domain/completion/completion-delta.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RecordHeaders } from '../../ports/kafka.ts';
import { type ChunkDraft, draftBytes, draftOf, emptyDraft, isMergeable, utf8Bytes } from './chunk-draft.ts';
import { type ChunksNotPublished, failureOfSealing, refusedByBroker, tooLarge } from './chunk-failure.ts';
import type { PartitionQueue } from './partition-queue.ts';
import { DoesNotFit } from './pieces.ts';
import { type BatchPart, type BatchSource, bytesOfHeaders, type SealedBatch } from './sealed-batch.ts';
import { splitDraft } from './split-draft.ts';

/** A larger chunk is split, whatever the topic allows. */
const CHUNK_BYTES = 512 * 1024;
/** The most that a chunk and its record take besides the draft's values, ids and headers. */
const STREAM_BYTES = 160;

/** The attempt that the chunks belong to. */
export interface ChunkStreamInfo {
  readonly requestId: string;
  readonly tenantId: string;
  readonly attempt: number;
  /** Headers of the first chunk only. */
  readonly headers: RecordHeaders;
  /** Headers of every chunk. */
  readonly ownHeaders?: RecordHeaders;
}

const NO_HEADERS: RecordHeaders = {};

/** What a stream needs from its publisher. */
export interface ChunkStreamHost {
  readonly codec: RecordCodec;
  readonly clock: Clock;
  /** The stream has something to send. */
  enqueue(queue: PartitionQueue, source: BatchSource): void;
  grew(queue: PartitionQueue, bytes: number): Promise<void> | undefined;
  shrank(queue: PartitionQueue, bytes: number): void;
  streamFailed(info: ChunkStreamInfo, topic: string, failure: ChunksNotPublished): void;
}

interface PendingChunk {
  readonly draft: ChunkDraft;
  /** A lower bound of what its record takes. */
  bytes: number;
}

/**
 * The chunks of one attempt, in one partition for its life.
 *
 *   open ──finish()──► finished ──last chunk acknowledged──► acknowledged
 *     │ a chunk cannot be encoded, does not fit, or is refused (also when finished)
 *     ▼
 *   failed: waiting chunks are dropped, and waits for them reject
 */
export class ChunkStream implements BatchSource {
  private readonly host: ChunkStreamHost;
  private readonly queue: PartitionQueue;
  private readonly info: ChunkStreamInfo;
  private readonly ownHeaders: RecordHeaders;
  private readonly firstHeaders: RecordHeaders;
  private readonly idBytes: number;
  private readonly headerBytes: number;
  private readonly allAcknowledged = Promise.withResolvers<void>();
  private pending: PendingChunk[] = [];
  private isQueued = false;
  private isFinished = false;
  private sequence = 0;
  private failure: ChunksNotPublished | null = null;
  private failed: PromiseWithResolvers<never> | null = null;

  constructor(host: ChunkStreamHost, queue: PartitionQueue, info: ChunkStreamInfo) {
    this.host = host;
    this.queue = queue;
    this.info = info;
    const keyBytes = utf8Bytes(info.requestId);
    // The request's id is in the key and in the value.
    this.ownHeaders = info.ownHeaders ?? NO_HEADERS;
    this.firstHeaders = { ...info.headers, ...this.ownHeaders };
    const ownBytes = bytesOfHeaders(this.ownHeaders);
    this.idBytes = STREAM_BYTES + 2 * keyBytes + utf8Bytes(info.tenantId) + ownBytes;
    this.headerBytes = bytesOfHeaders(info.headers);
    // A rejection without a listener must not end the process.
    this.allAcknowledged.promise.catch(() => undefined);
  }

  /** How many chunks this attempt has so far; final once they are acknowledged. */
  get count(): number {
    return this.sequence + this.pending.length;
  }

  get nextBytes(): number {
    return this.pending[0]?.bytes ?? 0;
  }

  /**
   * Publishes what one read from the provider delivered.
   *
   * @returns a promise to wait for before reading on, if the broker is behind. It rejects with `ChunksNotPublished` if the
   *   stream has failed or fails meanwhile.
   */
  publish(deltas: readonly CompletionDelta[]): Promise<void> | undefined {
    if (this.failure !== null) return Promise.reject(this.failure);
    let bytes = 0;
    let thrown: unknown = null;
    try {
      for (const delta of deltas) bytes += this.append(delta);
    } catch (error) {
      thrown = error;
    }
    if (bytes === 0 && thrown === null) return undefined;
    const full = this.host.grew(this.queue, bytes);
    if (thrown !== null) this.fail(failureOfSealing(thrown, null, this.queue.topic, 0), 0);
    else this.enqueue();
    // It may have failed just now: with nothing in flight, data is sealed as soon as it is enqueued.
    if (this.failure !== null) return Promise.reject(this.failure);
    return full === undefined ? undefined : Promise.race([full, this.untilFailed()]);
  }

  /** No more chunks follow. `acknowledged` resolves once all are acknowledged, and rejects with `ChunksNotPublished` if the stream fails. */
  finish(): { readonly chunkCount: number; readonly acknowledged: Promise<void> } {
    if (!this.isFinished && this.failure === null) {
      const last = this.pending.at(-1)?.draft;
      if (last !== undefined) {
        last.last = true;
      } else {
        void this.host.grew(this.queue, this.idBytes);
        this.pending.push({ draft: { ...emptyDraft(0), last: true }, bytes: this.idBytes });
      }
      this.isFinished = true;
      this.enqueue();
    }
    return { chunkCount: this.count, acknowledged: this.allAcknowledged.promise };
  }

  /** This and the following methods are for the publisher only. */
  seal(batch: SealedBatch): void {
    this.isQueued = false;
    const first = batch.records.length;
    let taken = 0;
    let bufferedBytes = 0;
    try {
      for (let chunk = this.pending[taken]; chunk !== undefined; chunk = this.pending[taken]) {
        const room = this.roomFor(batch);
        if (chunk.bytes > Math.min(room, CHUNK_BYTES)) chunk = this.splitAt(taken, room, batch);
        if (!batch.hasRoomFor(chunk.bytes)) break;
        this.addTo(batch, chunk.draft);
        taken += 1;
        bufferedBytes += chunk.bytes;
      }
    } catch (error) {
      const draft = this.pending[taken]?.draft ?? null;
      this.fail(failureOfSealing(error, draft, this.queue.topic, batch.maxRecordBytes), bufferedBytes);
    }
    if (this.failure === null) this.pending = this.pending.slice(taken);
    this.isQueued = this.pending.length > 0;
    const isLast = this.isFinished && !this.isQueued;
    if (taken > 0) batch.parts.push({ source: this, first, count: taken, bufferedBytes, isLast });
  }

  acknowledged({ isLast }: BatchPart): void {
    if (isLast && this.failure === null) this.allAcknowledged.resolve();
  }

  refused(errorType: string): void {
    this.fail(refusedByBroker(errorType, this.queue.topic), 0);
  }

  /** The bytes left for a chunk's values in a record of its own. */
  private roomFor(batch: SealedBatch): number {
    return batch.maxRecordBytes - (this.sequence === 0 ? this.headerBytes : 0);
  }

  /** Replaces a chunk by its pieces. @returns the first */
  private splitAt(place: number, room: number, batch: SealedBatch): PendingChunk {
    const chunk = this.pending[place] as PendingChunk;
    if (room <= this.idBytes) throw tooLarge('ids and headers', this.queue.topic, batch.maxRecordBytes);
    const pieces = this.split(chunk, room);
    const grown = pieces.reduce((sum, piece) => sum + piece.bytes, 0) - chunk.bytes;
    if (grown > 0) void this.host.grew(this.queue, grown);
    else this.host.shrank(this.queue, -grown);
    this.pending = [...this.pending.slice(0, place), ...pieces, ...this.pending.slice(place + 1)];
    return pieces[0] as PendingChunk;
  }

  private split({ draft }: PendingChunk, room: number): PendingChunk[] {
    const within = (bytes: number) =>
      splitDraft(draft, bytes - this.idBytes).map((piece) => ({
        draft: piece,
        bytes: this.idBytes + draftBytes(piece),
      }));
    if (room <= CHUNK_BYTES) return within(room);
    try {
      return within(CHUNK_BYTES);
    } catch (error) {
      // A value that cannot be split may be as large as the topic allows.
      if (error instanceof DoesNotFit) return within(room);
      throw error;
    }
  }

  private addTo(batch: SealedBatch, draft: ChunkDraft): void {
    const { requestId, tenantId, attempt } = this.info;
    const { sequence } = this;
    const emittedAt = this.host.clock.now();
    const value = this.host.codec.encode('ChatChunk', {
      requestId,
      tenantId,
      attempt,
      sequence,
      emittedAt,
      ...draft,
    });
    const isFirst = sequence === 0;
    const bytes = value.byteLength + this.idBytes + (isFirst ? this.headerBytes : 0);
    const headers = isFirst ? this.firstHeaders : this.ownHeaders;
    batch.add({ topic: this.queue.topic, key: requestId, value, headers }, bytes);
    this.sequence += 1;
  }

  private enqueue(): void {
    if (this.isQueued) return;
    this.isQueued = true;
    this.host.enqueue(this.queue, this);
  }

  private untilFailed(): Promise<never> {
    this.failed ??= Promise.withResolvers<never>();
    return this.failed.promise;
  }

  /** @param sealedBytes of the waiting bytes that are sealed already: they stay in the buffer until they are written */
  private fail(failure: ChunksNotPublished, sealedBytes: number): void {
    if (this.failure !== null) return;
    this.failure = failure;
    const dropped = this.pending.reduce((sum, { bytes }) => sum + bytes, 0) - sealedBytes;
    this.pending = [];
    this.host.shrank(this.queue, dropped);
    this.failed?.promise.catch(() => undefined);
    this.failed?.reject(failure);
    this.allAcknowledged.reject(failure);
    this.host.streamFailed(this.info, this.queue.topic, failure);
  }

  /** @returns a lower bound of the bytes that the drafts grew by */
  private append(delta: CompletionDelta): number {
    const last = this.pending.at(-1);
    if (last !== undefined && isMergeable(last.draft, delta)) {
      last.draft.content += delta.content;
      last.draft.finishReason = delta.finishReason;
      const grown = utf8Bytes(delta.content) + utf8Bytes(delta.finishReason);
      last.bytes += grown;
      return grown;
    }
    const draft = draftOf(delta);
    const bytes = this.idBytes + draftBytes(draft);
    this.pending.push({ draft, bytes });
    return bytes;
  }
}
