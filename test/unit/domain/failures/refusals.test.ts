import { describe, expect, it } from 'vitest';
import {
  budgetExceeded,
  deadlineExceeded,
  foreignCurrency,
  internalFailure,
  invalidRequest,
  poisoned,
  refusedByBroker,
  tookTooLong,
  tooLargeToPublish,
  unknownProvider,
  usedForAnother,
} from '../../../../src/domain/failures/refusals.ts';

describe('refusals', () => {
  it('report every problem of a request at once, and the first one’s path', () => {
    const failure = invalidRequest([
      { path: 'messages', code: 'invalid_value', message: 'it is empty' },
      { path: 'requestId', code: 'too_large', message: 'it is too long' },
      { path: '', code: 'too_large', message: 'the body is nested too deep' },
    ]);
    expect(failure).toMatchObject({ code: 'invalid_request', retryable: false, param: 'messages' });
    expect(failure.message).toBe(
      'messages: it is empty; requestId: it is too long; the body is nested too deep',
    );
    expect(invalidRequest([]).param).toBeNull();
  });

  it('report at most a hundred problems', () => {
    const problems = Array.from({ length: 102 }, (_, index) => ({
      path: `tools[${index}]`,
      code: 'missing',
      message: 'no name',
    }));
    const { message } = invalidRequest(problems);
    expect(message).toMatch(/^tools\[0\]: no name; .*; tools\[99\]: no name; and 2 more$/);
  });

  it.each([
    [
      usedForAnother('request-1'),
      'invalid_request',
      false,
      'requestId',
      /request-1 .*different request.*unchanged/,
    ],
    [unknownProvider('x', ['openai', 'local']), 'invalid_request', false, 'provider', /"x".*openai, local/],
    [
      budgetExceeded('0.25', '0.3 USD'),
      'budget_exceeded',
      false,
      'maxCost',
      /up to 0\.3 USD, more than its maxCost of 0\.25; .*maxOutputTokens/,
    ],
    [
      budgetExceeded('0.25', null),
      'budget_exceeded',
      false,
      'maxCost',
      /maxCost is 0\.25.*is unknown.*maxOutputTokens/,
    ],
    [
      foreignCurrency('EUR', 'USD'),
      'invalid_request',
      false,
      'maxCostCurrency',
      /EUR.*priced in USD.*give maxCost in USD/,
    ],
    [deadlineExceeded(true), 'deadline_exceeded', false, 'deadline', /before the answer was complete/],
    [deadlineExceeded(false), 'deadline_exceeded', false, 'deadline', /before a call was made/],
    [tookTooLong(600), 'timeout', false, null, /600 ms .*CHAT_REQUEST_TIMEOUT/],
    [poisoned(3), 'poison', false, null, /^3 workers died .*dead-letter/],
    [tooLargeToPublish(1_000), 'internal', false, null, /1000 bytes.*RECORD_MAX_BYTES/],
    [refusedByBroker(), 'internal', false, null, /RECORD_MAX_BYTES.*max\.message\.bytes/],
    [internalFailure(), 'internal', true, null, /log/],
  ])('state what happened and a remedy: %s', (failure, code, retryable, param, words) => {
    expect(failure).toMatchObject({ code, retryable, param });
    expect(failure.message).toMatch(words);
  });
});
