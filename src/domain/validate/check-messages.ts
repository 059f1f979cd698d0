import type { ChatRequest, Message } from '../../contract/record-types.ts';
import { checkExtra } from './check-extra.ts';
import { checkParts } from './check-parts.ts';
import { checkToolCalls } from './check-tool-calls.ts';
import { LIMITS } from './limits.ts';
import { oneOf, type ProblemList } from './problem-list.ts';

interface Role {
  /** The types of part that its messages may have. */
  readonly parts: readonly string[];
  /** The fields that only this role has. */
  readonly fields: readonly OwnField[];
}

type OwnField = 'refusal' | 'toolCalls' | 'toolCallId' | 'audioId';
const ownFields = ['refusal', 'toolCalls', 'toolCallId', 'audioId'] as const;

const roles: ReadonlyMap<string, Role> = new Map<string, Role>([
  ['developer', { parts: ['text'], fields: [] }],
  ['system', { parts: ['text'], fields: [] }],
  ['user', { parts: ['text', 'image_url', 'input_audio', 'file'], fields: [] }],
  ['assistant', { parts: ['text', 'refusal'], fields: ['refusal', 'toolCalls', 'audioId'] }],
  ['tool', { parts: ['text'], fields: ['toolCallId'] }],
  ['function', { parts: [], fields: [] }],
]);

/** Checks the conversation: first each message alone, then calls and results against each other. */
export function checkMessages(request: ChatRequest, list: ProblemList): void {
  const { messages, legacyFunctions } = request;
  if (messages.length === 0) list.add('messages', 'missing', 'it is empty; send at least one message');
  if (messages.length > LIMITS.messages) {
    list.add(
      'messages',
      'too_large',
      `there are ${messages.length}, but at most ${LIMITS.messages} are allowed; leave out or summarize the oldest`,
    );
    return;
  }
  messages.forEach((message, index) => {
    const path = `messages[${index}]`;
    const role = roles.get(message.role);
    if (role === undefined)
      list.add(`${path}.role`, 'unknown_value', `it must be one of ${oneOf(roles.keys())}`);
    checkContent(message, path, list);
    checkExtra(message.extraJson, 'message', path, list);
    if (role === undefined) return;
    const isOlderResult = legacyFunctions && message.role === 'tool';
    checkParts(
      message.parts,
      `${path}.parts`,
      isOlderResult ? [] : role.parts,
      isOlderResult ? 'a result in the older functions form' : `a message of role ${message.role}`,
      list,
    );
    checkOwnFields(message, role, path, list);
    if (message.role === 'function' && !message.name)
      list.add(`${path}.name`, 'missing', "a function's result names its function");
  });
  checkToolCalls(request, list);
}

function checkContent(message: Message, path: string, list: ProblemList): void {
  const { role, content, parts, toolCalls, refusal, audioId, extraJson } = message;
  if (content !== null && parts.length > 0)
    list.add(path, 'conflict', 'it has both content and parts; send one of them');
  const saysOtherwise = toolCalls.length > 0 || refusal !== null || audioId !== null || extraJson !== null;
  const mayBeEmpty = role === 'function' || (role === 'assistant' && saysOtherwise);
  if (content === null && parts.length === 0 && !mayBeEmpty)
    list.add(path, 'missing', 'it has neither content nor parts; send one of them');
}

function checkOwnFields(message: Message, role: Role, path: string, list: ProblemList): void {
  for (const field of ownFields) {
    const value = message[field];
    if (value === null || value.length === 0 || role.fields.includes(field)) continue;
    list.add(
      `${path}.${field}`,
      'not_applicable',
      `a message of role ${message.role} has no ${field}; leave it out`,
    );
  }
}
