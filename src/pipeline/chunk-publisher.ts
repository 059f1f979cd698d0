import type { RecordCodec } from '../contract/codec.ts';
import type { ChatChunk } from '../contract/records.ts';
import type { CompletionDelta } from '../domain/completion-delta.ts';
import { Deque } from '../domain/deque.ts';
import type { Clock, OutboundRecord, RecordHeaders, RecordSink } from '../ports.ts';

/** Bytes of one send: one record batch per partition must stay below the topic's max.message.bytes. */
const SEND_MAX_BYTES = 600_000;
/** A chunk that is longer than this takes no more text. */
const MERGE_MAX_CHARACTERS = 64_000;
/** What a chunk takes besides its text and its ids, roughly. */
const CHUNK_OVERHEAD_BYTES = 80;

export interface ChunkPublisherOptions {
  readonly sink: RecordSink;
  readonly codec: RecordCodec;
  readonly topic: string;
  readonly clock: Clock;
  /** When more than this waits for the broker, writers are asked to wait: memory is bounded by slower reading, never by dropping. */
  readonly maxBufferedBytes: number;
  /** Called once per send with the number of chunks in it. */
  readonly onPublished?: (chunks: number) => void;
}

/** Which attempt's chunks these are. */
export interface ChunkStreamInfo {
  readonly requestId: string;
  readonly tenantId: string;
  readonly attempt: number;
  /** Go with the first chunk only. */
  readonly headers: RecordHeaders;
}

/** A chunk that is not sent yet: deltas of one choice, merged. */
type Draft = Omit<ChatChunk, 'requestId' | 'tenantId' | 'attempt' | 'sequence' | 'emittedAt'>;

interface PendingChunk {
  readonly draft: Draft;
  /** What its record will take, roughly. */
  bytes: number;
}

/**
 * Sends chunks as soon as the producer is free. While a send is under way the deltas of an attempt merge into its next
 * chunk, so that at low load every token is a record at once and at high load batches grow by themselves. Never reorders,
 * never mixes attempts or choices; a chunk that was handed to the sink is never changed again.
 */
export class ChunkPublisher {
  readonly options: ChunkPublisherOptions;
  private readonly announcements = new Deque<OutboundRecord>();
  private readonly dirty = new Deque<ChunkStream>();
  private buffered = 0;
  private sending = false;
  private relieved: PromiseWithResolvers<void> | null = null;
  private failure: { readonly error: unknown } | null = null;

  constructor(options: ChunkPublisherOptions) {
    this.options = options;
  }

  /** Bytes that wait for the broker, those under way included. */
  get bufferedBytes(): number {
    return this.buffered;
  }

  open(info: ChunkStreamInfo): ChunkStream {
    return new ChunkStream(this, info);
  }

  /** Sends a record that belongs to no attempt's sequence, at least once, in order with what was announced before. */
  announce(record: OutboundRecord): void {
    this.announcements.push(record);
    this.sendSoon();
  }

  /** A stream has something to send. */
  enqueue(stream: ChunkStream): void {
    this.dirty.push(stream);
    this.sendSoon();
  }

  grew(bytes: number): Promise<void> | undefined {
    this.buffered += bytes;
    if (this.buffered <= this.options.maxBufferedBytes) return undefined;
    this.relieved ??= Promise.withResolvers<void>();
    return this.relieved.promise;
  }

  private sendSoon(): void {
    if (!this.sending && this.failure === null) void this.sendAll();
  }

  private async sendAll(): Promise<void> {
    this.sending = true;
    try {
      while (this.dirty.length > 0 || this.announcements.length > 0) {
        const sent: SealedChunks[] = [];
        const records: OutboundRecord[] = [];
        for (
          let record = this.announcements.shift();
          record !== undefined;
          record = this.announcements.shift()
        ) {
          records.push(record);
        }
        const announced = records.length;
        let bytes = 0;
        for (let stream = this.dirty.peek(); stream !== undefined; stream = this.dirty.peek()) {
          if (bytes > 0 && bytes + stream.nextBytes > SEND_MAX_BYTES) break;
          this.dirty.shift();
          const sealed = stream.seal(SEND_MAX_BYTES - bytes);
          bytes += sealed.bytes;
          // What is left of it waits for its next turn: a send that is too large would never succeed.
          if (stream.nextBytes > 0) this.dirty.push(stream);
          for (const record of sealed.records) records.push(record);
          sent.push(sealed);
        }
        await this.options.sink.send(records);
        this.options.onPublished?.(records.length - announced);
        this.shrank(sent.reduce((sum, sealed) => sum + sealed.bytes, 0));
        for (const sealed of sent) sealed.acknowledge();
      }
    } catch (error) {
      // The sink repeats by itself for as long as the service runs; what it rejects with is the end of it.
      this.failure = { error };
      this.relieved?.resolve();
    } finally {
      this.sending = false;
    }
  }

  private shrank(bytes: number): void {
    this.buffered -= bytes;
    if (this.relieved === null || this.buffered > this.options.maxBufferedBytes / 2) return;
    this.relieved.resolve();
    this.relieved = null;
  }
}

interface SealedChunks {
  readonly records: readonly OutboundRecord[];
  readonly bytes: number;
  acknowledge(): void;
}

