import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RateLimits } from '../../domain/rate-limits.ts';
import type { ProviderEvents, ProviderStream, ServedBy } from '../../ports.ts';
import type { CallGuard } from './call-guard.ts';
import type { HeldBytes } from './held-bytes.ts';
import type { HttpBody } from './http-exchange.ts';
import type { StreamDecoder } from './stream-decoder.ts';

/**
 * One streamed answer, read from an HTTP body. The connection is given back for the next call when the answer ended
 * as it should, and closed at once when it did not, the caller aborted, or the iteration was left early. The
 * body has to fail when the guard's signal aborts.
 */
export class CompletionStream implements ProviderStream {
  readonly served: ServedBy;
  readonly rateLimits: RateLimits | null;
  readonly #body: HttpBody;
  readonly #decoder: StreamDecoder;
  readonly #guard: CallGuard;
  readonly #held: HeldBytes;

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

  async *[Symbol.asyncIterator](): AsyncGenerator<ProviderEvents, void, void> {
    const decoder = this.#decoder;
    try {
      while (!decoder.done) {
        const bytes = await this.#read();
        const events = bytes === null ? decoder.end() : decoder.push(bytes);
        if (events !== null) {
          this.#guard.received();
          // A large event was decoded just now, and is about to be folded: others have their turn between the two.
          if (decoder.isLarge) await nextTurn();
          yield events;
        }
        if (decoder.failure !== null) throw decoder.failure;
        if (bytes === null) return;
        const short = this.#held.are(decoder.heldBytes);
        if (short !== undefined) await short;
      }
    } finally {
      if (decoder.done && decoder.failure === null) void this.#giveBack();
      else this.#close();
    }
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
      if (this.#decoder.complete) return null;
      throw this.#decoder.interrupted(error);
    }
  }

  /** The end of the body is on its way behind `[DONE]`. If it does not come, the guard closes the connection. */
  async #giveBack(): Promise<void> {
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
