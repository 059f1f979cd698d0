import type { ErrorCode } from '../../../src/domain/failures/chat-failure.ts';
import type { Expectation, ExpectedError } from './replay-exchange.ts';

/** What becomes of a request that the provider refuses: it fails without an answer and without a bill, and is not retried. */
export const refused = (
  code: ErrorCode,
  httpStatus: number,
  more: Partial<ExpectedError> = {},
): Expectation => ({
  finishReason: null,
  usage: null,
  cost: null,
  error: { code, retryable: false, httpStatus, ...more },
});
