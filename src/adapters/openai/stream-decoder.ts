import type { ChatFailure } from '../../domain/chat-failure.ts';
import { type CompletionDelta, deltaBytes, emptyDelta } from '../../domain/completion-delta.ts';
import { ProviderError, StreamInterrupted } from '../../domain/failure-classes.ts';
import { utf8Length } from '../../domain/utf8-length.ts';
import type { ProviderEvents, ServedBy } from '../../ports.ts';
import type { AnswerHead } from './answer-headers.ts';
import { AnswerIndexes } from './answer-indexes.ts';
import { type AnswerLimit, answerLimits, answerTooLarge, LimitExceeded } from './answer-limits.ts';
import { AnswerUsage } from './answer-usage.ts';
import { checkJson } from './check-json.ts';
import { mapChunk } from './map-chunk.ts';
import { type ErrorContext, mapErrorBody } from './map-error.ts';
import { withMissingIds } from './map-tool-calls.ts';
import { maskSecrets } from './mask-secrets.ts';
import { reportedId, reportedWord } from './metadata-text.ts';
import { plainCause } from './plain-cause.ts';
import { SseReader } from './sse-reader.ts';
import { TextChunkTemplate } from './text-chunk-template.ts';
import { WholeCharacters } from './whole-characters.ts';
import { isObject, type WireObject } from './wire.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const END_OF_STREAM = '[DONE]';
/** `data: ` and its end, around one character. */
const LINE_BYTES = 8;
const LARGE_CHARACTERS = 262_144;

/**
 * Turns the bytes of one streamed answer into events and knows whether the answer is complete: it is when every
 * choice that was seen has its finish reason. What was decoded before a failure is given out first; the failure waits
 * in `failure`. An answer above one of the limits (answer-limits.ts) is such a failure: the event that is too much is dropped.
 */
export class StreamDecoder {
  readonly served: Writable<ServedBy>;
  /** `[DONE]` came: nothing more belongs to the answer. */
  done = false;
  /** The last usage came after every finish reason: only `[DONE]` can follow, so that a connection lost now loses nothing. */
  complete = false;
  /** The last read completed an event that took long to decode. */
  isLarge = false;
  /** Ends the answer after the events given out so far. */
  failure: ChatFailure | null = null;
  readonly #context: ErrorContext;
  readonly #reader = new SseReader();
  readonly #template = new TextChunkTemplate();
  readonly #characters = new WholeCharacters();
  readonly #indexes = new AnswerIndexes();
  readonly #usage = new AnswerUsage();
  #bytes = 0;
  /** Since the last piece of the answer. */
  #idleBytes = 0;
  #pieces = 0;
  readonly #seen = new Set<number>();
  readonly #finished = new Set<number>();
  /** Where an error came with; null in a stream, whose status and headers say nothing about it. */
  #response: AnswerHead | null = null;

  constructor(context: ErrorContext, providerRequestId: string | null) {
    this.#context = context;
    this.served = {
      responseId: null,
      model: null,
      serviceTier: null,
      systemFingerprint: null,
      moderationJson: null,
      providerRequestId,
    };
  }

  /** What is held of an event that has not ended. */
  get heldBytes(): number {
    return this.#reader.heldBytes;
  }

