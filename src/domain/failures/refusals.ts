import type { Problem } from '../../contract/record-types.ts';
import { LIMITS } from '../validate/limits.ts';
import { nameInPath } from '../validate/problem-list.ts';
import type { ChatFailure } from './chat-failure.ts';
import { failureOf } from './failure-classes.ts';

/** The failures that the service itself raises, without a word from the provider. */

/** Nobody reads more than this. A sender with more problems finds the rest on the next attempt. */
const MAX_PROBLEMS_LISTED = 100;

/** Lists the problems, each as `path: message`. */
export function invalidRequest(problems: readonly Problem[]): ChatFailure {
  const listed = problems
    .slice(0, MAX_PROBLEMS_LISTED)
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  if (problems.length > listed.length) {
    const atLeast = problems.length < LIMITS.problems ? '' : 'at least ';
    listed.push(`and ${atLeast}${problems.length - listed.length} more`);
  }
  const message = listed.join('; ');
  return failureOf('invalid_request', message, false, { param: problems[0]?.path || null });
}

export function usedForAnother(requestId: string): ChatFailure {
  return failureOf(
    'invalid_request',
    `requestId ${requestId} was used before for a different request; a repeated request must be unchanged`,
    false,
    { param: 'requestId' },
  );
}

export function unknownProvider(name: string, configured: readonly string[]): ChatFailure {
  return failureOf(
    'invalid_request',
    `provider "${nameInPath(name)}" is not configured here; use one of ${configured.join(', ')}, or leave it out`,
    false,
    { param: 'provider' },
  );
}

/** @param nearest names of models that work, the most similar first */
export function modelRemoved(name: string, nearest: readonly string[]): ChatFailure {
  const wayOut = nearest.length === 0 ? 'choose another model' : `use one such as ${nearest.join(', ')}`;
  return failureOf(
    'model_not_found',
    `model "${name}" was removed by its provider, so no call was made; ${wayOut}`,
    false,
    { param: 'model' },
  );
}

/**
 * @param maxCost what the caller allows, decimal text
 * @param estimate the highest expected cost, decimal text with its currency; null if it is unknown
 */
export function budgetExceeded(maxCost: string, estimate: string | null): ChatFailure {
  const message =
    estimate === null
      ? `maxCost is ${maxCost}, but the highest cost is unknown: the model has no known price for this request, or the answer or a file in the prompt has no limit; set maxOutputTokens, or leave maxCost out`
      : `the request may cost up to ${estimate}, more than its maxCost of ${maxCost}; lower maxOutputTokens, or raise maxCost`;
  return failureOf('budget_exceeded', message, false, { param: 'maxCost' });
}

/** Only if AI_REFUSE_OVERFLOW is set. @param atLeast tokens of the prompt, by the lowest estimate */
export function contextOverflow(model: string, atLeast: number, contextWindow: number): ChatFailure {
  return failureOf(
    'context_length_exceeded',
    `the prompt has at least ${atLeast} tokens, more than the ${contextWindow} of model "${model}", so no call was made; shorten messages and tools, or use a model with a larger context`,
    false,
    { param: 'messages' },
  );
}

export function foreignCurrency(asked: string, priced: string): ChatFailure {
  return failureOf(
    'invalid_request',
    `maxCostCurrency is ${asked}, but the model is priced in ${priced}; amounts are not converted, give maxCost in ${priced}`,
    false,
    { param: 'maxCostCurrency' },
  );
}

/** @param sent whether a call was in flight when the time ran out */
export function deadlineExceeded(sent: boolean): ChatFailure {
  const what = sent
    ? 'the deadline passed before the answer was complete'
    : 'the deadline had passed before a call was made';
  return failureOf(
    'deadline_exceeded',
    `${what}; allow more time, or check the lag of the request topic`,
    false,
    { param: 'deadline' },
  );
}

/** @param callerReason the caller's words; null when there are none */
export function cancelled(callerReason: string | null): ChatFailure {
  return failureOf('cancelled', 'the request was cancelled', false, { callerReason });
}

export function tookTooLong(limitMs: number): ChatFailure {
  return failureOf(
    'timeout',
    `the request was not finished within ${limitMs} ms (CHAT_REQUEST_TIMEOUT); ask for a shorter answer, or raise the limit`,
    false,
  );
}

export function poisoned(deaths: number): ChatFailure {
  return failureOf(
    'poison',
    `${deaths} workers died while they handled this request, so it is not retried; inspect it in the dead-letter topic`,
    false,
  );
}

export function tooLargeToPublish(maxBytes: number): ChatFailure {
  return failureOf(
    'internal',
    `the answer does not fit into a record of ${maxBytes} bytes; ask for fewer choices or tool calls, or raise RECORD_MAX_BYTES`,
    false,
  );
}

export function refusedByBroker(): ChatFailure {
  return failureOf(
    'internal',
    "the broker refused the answer's record; set RECORD_MAX_BYTES below the topics' max.message.bytes, or raise that and publish the request again: the answer is kept, and is not paid twice",
    false,
  );
}

/** A bug of the service. The request is not lost, and the operator finds the cause in the log. */
export function internalFailure(): ChatFailure {
  return failureOf(
    'internal',
    'the service failed to handle this request; the log has the reason under its requestId',
    true,
  );
}

/** Only if AI_OPENAI_OUTAGE is `fail`. */
export function providerUnavailable(provider: string): ChatFailure {
  return failureOf(
    'provider_unavailable',
    `${provider} has failed several calls in a row and is not called until it recovers; try again later, or let requests wait (AI_OPENAI_OUTAGE=wait)`,
    true,
  );
}
