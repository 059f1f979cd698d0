import { describe, expect, it } from 'vitest';
import { ChatFailure, errorCodes } from '../../../../src/domain/failures/chat-failure.ts';
import { failureOf, QuotaExceeded, RateLimited } from '../../../../src/domain/failures/failure-classes.ts';

describe('ChatFailure', () => {
  it('has only known members', () => {
    const failure = new ChatFailure('internal', 'no reason', false);
    expect(failure).toMatchObject({
      name: 'ChatFailure',
      message: 'no reason',
      code: 'internal',
      retryable: false,
      param: null,
      providerCode: null,
      providerType: null,
      providerMessage: null,
      providerRequestId: null,
      httpStatus: null,
      retryAfterMs: null,
      cause: undefined,
    });
  });

  it('carries the details that the provider returned', () => {
    const details = {
      param: 'model',
      providerCode: 'rate_limit_exceeded',
      providerType: 'requests',
      providerRequestId: 'req_1',
      httpStatus: 429,
      retryAfterMs: 1_500,
      cause: new Error('socket'),
    };
    const failure = new ChatFailure('rate_limited', 'slow down', true, details);
    expect(failure).toMatchObject({ ...details, retryable: true });
    expect(failure).toBeInstanceOf(Error);
  });

  it('has a separate class for each code, all with one base', () => {
    const made = errorCodes.map((code) => failureOf(code, 'why', true, { retryAfterMs: 5 }));
    for (const [index, failure] of made.entries()) {
      expect(failure).toBeInstanceOf(ChatFailure);
      expect(failure).toMatchObject({ code: errorCodes[index], retryAfterMs: 5, retryable: true });
    }
    expect(new Set(made.map(({ name }) => name)).size).toBe(errorCodes.length);
    expect(new RateLimited('slow', true)).toMatchObject({ name: 'RateLimited', code: 'rate_limited' });
    expect(new RateLimited('slow', true)).not.toBeInstanceOf(QuotaExceeded);
  });

  it('has a closed set of codes without repetition', () => {
    expect(new Set(errorCodes).size).toBe(errorCodes.length);
    expect(errorCodes).toContain('poison');
  });
});