  /** @returns what one read brought; null when it brought nothing (part of an event, a comment) */
  push(bytes: Uint8Array): ProviderEvents | null {
    const payloads = this.#reader.push(bytes);
    const events = payloads.length === 0 ? null : this.#decode(payloads);
    const isIdle = payloads.length === 0 || (!this.isLarge && (events?.deltas.length ?? 0) === 0);
    this.#idleBytes = isIdle ? this.#idleBytes + bytes.length : 0;
    if (this.done) return events;
    if (this.#reader.overflowed) this.failure ??= this.tooLarge('eventCharacters');
    // What is held may become a piece of the answer; a line of it can have one character for each eight bytes.
    if (this.#idleBytes - LINE_BYTES * this.heldBytes > answerLimits.idleBytes)
      this.failure ??= this.tooLarge('idleBytes');
    return events;
  }

  /** The body ended cleanly: takes what no blank line ended, then judges whether the answer is complete. */
  end(): ProviderEvents | null {
    const payload = this.#reader.end();
    if (this.#reader.overflowed) this.failure ??= this.tooLarge('eventCharacters');
    const events = this.#decode(payload === null ? [] : [payload], { ends: true, mayBeCut: true });
    this.#judge();
    return events;
  }

  /** Takes a whole, not streamed answer: a JSON body of a status 2xx. */
  whole(body: string, response: AnswerHead): ProviderEvents | null {
    this.#response = response;
    const events = this.#decode([body], { ends: true, mayBeCut: false });
    this.#judge();
    return events;
  }

  /** For a body that broke off, whatever had come. */
  interrupted(cause?: unknown): ChatFailure {
    return new StreamInterrupted(
      `The answer of ${this.#context.provider} broke off before it was complete. The fault is the provider's or the network's; the request can be tried again.`,
      true,
      { providerRequestId: this.served.providerRequestId, cause: plainCause(cause, this.#context.apiKey) },
    );
  }

  /** For an answer above a limit. */
  tooLarge(limit: AnswerLimit): ChatFailure {
    return answerTooLarge(limit, this.#context.provider, this.served.providerRequestId);
  }

  #judge(): void {
    if (!this.#isFinished()) this.failure ??= this.interrupted();
  }

  #isFinished(): boolean {
    return this.#seen.size > 0 && this.#finished.size === this.#seen.size;
  }

  /**
   * @param ends nothing follows
   * @param mayBeCut the payload's end was not seen, so that broken JSON is a broken connection
   */
  #decode(
    payloads: readonly string[],
    { ends, mayBeCut } = { ends: false, mayBeCut: false },
  ): ProviderEvents | null {
    const pieces: CompletionDelta[] = [];
    let hasUsage = false;
    let usageAlone = false;
    this.isLarge = false;
    for (const payload of payloads) {
      if (payload.length > LARGE_CHARACTERS) this.isLarge = true;
      if (payload === END_OF_STREAM) {
        this.done = true;
        break;
      }
      if (payload === '') continue;
      const text = this.#template.read(payload);
      try {
        if (text !== null) {
          this.#count(utf8Length(text.content));
          pieces.push(text);
          continue;
        }
        checkJson(payload);
        const chunk = parse(payload);
        if (chunk === null) this.failure = mayBeCut ? this.interrupted() : this.#malformed();
        else if (isError(chunk)) this.failure = this.#told(chunk['error'] ?? chunk);
        if (chunk === null || this.failure !== null) break;
        this.#note(chunk);
        hasUsage = this.#usage.note(chunk) || hasUsage;
        usageAlone = hasUsage && isEmptyList(chunk['choices']);
        const mapped: CompletionDelta[] = [];
        mapChunk(chunk, mapped, this.#indexes);
        for (const delta of mapped) {
          this.#count(deltaBytes(delta));
          pieces.push(delta);
        }
        this.#template.learn(payload, mapped, this.#indexes);
      } catch (error) {
        if (!(error instanceof LimitExceeded)) throw error;
        this.failure = this.tooLarge(error.limit);
        break;
      }
    }
    this.#track(pieces);
    const isOver = ends || this.done;
    if (isOver) pieces.push(...this.#idsOfCalls());
    this.complete ||= usageAlone && this.#isFinished();
    if (this.done) this.#judge();
    const deltas = this.#wholeCharacters(pieces, isOver);
    const usage = this.#usage.takeNew();
    return deltas.length === 0 && usage === null ? null : { deltas, usage };
  }

  /** @throws LimitExceeded */
  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#pieces += 1;
    if (this.#bytes > answerLimits.answerBytes) throw new LimitExceeded('answerBytes');
    if (this.#pieces > answerLimits.pieces) throw new LimitExceeded('pieces');
  }

  #note(chunk: WireObject): void {
    const { served } = this;
    served.responseId ??= this.#masked(reportedId(chunk['id']));
    served.model ??= this.#masked(reportedWord(chunk['model']));
    const serviceTier = reportedWord(chunk['service_tier']);
    if (serviceTier !== null && serviceTier !== served.serviceTier)
      served.serviceTier = this.#masked(serviceTier);
    const fingerprint = reportedId(chunk['system_fingerprint']);
    if (fingerprint !== null && fingerprint !== served.systemFingerprint)
      served.systemFingerprint = this.#masked(fingerprint);
    if (isObject(chunk['moderation'])) {
      const moderationJson = JSON.stringify(chunk['moderation']);
      if (moderationJson.length <= answerLimits.moderationCharacters) served.moderationJson = moderationJson;
    }
  }

  /** These go into logs, spans and metrics, and a server may echo there what it was sent. */
  #masked(text: string | null): string | null {
    return text === null ? null : maskSecrets(text, this.#context.apiKey, answerLimits.metadataCharacters);
  }

  #track(deltas: readonly CompletionDelta[]): void {
    for (const delta of deltas) {
      this.#seen.add(delta.choiceIndex);
      if (delta.finishReason !== null) this.#finished.add(delta.choiceIndex);
    }
  }

  #wholeCharacters(pieces: readonly CompletionDelta[], ends: boolean): CompletionDelta[] {
    const deltas: CompletionDelta[] = [];
    for (const piece of pieces) {
      const delta = this.#characters.take(piece);
      if (delta !== null) deltas.push(delta);
    }
    if (ends) for (const delta of this.#characters.end()) deltas.push(delta);
    return deltas;
  }

  /** For calls whose choice has no finish reason. */
  #idsOfCalls(): CompletionDelta[] {
    return this.#indexes.choicesWithToolCalls.flatMap((choiceIndex) => {
      const toolCalls = withMissingIds([], this.#indexes.toolCallsOf(choiceIndex));
      return toolCalls.length === 0 ? [] : [{ ...emptyDelta(choiceIndex), toolCalls }];
    });
  }

  #told(error: unknown): ChatFailure {
    const envelope = {
      httpStatus: this.#response?.status ?? null,
      headers: this.#response?.headers ?? null,
      providerRequestId: this.served.providerRequestId,
    };
    return mapErrorBody(error, envelope, this.#context, Date.now());
  }

  /** Without the parser's error: it quotes the answer. */
  #malformed(): ChatFailure {
    return new ProviderError(
      `${this.#context.provider} sent something that is no chunk of an answer (malformed JSON). The fault is the provider's or of something between; the request can be tried again. If it lasts, check that AI_OPENAI_BASE_URL speaks the Chat Completions API.`,
      true,
      { providerRequestId: this.served.providerRequestId },
    );
  }
}

/** Some compatible servers write an error's members without `error` around them. */
function isError(chunk: WireObject): boolean {
  return (chunk['error'] ?? null) !== null || chunk['object'] === 'error';
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function parse(payload: string): WireObject | null {
  try {
    const value: unknown = JSON.parse(payload);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
