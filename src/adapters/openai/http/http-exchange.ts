import type { Dispatcher } from 'undici';

/** So many bytes wait for their reader; then the connection stands still, which slows the sender down. */
const HIGH_WATER_BYTES = 65_536;
/** The same for pieces: each of them takes memory of its own, and some senders cut an answer into single bytes. */
const HIGH_WATER_PIECES = 1_024;

export interface HttpHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** The body of an answer, for one reader. */
export interface HttpBody {
  /**
   * All that has come since the last read, or else the next that comes; null at the end.
   *
   * @throws what broke the answer off, or the signal's reason, after all that had come before
   */
  read(): Promise<Buffer | null>;
  /** Closes the connection unless the body has ended. */
  close(): void;
}

/**
 * One HTTP request in flight: undici writes into it, a caller reads its head and then its body. Node's streams, which
 * undici's own `request` returns, cost more per piece than decoding the piece.
 */
export class HttpExchange implements Dispatcher.DispatchHandler, HttpBody {
  /** When the answer begins. Rejects with what prevented it. */
  readonly head: Promise<HttpHead>;
  readonly #head = Promise.withResolvers<HttpHead>();
  /** Kept for as long as the connection keeps this: the SDK holds what fires it only weakly. */
  readonly #signal: AbortSignal | null;
  readonly #onSent: () => void;
  #controller: Dispatcher.DispatchController | null = null;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #ended = false;
  #failure: Error | null = null;
  #reader: PromiseWithResolvers<Buffer | null> | null = null;

  /** @param onSent called when there is a connection, right before the request is written to it */
  constructor(signal: AbortSignal | null, onSent: () => void = () => undefined) {
    this.head = this.#head.promise;
    this.#signal = signal;
    this.#onSent = onSent;
    if (signal?.aborted === true) this.#abort();
    else signal?.addEventListener('abort', () => this.#abort(), { once: true });
  }

  read(): Promise<Buffer | null> {
    if (this.#bytes > 0) return Promise.resolve(this.#take());
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.resolve(null);
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  close(): void {
    this.#end(new Error('The answer is no longer needed.'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // undici writes nothing of a request that is aborted here.
    if (this.#failure !== null) controller.abort(this.#failure);
    else this.#onSent();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: HttpHead['headers'],
  ): void {
    const isInterim = status < 200;
    if (!isInterim) this.#head.resolve({ status, headers });
  }

  onResponseData(controller: Dispatcher.DispatchController, bytes: Buffer): void {
    const reader = this.#reader;
    if (reader !== null) {
      this.#reader = null;
      reader.resolve(bytes);
      return;
    }
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= HIGH_WATER_BYTES || this.#pieces.length >= HIGH_WATER_PIECES) controller.pause();
  }

  onResponseEnd(): void {
    this.#ended = true;
    this.#reader?.resolve(null);
    this.#reader = null;
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end(error);
  }

  #abort(): void {
    this.#end(this.#signal?.reason);
  }

  /** Ends it early; the first reason stands. */
  #end(failure: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#head.reject(failure);
    this.#reader?.reject(failure);
    this.#reader = null;
    this.#controller?.abort(failure);
  }

  #take(): Buffer {
    const [first] = this.#pieces;
    const all =
      first !== undefined && this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [];
    this.#bytes = 0;
    if (this.#controller?.paused === true) this.#controller.resume();
    return all;
  }
}
