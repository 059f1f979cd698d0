import { setImmediate as nextTurn } from 'node:timers/promises';
import { type CompletionDelta, saysNothing } from '../../../domain/completion/completion-delta.ts';
import type { RateLimits } from '../../../domain/limits/rate-limits.ts';
import type { ProviderEvents, ProviderStream, ServedBy } from '../../../ports/provider.ts';
import type { HttpBody } from '../http/http-exchange.ts';
import type { CallGuard } from './call-guard.ts';
import type { HeldBytes } from './held-bytes.ts';
import type { StreamDecoder } from './stream-decoder.ts';

/** What may follow a complete answer and its usage is waited for this long. */
const END_MS = 1_000;

/**
 * One answer, read from an HTTP body. The connection is reused for the next call if the answer ended properly.
 * It is closed at once if the answer did not, the caller aborted, or the iteration was left early. The body has to
 * fail when the guard's signal aborts.
 */
export class CompletionStream implements ProviderStream {
  readonly served: ServedBy;
  readonly rateLimits: RateLimits | null;
  readonly #body: HttpBody;
  readonly #decoder: StreamDecoder;
  readonly #guard: CallGuard;
  readonly #held: HeldBytes;
  /** What was read before the iteration began. */
  #first: ProviderEvents | null = null;
  #isOver = false;

  constructor(
    body: HttpBody,
    decoder: StreamDecoder,
    guard: CallGuard,
    held: HeldBytes,
    rateLimits: RateLimits | null,
  ) {
    this.rateLimits = rateLimits;
    this.served = decoder.served;
    this.#body = body;
    this.#decoder = decoder;
    this.#guard = guard;
    this.#held = held;
  }

  /** Reads up to the first events. @throws the failure when nothing of an answer came before it */
  async prime(): Promise<void> {
    try {
      while (this.#first === null && !this.#isOver) this.#first = await this.#next();
    } catch (error) {
      this.#close();
      throw error;
    }
    if (this.#first !== null || this.#decoder.failure === null) return;
    this.#close();
    throw this.#decoder.failure;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ProviderEvents, void, void> {
    const decoder = this.#decoder;
    try {
      for (;;) {
        const events = this.#first ?? (this.#isOver ? null : await this.#next());
        this.#first = null;
        if (events !== null) {
          // A large event was decoded just now, and is about to be folded: others have their turn between the two.
          if (decoder.isLarge) await nextTurn();
          yield events;
        }
        if (decoder.failure !== null) throw decoder.failure;
        if (this.#isOver) return;
      }
    } finally {
      if (decoder.done && decoder.failure === null) void this.#release();
      else this.#close();
    }
  }

  /** One read. @returns what it brought; null when that is nothing */
  async #next(): Promise<ProviderEvents | null> {
    const decoder = this.#decoder;
    const short = this.#held.are(decoder.heldBytes);
    if (short !== undefined) await short;
    const bytes = await this.#read();
    const events = bytes === null ? decoder.end() : decoder.push(bytes);
    this.#isOver = bytes === null || decoder.done || decoder.failure !== null;
    if (events !== null) this.#guard.received(events.deltas.some(hasContent));
    if (decoder.complete) this.#guard.expectEnd(END_MS);
    else if (decoder.isFinished) this.#guard.expectEnd(null);
    return events;
  }

  async #read(): Promise<Buffer | null> {
    this.#guard.throwIfEnded();
    this.#guard.wait();
    try {
      const bytes = await this.#body.read();
      this.#guard.throwIfEnded();
      return bytes;
    } catch (error) {
      this.#guard.throwIfEnded();
      if (this.#decoder.complete || this.#guard.hasExpectedEnd) return null;
      throw this.#decoder.interrupted(error);
    }
  }

  /** The end of the body follows `[DONE]`. If it does not come, the guard closes the connection. */
  async #release(): Promise<void> {
    this.#guard.wait();
    try {
      while ((await this.#body.read()) !== null);
    } catch {
      // The answer is complete without it; the connection is closed already.
    }
    this.#guard.dispose();
  }

  #close(): void {
    this.#guard.dispose();
    this.#body.close();
  }
}

/**
 * Whether a piece says anything of its choice: the first of an answer often has a role alone, or beside it members that a gateway
 * adds, long before the model has thought.
 */
function hasContent(delta: CompletionDelta): boolean {
  return !saysNothing(delta.role === null ? delta : { ...delta, role: null });
}
