import type { Problem } from '../contract/records.ts';
import { ChatFailure } from './chat-failure.ts';

/** The failures that the service itself decides on, without a provider's word. */

export function invalidRequest(problems: readonly Problem[]): ChatFailure {
  const message = problems.map((problem) => problem.message).join('; ');
  return new ChatFailure('invalid_request', message, false, { param: problems[0]?.path ?? null });
}

export function usedForAnother(requestId: string): ChatFailure {
  return new ChatFailure(
    'invalid_request',
    `requestId ${requestId} was used before for a different request; send a retry unchanged, or a new request under a new id`,
    false,
    { param: 'requestId' },
  );
}

export function unknownProvider(name: string, configured: readonly string[]): ChatFailure {
  return new ChatFailure(
    'invalid_request',
    `provider "${name}" is not configured here; use one of ${configured.join(', ')}, or leave it out`,
    false,
    { param: 'provider' },
  );
}

/**
 * @param maxCost what the caller allows, decimal text
 * @param estimate the highest expected cost, decimal text with its currency; null when it cannot be told
 */
export function budgetExceeded(maxCost: string, estimate: string | null): ChatFailure {
  const message =
    estimate === null
      ? `maxCost is ${maxCost}, but the highest cost cannot be told: the model has no known price, or the answer has no token limit; set maxOutputTokens, or leave maxCost out`
      : `the request may cost up to ${estimate}, more than its maxCost of ${maxCost}; lower maxOutputTokens, or raise maxCost`;
  return new ChatFailure('budget_exceeded', message, false, { param: 'maxCost' });
}

export function foreignCurrency(asked: string, priced: string): ChatFailure {
  return new ChatFailure(
    'invalid_request',
    `maxCostCurrency is ${asked}, but the model is priced in ${priced}; amounts are not converted, give maxCost in ${priced}`,
    false,
    { param: 'maxCostCurrency' },
  );
}

/** @param sent whether a call was under way when the time ran out */
export function deadlineExceeded(sent: boolean): ChatFailure {
  const what = sent
    ? 'the deadline passed before the answer was complete'
    : 'the deadline had passed before a call was made';
  return new ChatFailure(
    'deadline_exceeded',
    `${what}; allow more time, or look at the lag of the request topic`,
    false,
    { param: 'deadline' },
  );
}

export function tookTooLong(limitMs: number): ChatFailure {
  return new ChatFailure(
    'timeout',
    `the request was not finished within ${limitMs} ms (CHAT_REQUEST_TIMEOUT); ask for a shorter answer, or raise the limit`,
    false,
  );
}

export function poisoned(deaths: number): ChatFailure {
  return new ChatFailure(
    'poison',
    `${deaths} workers died while they handled this request, so it is not tried again; it is in the dead-letter topic for a look`,
    false,
  );
}

export function tooLargeToPublish(maxBytes: number): ChatFailure {
  return new ChatFailure(
    'internal',
    `the answer does not fit into a record of ${maxBytes} bytes; ask for fewer choices or tool calls, or raise RECORD_MAX_BYTES`,
    false,
  );
}

export function refusedByBroker(): ChatFailure {
  return new ChatFailure(
    'internal',
    "the broker refused the answer's record; compare RECORD_MAX_BYTES with the topics' max.message.bytes",
    false,
  );
}

/** A bug of the service: the request is not lost, and its operator finds the cause in the log. */
export function internalFailure(): ChatFailure {
  return new ChatFailure(
    'internal',
    "the service failed to handle this request; its log tells why under the request's id",
    true,
  );
}

/** Where AI_OPENAI_OUTAGE is `fail`. */
export function providerAway(provider: string): ChatFailure {
  return new ChatFailure(
    'provider_unavailable',
    `${provider} has failed several calls in a row and is not called until it is back; try again later, or let requests wait (AI_OPENAI_OUTAGE=wait)`,
    true,
  );
}
