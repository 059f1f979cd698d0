import type { ChatRequest } from '../../contract/record-types.ts';
import { LIMITS } from './limits.ts';
import type { ProblemList } from './problem-list.ts';

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;
const DECIMAL = /^\d{1,26}(\.\d{1,12})?$/;
const CURRENCY = /^[A-Z]{3}$/;
/** Labels are echoed in every output, which must fit into a record even if everything else is cut. */
const LABELS_MAX_CHARACTERS = 65_536;

/** Checks the ids of the request and its limits of time and cost. */
export function checkEnvelope(request: ChatRequest, list: ProblemList): void {
  if (!REQUEST_ID.test(request.requestId))
    list.add('requestId', 'invalid_value', 'it must be 1 to 128 visible ASCII characters');
  for (const name of ['tenantId', 'conversationId', 'userId', 'provider', 'model'] as const) {
    if ((request[name]?.length ?? 0) > LIMITS.nameCharacters)
      list.add(name, 'too_large', `it must have at most ${LIMITS.nameCharacters} characters`);
  }
  checkLabels(request, list);
  checkHistory(request, list);
  if (request.fallbackModels.length > 0) {
    list.add(
      'fallbackModels',
      'not_supported',
      'it is not supported yet; leave it out, and publish a request for another model after a failure',
    );
  }
  if (request.maxCost !== null && !DECIMAL.test(request.maxCost)) {
    list.add(
      'maxCost',
      'invalid_value',
      'it must be a decimal number of at least 0 with up to 12 decimals, such as 0.25',
    );
  }
  if (request.maxCostCurrency !== null && !CURRENCY.test(request.maxCostCurrency))
    list.add('maxCostCurrency', 'invalid_value', 'it must be an ISO 4217 code, such as USD');
  if (request.deadline !== null && !Number.isSafeInteger(request.deadline))
    list.add('deadline', 'out_of_range', 'it must be an instant in epoch milliseconds');
}

function checkLabels({ labels }: ChatRequest, list: ProblemList): void {
  let characters = 0;
  for (const [name, value] of Object.entries(labels)) characters += name.length + value.length;
  if (characters > LABELS_MAX_CHARACTERS) {
    list.add(
      'labels',
      'too_large',
      `they have ${characters} characters, but at most ${LABELS_MAX_CHARACTERS} are echoed; store large data elsewhere and send a reference`,
    );
  }
}

function checkHistory({ history, conversationId }: ChatRequest, list: ProblemList): void {
  if (history === 'NONE') return;
  list.add(
    'history',
    'not_supported',
    'only NONE is supported yet; leave it out, and send the whole conversation in messages',
  );
  if (history === 'STORED' && conversationId === null)
    list.add('conversationId', 'missing', 'a stored history belongs to a conversation; name it');
}
