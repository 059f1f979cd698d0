import { describe, expect, it } from 'vitest';
import { ChatFailure, type FailureDetails } from '../../../../src/domain/failures/chat-failure.ts';
import {
  type FailedCall,
  type RetryPolicy,
  waitBeforeRetry,
} from '../../../../src/pipeline/calling/retry-policy.ts';

const policy: RetryPolicy = { retryAttempts: 3, retryDelayMs: 1_000, restartOnBreak: true };

function wait(
  members: Partial<FailedCall> & { retryable?: boolean; details?: FailureDetails } = {},
  overrides: Partial<RetryPolicy> = {},
): number | null {
  const { retryable = true, details = {}, ...rest } = members;
  const failure = new ChatFailure('rate_limited', 'slow', retryable, details);
  const failed = {
    failure,
    failed: 1,
    chunkCount: 0,
    isSlow: false,
    restartOnBreak: null,
    endsAt: 100_000,
    ...rest,
  };
  return waitBeforeRetry(failed, { ...policy, ...overrides }, 50_000, 0.5);
}

describe('a failed call', () => {
  it('is retried after a random wait whose bound doubles', () => {
    expect([1, 2, 3].map((failed) => wait({ failed }))).toEqual([500, 1_000, 2_000]);
  });

  it('is not retried when it cannot succeed or the limit is reached', () => {
    expect(wait({ retryable: false })).toBeNull();
    expect(wait({ failed: 4 })).toBeNull();
    expect(wait({}, { retryAttempts: 0 })).toBeNull();
  });

  it('is not retried when long work was not waited for, which is paid all the same', () => {
    const details = { outwaited: true };
    expect(wait({ details, isSlow: true })).toBeNull();
    expect(wait({ details })).toBe(500);
    expect(wait({ isSlow: true })).toBe(500);
  });

  it('waits as long as the provider asks for, unless that is more than a minute', () => {
    const asked = (retryAfterMs: number) =>
      wait({ details: { retryAfterMs }, endsAt: Number.POSITIVE_INFINITY });
    expect(asked(7_000)).toBe(7_500);
    expect(asked(3_600_000)).toBeNull();
  });

  it('is not retried when the request would be over by then', () => {
    expect(wait({ details: { retryAfterMs: 49_499 } })).toBe(49_999);
    expect(wait({ details: { retryAfterMs: 49_500 } })).toBeNull();
    expect(wait({ endsAt: 50_400 })).toBeNull();
  });

  it.each([
    [null, true, true],
    [null, false, false],
    [true, false, true],
    [false, true, false],
  ])(
    'with published chunks, when the request says %s and the service %s: %s',
    (restartOnBreak, service, again) => {
      expect(wait({ chunkCount: 2, restartOnBreak }, { restartOnBreak: service }) !== null).toBe(again);
      expect(wait({ chunkCount: 0, restartOnBreak }, { restartOnBreak: service })).toBe(500);
    },
  );
});
