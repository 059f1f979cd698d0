import { z } from 'zod';
import { type ChatRequest, messageText, tokenLimit } from './chat-request.ts';

export const limitsSchema = z.strictObject({
  requests: z.number().int().positive(),
  tokens: z.number().int().positive(),
  windowMs: z.number().positive().default(60_000),
  /** false: limits are enforced silently (no `x-ratelimit-*`, no `retry-after`). */
  headers: z.boolean().default(true),
});

/** Requests and tokens that may be used per window. */
export type Limits = z.input<typeof limitsSchema>;

/** The limiter's decision on one call: the headers to send, and the reason if it is refused. */
export interface Admission {
  headers: Record<string, string>;
  refusal: { type: 'requests' | 'tokens'; message: string } | undefined;
}

/**
 * Two token buckets, requests and tokens, that refill evenly over the window.
 *
 * Tokens are charged by OpenAI's documented rule: the larger of the requested maximum and a quarter of the characters.
 */
export class RateLimiter {
  readonly #clock: () => number;
  #limits: z.output<typeof limitsSchema> | undefined;
  #requests = new Bucket();
  #tokens = new Bucket();

  /** @param clock monotonic milliseconds */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Changes the limits at once, keeping what was used; undefined lifts them and forgets it. */
  setLimits(limits: z.output<typeof limitsSchema> | undefined): void {
    this.#limits = limits;
    if (limits === undefined) {
      this.#requests = new Bucket();
      this.#tokens = new Bucket();
      return;
    }
    const now = this.#clock();
    this.#requests.resize(limits.requests, limits.windowMs, now);
    this.#tokens.resize(limits.tokens, limits.windowMs, now);
  }

  admit(request: ChatRequest): Admission {
    if (this.#limits === undefined) return { headers: {}, refusal: undefined };
    const now = this.#clock();
    const tokens = chargedTokens(request);
    const requestWaitMs = this.#requests.waitMs(1, now);
    const tokenWaitMs = this.#tokens.waitMs(tokens, now);
    if (requestWaitMs === 0 && tokenWaitMs === 0) {
      this.#requests.take(1);
      this.#tokens.take(tokens);
      return { headers: this.#headers(), refusal: undefined };
    }
    const type = requestWaitMs > 0 ? 'requests' : 'tokens';
    const waitMs = Math.ceil(Math.max(requestWaitMs, tokenWaitMs));
    const headers = this.#headers();
    if (this.#limits.headers) {
      headers['retry-after-ms'] = String(waitMs);
      headers['retry-after'] = String(Math.ceil(waitMs / 1000));
    }
    const message = `Rate limit reached for ${request.model} on ${type}: Limit ${this.#limits[type]}. Please try again in ${formatDuration(waitMs)}.`;
    return { headers, refusal: { type, message } };
  }

  #headers(): Record<string, string> {
    if (!this.#limits?.headers) return {};
    return { ...this.#requests.headers('requests'), ...this.#tokens.headers('tokens') };
  }
}

class Bucket {
  #capacity = 0;
  #level = Number.POSITIVE_INFINITY;
  #perMs = 0;
  #filledAt = 0;

  resize(capacity: number, windowMs: number, now: number): void {
    if (this.#capacity > 0) this.#refill(now);
    const used = this.#capacity > 0 ? this.#capacity - this.#level : 0;
    this.#capacity = capacity;
    this.#perMs = capacity / windowMs;
    this.#level = Math.max(0, capacity - used);
    this.#filledAt = now;
  }

  /** Time until `amount` is available. An infinite amount counts as a full bucket. */
  waitMs(amount: number, now: number): number {
    this.#refill(now);
    const missing = Math.min(amount, this.#capacity) - this.#level;
    return missing <= 1e-9 ? 0 : missing / this.#perMs;
  }

  take(amount: number): void {
    this.#level = Math.max(0, this.#level - amount);
  }

  headers(kind: 'requests' | 'tokens'): Record<string, string> {
    return {
      [`x-ratelimit-limit-${kind}`]: String(this.#capacity),
      [`x-ratelimit-remaining-${kind}`]: String(Math.floor(this.#level + 1e-9)),
      [`x-ratelimit-reset-${kind}`]: formatDuration((this.#capacity - this.#level) / this.#perMs),
    };
  }

  #refill(now: number): void {
    this.#level = Math.min(this.#capacity, this.#level + (now - this.#filledAt) * this.#perMs);
    this.#filledAt = now;
  }
}

function chargedTokens(request: ChatRequest): number {
  const characters = request.messages.reduce((sum, message) => sum + messageText(message).length, 0);
  const maximum = tokenLimit(request);
  return Math.max(Number.isFinite(maximum) ? maximum : 0, Math.ceil(characters / 4));
}

/** A duration as OpenAI writes it: `12ms`, `1.5s`, `6m0s`. */
export function formatDuration(durationMs: number): string {
  const ms = Math.ceil(durationMs);
  if (ms < 1000) return `${ms}ms`;
  if (ms < 60_000) return `${ms / 1000}s`;
  const minutes = Math.floor(ms / 60_000);
  return `${minutes}m${(ms - minutes * 60_000) / 1000}s`;
}
