import { type CompletionDelta, deltaBytes, emptyDelta } from '../../../domain/completion/completion-delta.ts';
import type { ChatFailure } from '../../../domain/failures/chat-failure.ts';
import { ProviderError, StreamInterrupted } from '../../../domain/failures/failure-classes.ts';
import { isObject } from '../../../domain/text/is-object.ts';
import { utf8Length } from '../../../domain/text/utf8-length.ts';
import type { ProviderEvents, ServedBy } from '../../../ports/provider.ts';
import { type ErrorContext, mapErrorBody } from '../errors/map-error.ts';
import type { AnswerHead } from '../http/answer-headers.ts';
import { AnswerExtras } from '../response/answer-extras.ts';
import { AnswerIndexes } from '../response/answer-indexes.ts';
import { mapChunk } from '../response/map-chunk.ts';
import { completeCalls } from '../response/map-tool-calls.ts';
import { AnswerUsage } from '../usage/answer-usage.ts';
import { type AnswerLimit, answerLimits, answerTooLarge, LimitExceeded } from '../wire/answer-limits.ts';
import { checkJson } from '../wire/check-json.ts';
import { findError } from '../wire/find-error.ts';
import { plainCause } from '../wire/plain-cause.ts';
import { repairJson } from '../wire/repair-json.ts';
import type { WireObject } from '../wire/wire.ts';
import { AnswerPayloads } from './answer-payloads.ts';
import { ChoiceProgress } from './choice-progress.ts';
import { jsonValues } from './json-values.ts';
import { ServedFacts } from './served-facts.ts';
import { ERROR_EVENT } from './sse-reader.ts';
import { TextChunkTemplate } from './text-chunk-template.ts';
import { WholeCharacters } from './whole-characters.ts';

const ENDS_OF_STREAM: ReadonlySet<string> = new Set(['[DONE]', '"[DONE]"']);
/** Before an error: that of an event of this name, or in words. */
const ERROR_MARK = new RegExp(`^(?:${ERROR_EVENT}|\\s{0,8}(?:\\[error\\]|error:)\\s{0,8})`, 'i');
const NOTHING: ReadonlySet<string> = new Set(['', 'null']);
/** A longer payload is neither of these, however many blanks there are around. */
const MARK_CHARACTERS = 64;
/** `data: ` and its end, around one character. */
const LINE_BYTES = 8;
const LARGE_CHARACTERS = 262_144;

export interface DecoderOptions {
  /** How many choices the request asked for; 1 unless set. */
  readonly expectedChoices?: number;
  /** How the answer began, for an error that is all of its body. Inside a stream, status and headers say nothing about an error. */
  readonly head?: AnswerHead;
}

/**
 * Turns the bytes of one answer into events and knows whether the answer is complete: it is when every choice that was
 * asked for has its finish reason, or when it came as a whole. What was decoded before a failure is given out first; the failure
 * waits in `failure`. An answer above one of the limits (answer-limits.ts) is such a failure: the event that is too much is dropped.
 * Nothing that follows a complete answer and its usage is a failure.
 */
export class StreamDecoder {
  /** `[DONE]` came: nothing more belongs to the answer. */
  done = false;
  /** The last read completed an event that took long to decode. */
  isLarge = false;
  /** Ends the answer after the events given out so far. */
  failure: ChatFailure | null = null;
  readonly #context: ErrorContext;
  readonly #payloads = new AnswerPayloads();
  readonly #template = new TextChunkTemplate();
  readonly #characters = new WholeCharacters();
  readonly #indexes = new AnswerIndexes();
  readonly #usage = new AnswerUsage();
  /** Members of the answer: those of a chunk without a piece go with the next piece. */
  readonly #extras = new AnswerExtras();
  readonly #choices: ChoiceProgress;
  readonly #facts: ServedFacts;
  #bytes = 0;
  /** Since the last piece of the answer. */
  #idleBytes = 0;
  #pieces = 0;
  #hasUsage = false;
  readonly #head: AnswerHead | null;

  constructor(context: ErrorContext, providerRequestId: string | null, options: DecoderOptions = {}) {
    this.#context = context;
    this.#choices = new ChoiceProgress(options.expectedChoices ?? 1);
    this.#facts = new ServedFacts(providerRequestId, context.apiKey);
    this.#head = options.head ?? null;
  }

