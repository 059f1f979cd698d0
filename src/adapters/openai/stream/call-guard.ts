import type { ChatFailure } from '../../../domain/failures/chat-failure.ts';
import { Timeout } from '../../../domain/failures/failure-classes.ts';

export interface CallLimits {
  readonly firstTokenTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** The variable that sets the first of them, for the message. Default: AI_OPENAI_FIRST_TOKEN_TIMEOUT. */
  readonly setting?: string;
}

/**
 * Ends one call when its caller aborts or the provider is silent for too long; the first reason stands. One timer per
 * call: until the first piece it measures from the start, then from each read to the next piece. The time that the
 * reader takes for itself does not count.
 *
 *   first piece awaited ──received()──► reader busy ──wait()──► next piece awaited ──received()──► reader busy …
 */
export class CallGuard {
  /** Aborted when the call has to end; what is thrown then is `reason`. */
  readonly signal: AbortSignal;
  providerRequestId: string | null = null;
  /** Whether there was a connection to write the call to. */
  isSent = false;
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal;
  readonly #provider: string;
  readonly #limits: CallLimits;
  #timer: NodeJS.Timeout;
  #ended: { readonly reason: unknown } | null = null;
  #hasReceived = false;
  /** The time was up while the reader was busy with itself. */
  #wasMissed = false;
  #waiting = true;
  /** Silence is the end of the answer. */
  #expectsEnd = false;
  #hasExpectedEnd = false;
  #isShort = false;

  /** @throws the caller's reason when its signal is aborted already */
  constructor(provider: string, limits: CallLimits, caller: AbortSignal) {
    caller.throwIfAborted();
    this.signal = this.#controller.signal;
    this.#caller = caller;
    this.#provider = provider;
    this.#limits = limits;
    this.#timer = setTimeout(this.#onTimeout, limits.firstTokenTimeoutMs);
    caller.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** @throws the reason for which the call had to end, if it had to */
  throwIfEnded(): void {
    if (this.#ended !== null) throw this.#ended.reason;
  }

  /** A read begins; repeated without a piece between, it is still the same wait. */
  wait(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    if (this.#hasReceived || this.#wasMissed) this.#timer.refresh();
    this.#wasMissed = false;
  }

  /** The reader is busy with itself although no piece is complete: it waits for memory. */
  pause(): void {
    this.#waiting = false;
  }

  /**
   * A piece of the answer came. Comments and empty reads do not count.
   *
   * @param hasContent false for one that only opens the answer: the model may still think, so that the first wait goes on
   */
  received(hasContent = true): void {
    this.#waiting = false;
    if (this.#hasReceived || !hasContent) return;
    this.#hasReceived = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onTimeout, this.#limits.idleTimeoutMs);
  }

  /**
   * The answer may be over: silence ends the call from now on without a failure.
   *
   * @param waitMs for less than the usual silence; null for that
   */
  expectEnd(waitMs: number | null): void {
    const isShorter = waitMs !== null && !this.#isShort;
    if (isShorter) {
      this.#isShort = true;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(this.#onTimeout, Math.min(waitMs, this.#limits.idleTimeoutMs));
      this.#hasReceived = true;
    }
    this.#expectsEnd = true;
  }

  /** The call was ended by the silence that was expected. */
  get hasExpectedEnd(): boolean {
    return this.#hasExpectedEnd;
  }

  /** The call is over; neither the caller nor the timer matters any more. */
  dispose(): void {
    clearTimeout(this.#timer);
    this.#caller.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => this.#end(this.#caller.reason);

  readonly #onTimeout = (): void => {
    this.#wasMissed = !this.#waiting;
    if (this.#waiting && this.#expectsEnd) {
      this.#hasExpectedEnd = true;
      this.#controller.abort(new Error('The answer is over.'));
    } else if (this.#waiting) this.#end(this.#hasReceived ? this.#idleFailure() : this.#firstTokenFailure());
  };

  #end(reason: unknown): void {
    this.#ended = { reason };
    clearTimeout(this.#timer);
    this.#caller.removeEventListener('abort', this.#onAbort);
    this.#controller.abort(reason);
  }

  #firstTokenFailure(): ChatFailure {
    if (!this.isSent)
      return this.#failure(
        `There was no connection to ${this.#provider} within ${this.#limits.firstTokenTimeoutMs} ms, so that nothing was sent. The request can be tried again; if this lasts, check AI_OPENAI_BASE_URL, the name lookup and the network.`,
      );
    const { firstTokenTimeoutMs, setting = 'AI_OPENAI_FIRST_TOKEN_TIMEOUT' } = this.#limits;
    return this.#failure(
      `${this.#provider} did not begin its answer within ${firstTokenTimeoutMs} ms. The provider is slow or the model thinks for longer; the request can be tried again, or ${setting} be raised.`,
      true,
    );
  }

  #idleFailure(): ChatFailure {
    return this.#failure(
      `${this.#provider} stopped in the middle of its answer and sent nothing for ${this.#limits.idleTimeoutMs} ms. The fault is the provider's or the network's; the request can be tried again, or AI_OPENAI_TIMEOUT be raised.`,
    );
  }

  #failure(message: string, outwaited = false): ChatFailure {
    return new Timeout(message, true, { providerRequestId: this.providerRequestId, outwaited });
  }
}
