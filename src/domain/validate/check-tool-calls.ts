import type { ChatRequest, Message, ToolCall } from '../../contract/record-types.ts';
import { checkExtra } from './check-extra.ts';
import { LIMITS } from './limits.ts';
import { oneOf, type ProblemList } from './problem-list.ts';

const types: readonly string[] = ['function', 'custom', 'function_call'];

/**
 * Checks calls and their results as the provider demands. Every result names a call of the assistant's message before it.
 * Every call has its result before any other message.
 */
export function checkToolCalls({ messages, legacyFunctions }: ChatRequest, list: ProblemList): void {
  /** Where each id was called. If an id repeats, the last call counts. */
  const called = new Map<string, string>();
  let waiting = new Map<string, string>();
  const nobodyAnswers = () => {
    // The older form has no ids, so the provider cannot miss a result.
    if (!legacyFunctions) {
      for (const path of waiting.values()) {
        list.add(
          path,
          'unanswered_call',
          'the call has no result; send a message of role tool with its toolCallId right after it',
        );
      }
    }
    waiting = new Map();
  };

  messages.forEach((message, index) => {
    const path = `messages[${index}]`;
    if (message.role === 'tool') {
      checkResult(message, path, legacyFunctions, called, waiting, list);
      return;
    }
    nobodyAnswers();
    if (message.role !== 'assistant') return;
    checkCalls(message, path, legacyFunctions, list);
    message.toolCalls.forEach(({ id, type }, position) => {
      if (id === null || type === 'function_call') return;
      called.set(id, `${path}.toolCalls[${position}]`);
      waiting.set(id, `${path}.toolCalls[${position}]`);
    });
  });
  nobodyAnswers();
}

function checkResult(
  { toolCallId, name }: Message,
  path: string,
  legacyFunctions: boolean,
  called: ReadonlyMap<string, string>,
  waiting: Map<string, string>,
  list: ProblemList,
): void {
  // The older form has names instead of ids.
  if (legacyFunctions && name) return;
  const place = `${path}.toolCallId`;
  if (!toolCallId) {
    list.add(place, 'missing', "it is missing; a tool's result names the call it answers");
  } else if (!waiting.delete(toolCallId) && !legacyFunctions) {
    const call = called.get(toolCallId);
    if (call === undefined)
      list.add(
        place,
        'unknown_call',
        'no earlier message of the assistant made this call; send that message too',
      );
    else
      list.add(
        place,
        'unknown_call',
        `the call ${call} already has its result, or other messages came between; send each result once, right after the calls`,
      );
  } else if (!called.has(toolCallId)) {
    list.add(
      place,
      'unknown_call',
      'no earlier message of the assistant made this call; send it too, or set name',
    );
  }
}

function checkCalls(message: Message, path: string, legacyFunctions: boolean, list: ProblemList): void {
  const { toolCalls } = message;
  const place = `${path}.toolCalls`;
  if (toolCalls.length > LIMITS.toolCalls) {
    list.add(
      place,
      'too_large',
      `there are ${toolCalls.length} calls, but at most ${LIMITS.toolCalls} are allowed`,
    );
    return;
  }
  const older = (call: ToolCall) => legacyFunctions || call.type === 'function_call';
  if (toolCalls.filter(older).length > 1)
    list.add(place, 'conflict', 'a message has at most one call in the older functions form');
  const ids = new Set<string>();
  toolCalls.forEach((call, index) => {
    const at = `${place}[${index}]`;
    if (!types.includes(call.type)) list.add(`${at}.type`, 'unknown_value', `it must be ${oneOf(types)}`);
    if (call.name === '') list.add(`${at}.name`, 'missing', 'a call names its tool');
    if (legacyFunctions && call.type === 'custom')
      list.add(
        `${at}.type`,
        'not_applicable',
        'custom tools have no older form; set legacyFunctions to false',
      );
    if (!older(call) && !call.id) list.add(`${at}.id`, 'missing', 'a call has an id, which its result names');
    if (call.problems.length > LIMITS.callProblems)
      list.add(`${at}.problems`, 'too_large', 'leave them out; only responses use them');
    checkExtra(call.extraJson, 'call', at, list);
    if (call.id === null) return;
    if (ids.has(call.id)) list.add(`${at}.id`, 'duplicate', 'another call of this message has the same id');
    ids.add(call.id);
  });
}
