import { RateLimiter } from '../../../src/domain/limits/rate-limiter.ts';
import type { RateLimits } from '../../../src/domain/limits/rate-limits.ts';

/** A provider's bucket that refills evenly. */
class ServerBucket {
  level: number;
  at = 0;
  limit: number;
  readonly windowMs: number;
  constructor(limit: number, windowMs: number) {
    this.limit = limit;
    this.windowMs = windowMs;
    this.level = limit;
  }
  refill(now: number): void {
    this.level = Math.min(this.limit, this.level + ((now - this.at) * this.limit) / this.windowMs);
    this.at = now;
  }
  resize(limit: number, now: number): void {
    this.refill(now);
    this.level = Math.max(0, limit - (this.limit - this.level));
    this.limit = limit;
  }
  reported() {
    const resetMs = Math.ceil(((this.limit - this.level) * this.windowMs) / this.limit);
    return { limit: this.limit, remaining: Math.floor(this.level), resetMs };
  }
}

export interface Simulation {
  readonly workers: number;
  readonly calls: number;
  readonly requests: number;
  readonly tokens: number;
  readonly windowMs: number;
  /** From a call to its response headers. */
  readonly latencyMs: number;
  readonly tokensOf: (call: number) => number;
  /** Halves the limit after half of the calls, with or without reporting it in headers. */
  readonly halve?: 'reported' | 'unreported';
}

/** Several workers with endless work for one server. @returns the refused calls, and the share of the possible throughput */
export function simulate(of: Simulation): { refused: number; calls: number; throughput: number } {
  const requests = new ServerBucket(of.requests, of.windowMs);
  const tokens = new ServerBucket(of.tokens, of.windowMs);
  const workers = Array.from({ length: of.workers }, () => ({
    limiter: new RateLimiter(),
    unanswered: 0,
    isKnown: false,
    again: [] as number[],
  }));
  const events: { at: number; run: () => void }[] = [];
  let now = 0;
  let next = 0;
  let accepted = 0;
  let refused = 0;
  let isReporting = true;
  let possible = 0;
  let isHalved = false;
  const possibleOf = { requests: of.requests as number, tokens: of.tokens as number };
  let usedTokens = 0;
  const halve = () => {
    isHalved = true;
    requests.resize(of.requests / 2, now);
    tokens.resize(of.tokens / 2, now);
    if (of.halve === 'unreported') isReporting = false;
  };
  while (accepted < of.calls) {
    for (let index = events.length - 1; index >= 0; index -= 1) {
      const event = events[index];
      if (event === undefined || event.at > now) continue;
      events.splice(index, 1);
      event.run();
    }
    for (const worker of workers) {
      for (;;) {
        const call = worker.again[0] ?? (next < of.calls ? next : null);
        if (call === null) break;
        if (!worker.isKnown && worker.unanswered >= 4) break;
        const amount = of.tokensOf(call);
        if (worker.limiter.waitMs(amount, now) > 0) break;
        if (worker.again.length > 0) worker.again.shift();
        else next += 1;
        worker.limiter.reserve(amount, now);
        const mark = worker.limiter.begin(amount, now);
        worker.unanswered += 1;
        events.push({
          at: now + of.latencyMs / 2,
          run: () => {
            requests.refill(now);
            tokens.refill(now);
            const isIn = requests.level >= 1 && tokens.level >= amount;
            if (isIn) {
              requests.level -= 1;
              tokens.level -= amount;
              accepted += 1;
              usedTokens += amount;
              if (of.halve && !isHalved && accepted >= of.calls / 2) halve();
            } else refused += 1;
            const limits: RateLimits | null = isReporting
              ? { requests: requests.reported(), tokens: tokens.reported() }
              : null;
            const waitMs = Math.max(
              ((1 - requests.level) * of.windowMs) / requests.limit,
              ((amount - tokens.level) * of.windowMs) / tokens.limit,
            );
            events.push({
              at: now + of.latencyMs / 2,
              run: () => {
                worker.unanswered -= 1;
                worker.isKnown = true;
                if (isIn) worker.limiter.answered(mark, limits, now);
                else {
                  worker.limiter.refused(mark, limits, isReporting ? Math.ceil(waitMs) : null, now);
                  worker.again.push(call);
                }
              },
            });
          },
        });
      }
    }
    now += 1;
    const part = isHalved ? 0.5 : 1;
    possible += part / of.windowMs;
  }
  const most = Math.max(
    (accepted - possibleOf.requests) / possibleOf.requests,
    (usedTokens - possibleOf.tokens) / possibleOf.tokens,
  );
  return { refused, calls: accepted + refused, throughput: most / possible };
}
