import type { Problem } from '../../contract/record-types.ts';
import { LIMITS } from '../validate/limits.ts';
import { nameInPath } from '../validate/problem-list.ts';
import type { ChatFailure } from './chat-failure.ts';
import { failureOf } from './failure-classes.ts';

/** The failures that the service itself decides on, without a provider's word. */

/** More than this nobody reads; whoever sends so many finds the rest the next time. */
const MAX_PROBLEMS_TOLD = 100;

/** Tells every problem, each as `path: message`. */
export function invalidRequest(problems: readonly Problem[]): ChatFailure {
  const told = problems
    .slice(0, MAX_PROBLEMS_TOLD)
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  if (problems.length > told.length) {
    const atLeast = problems.length < LIMITS.problems ? '' : 'at least ';
    told.push(`and ${atLeast}${problems.length - told.length} more`);
  }
  const message = told.join('; ');
  return failureOf('invalid_request', message, false, { param: problems[0]?.path || null });
}

export function usedForAnother(requestId: string): ChatFailure {
  return failureOf(
    'invalid_request',
    `requestId ${requestId} was used before for a different request; a record that is repeated must be unchanged`,
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

/** @param nearest names of models that work, the most alike first */
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
 * @param estimate the highest expected cost, decimal text with its currency; null when it cannot be told
 */
export function budgetExceeded(maxCost: string, estimate: string | null): ChatFailure {
  const message =
    estimate === null
      ? `maxCost is ${maxCost}, but the highest cost cannot be told: the model has no known price for what is asked, or there is no limit to the answer, or to a file in the prompt; set maxOutputTokens, or leave maxCost out`
      : `the request may cost up to ${estimate}, more than its maxCost of ${maxCost}; lower maxOutputTokens, or raise maxCost`;
  return failureOf('budget_exceeded', message, false, { param: 'maxCost' });
}

/** Where AI_REFUSE_OVERFLOW is set. @param atLeast tokens of the prompt, by the lowest estimate */
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

/** @param sent whether a call was under way when the time ran out */
export function deadlineExceeded(sent: boolean): ChatFailure {
  const what = sent
    ? 'the deadline passed before the answer was complete'
    : 'the deadline had passed before a call was made';
  return failureOf(
    'deadline_exceeded',
    `${what}; allow more time, or look at the lag of the request topic`,
    false,
    { param: 'deadline' },
  );
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
    `${deaths} workers died while they handled this request, so it is not tried again; it is in the dead-letter topic for a look`,
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

/** A bug of the service: the request is not lost, and its operator finds the cause in the log. */
export function internalFailure(): ChatFailure {
  return failureOf(
    'internal',
    "the service failed to handle this request; its log tells why under the request's id",
    true,
  );
}

/** Where AI_OPENAI_OUTAGE is `fail`. */
export function providerUnavailable(provider: string): ChatFailure {
  return failureOf(
    'provider_unavailable',
    `${provider} has failed several calls in a row and is not called until it is back; try again later, or let requests wait (AI_OPENAI_OUTAGE=wait)`,
    true,
  );
}
