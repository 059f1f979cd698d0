import { describe, expect, it } from 'vitest';
import { parseDuration, parseRateLimits } from '../../../../src/adapters/openai/errors/rate-limit-headers.ts';

const headers = (of: Record<string, string>) =>
  new Headers(Object.entries(of).map(([name, value]) => [`x-ratelimit-${name}`, value] as [string, string]));

describe('rate limit headers', () => {
  it('report requests and tokens', () => {
    const reported = headers({
      'limit-requests': '60',
      'remaining-requests': '59',
      'reset-requests': '1s',
      'limit-tokens': '150000',
      'remaining-tokens': '149984',
      'reset-tokens': '6m0s',
    });
    expect(parseRateLimits(reported)).toEqual({
      requests: { limit: 60, remaining: 59, resetMs: 1_000 },
      tokens: { limit: 150_000, remaining: 149_984, resetMs: 360_000 },
    });
  });

  it('report nothing when they are missing', () => {
    expect(parseRateLimits(new Headers())).toBeNull();
  });

  it.each([
    ['-1', '-1'],
    ['0', '0'],
    ['60', 'many'],
    ['', '5'],
    ['1e9', '5'],
    ['60', '9'.repeat(40)],
  ])('that are not a valid limit (%s, %s) report nothing', (limit, remaining) => {
    expect(parseRateLimits(headers({ 'limit-tokens': limit, 'remaining-tokens': remaining }))).toBeNull();
  });

  it('may omit one of the two, or the reset, and never report more remaining than the limit', () => {
    expect(parseRateLimits(headers({ 'limit-tokens': '10', 'remaining-tokens': '12' }))).toEqual({
      requests: null,
      tokens: { limit: 10, remaining: 10, resetMs: null },
    });
  });

  it.each([
    ['17ms', 17],
    ['6m0s', 360_000],
    ['1m30.5s', 90_500],
    ['2h3m', 7_380_000],
    ['1d', 86_400_000],
    ['59.7', 59_700],
    ['', null],
    ['soon', null],
    ['1s!', null],
    ['-5s', null],
  ])('%s lasts %s ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });
});
