import type { Readable } from 'node:stream';
import type { RateLimits } from '../../domain/rate-limits.ts';
import type { ProviderEvents, ProviderStream, ServedBy } from '../../ports.ts';
import type { CallGuard } from './call-guard.ts';
import type { StreamDecoder } from './stream-decoder.ts';

/**
 * One streamed answer, read from an HTTP body. The connection is given back for the next call when the answer ended
 * as it should, and closed at once when it did not, the caller aborted, or the iteration was left early. The
 * body has to be destroyed by whoever made it when the guard's signal aborts.
 */
export class CompletionStream implements ProviderStream {
  readonly served: ServedBy;
  readonly rateLimits: RateLimits | null;
  readonly #body: Readable;
  readonly #decoder: StreamDecoder;
  readonly #guard: CallGuard;

  constructor(body: Readable, decoder: StreamDecoder, guard: CallGuard, rateLimits: RateLimits | null) {
    this.rateLimits = rateLimits;
    this.served = decoder.served;
    this.#body = body;
    this.#decoder = decoder;
    this.#guard = guard;
    // A body that is destroyed while nobody reads it must not bring the process down.
    body.on('error', () => undefined);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ProviderEvents, void, void> {
    const decoder = this.#decoder;
    const reads = this.#body.iterator({ destroyOnReturn: false });
    try {
      while (!decoder.done) {
        const bytes = await this.#read(reads);
        const events = bytes === null ? decoder.end() : decoder.push(bytes);
        if (events !== null) {
          this.#guard.received();
          yield events;
        }
        if (decoder.failure !== null) throw decoder.failure;
        if (bytes === null) return;
      }
    } finally {
      if (decoder.done && decoder.failure === null) await this.#giveBack(reads);
      else this.#close();
    }
  }

  async #read(reads: AsyncIterator<Buffer>): Promise<Buffer | null> {
    this.#guard.throwIfEnded();
    this.#guard.wait();
    try {
      const { value, done } = await reads.next();
      this.#guard.throwIfEnded();
      return done === true ? null : value;
    } catch (error) {
      this.#guard.throwIfEnded();
      if (this.#decoder.complete) return null;
      throw this.#decoder.interrupted(error);
    }
  }

  /** The end of the body is on its way behind `[DONE]`. If it does not come, the guard closes the connection. */
  async #giveBack(reads: AsyncIterator<Buffer>): Promise<void> {
    const body = this.#body;
    await reads.return?.();
    if (body.closed) {
      this.#guard.dispose();
      return;
    }
    this.#guard.wait();
    body.once('close', () => this.#guard.dispose());
    body.resume();
  }

  #close(): void {
    this.#guard.dispose();
    this.#body.destroy();
  }
}
