import { expect, it } from 'vitest';
import type { ChatRequest } from '../../support/stand-in/chat-request.ts';
import { formatDuration, limitsSchema, RateLimiter } from '../../support/stand-in/rate-limits.ts';

const request = (maxTokens?: number): ChatRequest => ({
  model: 'gpt-4o',
  messages: [{ role: 'user', content: 'x'.repeat(40) }],
  ...(maxTokens !== undefined && { max_tokens: maxTokens }),
});

function limiterAt(limits: Parameters<typeof limitsSchema.parse>[0]) {
  const time = { now: 0 };
  const limiter = new RateLimiter(() => time.now);
  limiter.setLimits(limitsSchema.parse(limits));
  return { time, limiter };
}

it('admits the limit at once and then as fast as the window refills', () => {
  const { time, limiter } = limiterAt({ requests: 10, tokens: 100_000, windowMs: 1000 });
  const admitted = () => limiter.admit(request()).refusal === undefined;
  expect(Array.from({ length: 12 }, admitted).filter(Boolean)).toHaveLength(10);
  time.now = 99;
  expect(admitted()).toBe(false);
  time.now = 100;
  expect([admitted(), admitted()]).toEqual([true, false]);
});

it('charges the larger of the requested maximum and a quarter of the characters', () => {
  const { limiter } = limiterAt({ requests: 100, tokens: 1000, windowMs: 60_000 });
  expect(limiter.admit(request()).headers['x-ratelimit-remaining-tokens']).toBe('990');
  expect(limiter.admit(request(500)).headers['x-ratelimit-remaining-tokens']).toBe('490');
  const refused = limiter.admit(request(600));
  expect(refused.refusal?.type).toBe('tokens');
  expect(refused.headers['retry-after-ms']).toBe('6600');
  expect(refused.headers['retry-after']).toBe('7');
});

it('keeps the used amount when the limit changes', () => {
  const { limiter } = limiterAt({ requests: 10, tokens: 1000, windowMs: 1000 });
  for (let call = 0; call < 4; call += 1) limiter.admit(request());
  limiter.setLimits(limitsSchema.parse({ requests: 5, tokens: 1000, windowMs: 1000 }));
  expect(limiter.admit(request()).headers).toMatchObject({
    'x-ratelimit-limit-requests': '5',
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-reset-requests': '1s',
  });
});

it('reports nothing when headers are off', () => {
  const { limiter } = limiterAt({ requests: 1, tokens: 1000, windowMs: 1000, headers: false });
  limiter.admit(request());
  const refused = limiter.admit(request());
  expect(refused.refusal?.type).toBe('requests');
  expect(refused.headers).toEqual({});
});

it.each([
  [0, '0ms'],
  [11.2, '12ms'],
  [1500, '1.5s'],
  [360_000, '6m0s'],
  [61_250, '1m1.25s'],
])('writes %f ms as %s', (durationMs, text) => {
  expect(formatDuration(durationMs)).toBe(text);
});