  get served(): ServedBy {
    return this.#facts.served;
  }

  /** What is held of an event that has not ended. */
  get heldBytes(): number {
    return this.#payloads.heldBytes;
  }

  /** Every choice has its finish reason: silence from now on loses at most the usage. */
  get isFinished(): boolean {
    return this.#choices.areFinished;
  }

  /** Everything is there, usage too: a connection that is lost now, or stays open, loses nothing. */
  get complete(): boolean {
    return this.#isAnswered || this.#payloads.hasWholeText;
  }

  get #isAnswered(): boolean {
    return this.#hasUsage && this.isFinished;
  }

  /** @returns what one read brought; null when it brought nothing (part of an event, a comment) */
  push(bytes: Uint8Array): ProviderEvents | null {
    const payloads = this.#payloads.push(bytes);
    const events = payloads.length === 0 ? null : this.#decode(payloads);
    const isIdle = payloads.length === 0 || (!this.isLarge && (events?.deltas.length ?? 0) === 0);
    this.#idleBytes = isIdle ? this.#idleBytes + bytes.length : 0;
    if (this.done) return events;
    this.#noteOverflow();
    // What is held may become a piece of the answer; a line of it can have one character for each eight bytes.
    if (this.#idleBytes - LINE_BYTES * this.heldBytes > answerLimits.idleBytes) this.#endAt('idleBytes');
    return events;
  }

  /** The body ended cleanly: takes what had not ended, then judges whether the answer is complete. */
  end(): ProviderEvents | null {
    const [payload] = this.#payloads.end();
    this.#noteOverflow();
    if (this.#payloads.isWhole) return this.#whole(payload ?? '');
    const events = this.#decode(payload === undefined ? [] : [payload], { ends: true, mayBeCut: true });
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

  #whole(text: string): ProviderEvents | null {
    const texts = jsonValues(text);
    const events = this.#decode(texts, { ends: true, mayBeCut: false });
    if (texts.length === 1) this.#choices.endAll();
    this.#judge();
    return events;
  }

  #judge(): void {
    const isOver = this.done || this.#payloads.isWhole;
    // Some servers send no finish reason at all: both ends of the stream say that nothing is missing.
    if (this.done && this.#hasUsage && this.#choices.haveNoEnds) this.#choices.endAll();
    if (this.failure !== null || this.isFinished) return;
    const isEmpty = this.#hasUsage && this.#choices.haveNotBegun;
    const hasEnded = isOver && (this.#choices.haveEnded || isEmpty);
    this.failure = hasEnded ? this.#choicesMissing() : this.interrupted();
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
    this.isLarge = false;
    for (const payload of payloads) {
      if (payload.length > LARGE_CHARACTERS) this.isLarge = true;
      try {
        const text = this.#template.read(payload);
        if (text !== null) {
          this.#countPiece(utf8Length(text.content));
          pieces.push(this.#withExtras(text));
        } else this.#take(payload, mayBeCut, pieces);
      } catch (error) {
        if (!(error instanceof LimitExceeded)) throw error;
        this.#endAt(error.limit);
      }
      if (this.done || this.failure !== null) break;
    }
    const isOver = ends || this.done;
    if (isOver) pieces.push(...this.#idsOfCalls());
    if (isOver && this.#extras.hasNew) pieces.push(this.#withExtras(emptyDelta(0)));
    if (this.done) this.#judge();
    const deltas = this.#wholeCharacters(pieces, isOver);
    const usage = this.#usage.takeNew();
    return deltas.length === 0 && usage === null ? null : { deltas, usage };
  }

  /** @throws LimitExceeded */
  #take(payload: string, mayBeCut: boolean, pieces: CompletionDelta[]): void {
    const mark = payload.length <= MARK_CHARACTERS ? payload.trim() : null;
    if (mark !== null && NOTHING.has(mark)) return;
    if (mark !== null && ENDS_OF_STREAM.has(mark)) {
      this.done = true;
      return;
    }
    const marked = ERROR_MARK.exec(payload.slice(0, MARK_CHARACTERS))?.[0];
    const isError = marked !== undefined;
    const json = isError ? payload.slice(marked.length) : payload;
    checkJson(json);
    const chunks = parse(json);
    if (isError) this.#fail(chunks?.[0] === undefined ? json : findError(chunks[0], false));
    else if (chunks === null) this.#takeJunk(json, mayBeCut);
    else for (const chunk of chunks) this.#takeChunk(chunk, payload, pieces);
  }

  /** Behind the last finish reason it is of no consequence, unless it is what came of a last chunk: that had the usage. */
  #takeJunk(payload: string, mayBeCut: boolean): void {
    const isLost = this.isFinished ? mayBeCut && payload.startsWith('{') && !this.#isAnswered : true;
    if (isLost) this.failure ??= mayBeCut ? this.interrupted() : this.#malformed();
  }

  /** @throws LimitExceeded */
  #takeChunk(chunk: WireObject, payload: string, pieces: CompletionDelta[]): void {
    const error = findError(chunk, true);
    const wasAnswered = this.#isAnswered;
    this.#facts.note(chunk);
    this.#hasUsage = this.#usage.note(chunk) || this.#hasUsage;
    const mapped: CompletionDelta[] = [];
    mapChunk(chunk, mapped, this.#indexes);
    this.#count(this.#extras.note(chunk, this.#indexes));
    for (const delta of mapped) {
      this.#countPiece(deltaBytes(delta));
      this.#choices.note(delta);
      pieces.push(this.#withExtras(delta));
    }
    if (error === undefined) this.#template.learn(payload, mapped, this.#indexes);
    else if (!wasAnswered) this.failure ??= this.#reported(error);
  }

  #withExtras(delta: CompletionDelta): CompletionDelta {
    return this.#extras.hasNew ? { ...delta, answerExtraJson: this.#extras.takeNew() } : delta;
  }

  #fail(error: unknown): void {
    if (!this.#isAnswered) this.failure ??= this.#reported(error);
  }

  #noteOverflow(): void {
    if (this.#payloads.overflow !== null) this.#endAt(this.#payloads.overflow);
  }

  /** A limit is exceeded: nothing more is read. */
  #endAt(limit: AnswerLimit): void {
    if (this.#isAnswered) this.done = true;
    else this.failure ??= answerTooLarge(limit, this.#context.provider, this.served.providerRequestId);
  }

  /** @throws LimitExceeded */
  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > answerLimits.answerBytes) throw new LimitExceeded('answerBytes');
  }

  /** @throws LimitExceeded */
  #countPiece(bytes: number): void {
    this.#count(bytes);
    this.#pieces += 1;
    if (this.#pieces > answerLimits.pieces) throw new LimitExceeded('pieces');
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
      const toolCalls = completeCalls([], this.#indexes.toolCallsOf(choiceIndex));
      return toolCalls.length === 0 ? [] : [{ ...emptyDelta(choiceIndex), toolCalls }];
    });
  }

  #reported(error: unknown): ChatFailure {
    const head = this.#payloads.isWhole ? this.#head : null;
    const envelope = {
      httpStatus: head?.status ?? null,
      headers: head?.headers ?? null,
      providerRequestId: this.served.providerRequestId,
    };
    return mapErrorBody(error, envelope, this.#context, Date.now());
  }

  /** Without the parser's error: it quotes the answer. */
  #malformed(): ChatFailure {
    return new ProviderError(
      `${this.#context.provider} sent something that is not a chunk of an answer (malformed JSON). The fault is the provider's or a proxy's; the request can be tried again. If it lasts, check that AI_OPENAI_BASE_URL speaks the Chat Completions API.`,
      true,
      { providerRequestId: this.served.providerRequestId },
    );
  }

  /** Not retryable: a server that ignores `n` ignores it again, and each call is billed. */
  #choicesMissing(): ChatFailure {
    return new StreamInterrupted(
      `${this.#context.provider} ended its answer without all the choices that the request asked for. The call is billed and not repeated. The response has the choices that came; ask for one choice per request (n = 1) if this lasts.`,
      false,
      { providerRequestId: this.served.providerRequestId },
    );
  }
}

/** @returns the objects of an object or a list of objects; null for anything else */
function parse(json: string): readonly WireObject[] | null {
  const value = parsed(json) ?? parsed(repairJson(json));
  if (isObject(value)) return [value];
  return Array.isArray(value) && value.length > 0 && value.every(isObject) ? value : null;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
