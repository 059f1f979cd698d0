import type { ChatRequest, Problem } from '../contract/records.ts';

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;
const DECIMAL = /^\d{1,26}(\.\d{1,12})?$/;
/** Names of people and things: enough for any, and far below a record. */
const NAME_MAX_CHARACTERS = 1_024;
/** Labels are echoed in every output, which must fit into a record whatever else is cut. */
const LABELS_MAX_CHARACTERS = 65_536;
const roles: ReadonlySet<string> = new Set(['developer', 'system', 'user', 'assistant', 'tool', 'function']);

/** Looks at a request before anything is spent on it: every problem at once, each with its place and the way out. */
export function validateRequest(request: ChatRequest): Problem[] {
  const problems: Problem[] = [];
  const add = (path: string, message: string) => problems.push({ path, code: 'invalid_value', message });

  if (!REQUEST_ID.test(request.requestId))
    add('requestId', 'requestId must be 1 to 128 visible ASCII characters');
  for (const name of ['tenantId', 'conversationId', 'userId', 'model'] as const) {
    if ((request[name]?.length ?? 0) > NAME_MAX_CHARACTERS)
      add(name, `${name} must have at most ${NAME_MAX_CHARACTERS} characters`);
  }
  const labels = Object.entries(request.labels).reduce(
    (sum, [name, value]) => sum + name.length + value.length,
    0,
  );
  if (labels > LABELS_MAX_CHARACTERS) {
    add(
      'labels',
      `labels have ${labels} characters, at most ${LABELS_MAX_CHARACTERS} are echoed; keep what is large elsewhere and send a reference`,
    );
  }
  if (request.messages.length === 0) add('messages', 'messages is empty; send at least one message');
  if (request.history !== 'NONE')
    add('history', 'history must be NONE; send the whole conversation in messages');
  if (request.fallbackModels.length > 0) {
    add(
      'fallbackModels',
      'fallbackModels is not supported yet; leave it out, and publish again with another model on a failure',
    );
  }
  if (request.maxCost !== null && !DECIMAL.test(request.maxCost)) {
    add('maxCost', 'maxCost must be a decimal number of at least 0 with up to 12 decimals, such as 0.25');
  }
  request.messages.forEach((message, index) => {
    const path = `messages[${index}]`;
    if (!roles.has(message.role)) add(`${path}.role`, `${path}.role must be one of ${[...roles].join(', ')}`);
    if (message.content !== null && message.parts.length > 0) {
      add(path, `${path} has both content and parts; send one of them`);
    }
    const mayBeEmpty =
      message.role === 'assistant' &&
      (message.toolCalls.length > 0 || message.refusal !== null || message.audioId !== null);
    if (message.content === null && message.parts.length === 0 && !mayBeEmpty) {
      add(path, `${path} has neither content nor parts; send one of them`);
    }
    if (message.role === 'tool' && message.toolCallId === null) {
      add(`${path}.toolCallId`, `${path}.toolCallId is missing; a tool's result names the call it answers`);
    }
  });
  for (const name of ['temperature', 'topP', 'presencePenalty', 'frequencyPenalty'] as const) {
    const value = request[name];
    if (value !== null && !Number.isFinite(value)) add(name, `${name} must be a finite number`);
  }
  return problems;
}