/** The chunks of one attempt. */
export class ChunkStream {
  private readonly publisher: ChunkPublisher;
  private readonly info: ChunkStreamInfo;
  private readonly allAcknowledged = Promise.withResolvers<void>();
  private readonly pending: PendingChunk[] = [];
  private readonly overheadBytes: number;
  private waiting = false;
  private finished = false;
  private sequence = 0;

  constructor(publisher: ChunkPublisher, info: ChunkStreamInfo) {
    this.publisher = publisher;
    this.info = info;
    // The request's id is in the key and in the value.
    this.overheadBytes = CHUNK_OVERHEAD_BYTES + 2 * info.requestId.length + info.tenantId.length;
  }

  /** How many chunks this attempt has so far. */
  get count(): number {
    return this.sequence + this.pending.length;
  }

  /** Bytes of the next chunk, roughly; 0 when none waits. For the publisher only. */
  get nextBytes(): number {
    return this.pending[0]?.bytes ?? 0;
  }

  /**
   * Publishes what one read from the provider brought.
   *
   * @returns a promise to wait for before reading on, when the broker is behind
   */
  publish(deltas: readonly CompletionDelta[]): Promise<void> | undefined {
    let bytes = 0;
    for (const delta of deltas) bytes += this.append(delta);
    if (bytes === 0) return undefined;
    this.enqueue();
    return this.publisher.grew(bytes);
  }

  /** No more chunks follow. Resolves when all are acknowledged; the number of chunks is known at once. */
  finish(): { readonly chunkCount: number; readonly acknowledged: Promise<void> } {
    if (!this.finished) {
      this.finished = true;
      const last = this.pending.at(-1)?.draft;
      if (last !== undefined) {
        last.last = true;
      } else {
        this.pending.push({ draft: { ...emptyDraft(0), last: true }, bytes: this.overheadBytes });
        void this.publisher.grew(this.overheadBytes);
        this.enqueue();
      }
    }
    return { chunkCount: this.count, acknowledged: this.allAcknowledged.promise };
  }

  /** Turns what waits, up to so many bytes but at least one chunk, into records that never change again. For the publisher only. */
  seal(maxBytes: number): SealedChunks {
    const { codec, topic, clock } = this.publisher.options;
    const { requestId, tenantId, attempt, headers } = this.info;
    const emittedAt = clock.now();
    let count = 0;
    let bytes = 0;
    for (const chunk of this.pending) {
      if (count > 0 && bytes + chunk.bytes > maxBytes) break;
      count += 1;
      bytes += chunk.bytes;
    }
    const records = this.pending.splice(0, count).map(({ draft }) => {
      const sequence = this.sequence;
      this.sequence += 1;
      const value = codec.encode('ChatChunk', {
        requestId,
        tenantId,
        attempt,
        sequence,
        emittedAt,
        ...draft,
      });
      return { topic, key: requestId, value, headers: sequence === 0 ? headers : {} };
    });
    this.waiting = this.pending.length > 0;
    const isLast = this.finished && !this.waiting;
    return { records, bytes, acknowledge: () => isLast && this.allAcknowledged.resolve() };
  }

  private enqueue(): void {
    if (this.waiting) return;
    this.waiting = true;
    this.publisher.enqueue(this);
  }

  /** @returns bytes that the drafts grew by, roughly */
  private append(delta: CompletionDelta): number {
    const last = this.pending.at(-1);
    if (last !== undefined && mergeable(last.draft, delta)) {
      last.draft.content += delta.content;
      last.draft.finishReason = delta.finishReason;
      const grown = Buffer.byteLength(delta.content);
      last.bytes += grown;
      return grown;
    }
    const bytes = this.overheadBytes + deltaBytes(delta);
    const draft = {
      choiceIndex: delta.choiceIndex,
      content: delta.content,
      role: delta.role,
      refusal: delta.refusal,
      toolCalls: [...delta.toolCalls],
      audio: delta.audio,
      annotationsJson: delta.annotationsJson,
      logprobsJson: delta.logprobsJson,
      finishReason: delta.finishReason,
      last: false,
    };
    this.pending.push({ draft, bytes });
    return bytes;
  }
}

/** Text follows text of the same choice; whatever has a structure of its own starts a chunk. */
function mergeable(draft: Draft, delta: CompletionDelta): boolean {
  return (
    draft.choiceIndex === delta.choiceIndex &&
    draft.finishReason === null &&
    draft.content.length < MERGE_MAX_CHARACTERS &&
    draft.toolCalls.length === 0 &&
    draft.refusal === null &&
    draft.audio === null &&
    draft.annotationsJson === null &&
    draft.logprobsJson === null &&
    delta.role === null &&
    delta.refusal === null &&
    delta.toolCalls.length === 0 &&
    delta.audio === null &&
    delta.annotationsJson === null &&
    delta.logprobsJson === null
  );
}

function deltaBytes({
  content,
  refusal,
  toolCalls,
  audio,
  logprobsJson,
  annotationsJson,
}: CompletionDelta): number {
  const texts = [content, refusal, audio?.transcript, audio?.id, logprobsJson, annotationsJson];
  for (const call of toolCalls) texts.push(call.id, call.type, call.name, call.arguments);
  const bytes = (audio?.data?.byteLength ?? 0) + 16 * toolCalls.length;
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), bytes);
}

function emptyDraft(choiceIndex: number): Draft {
  return {
    choiceIndex,
    content: '',
    role: null,
    refusal: null,
    toolCalls: [],
    audio: null,
    annotationsJson: null,
    logprobsJson: null,
    finishReason: null,
    last: false,
  };
}
