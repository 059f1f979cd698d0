import type { MessageInput, ToolCall } from '../../contract/record-types.ts';
import { ChatBusError } from '../result/chat-bus-error.ts';
import { type ChatResult, toMessage } from '../result/chat-result.ts';
import { within } from './within.ts';

const DEFAULT_TURNS = 10;

/** What a tool does. Arguments fit the tool's schema as far as the service could check it. */
export type ToolHandler = (
  // biome-ignore lint/suspicious/noExplicitAny: every tool has arguments of its own, which its schema describes.
  args: any,
  context: { readonly signal: AbortSignal; readonly call: ToolCall },
) => unknown;

/** By the names of the tools. */
export type ToolHandlers = Readonly<Record<string, ToolHandler>>;

export interface RunToolsOptions {
  /** How often the model may call tools before it has to answer. Default: 10. */
  readonly maxTurns?: number;
  /** Ends the tools that run, and the request. */
  readonly signal?: AbortSignal;
}

/** The last answer, and how it came about. */
export interface ToolRun<Data = unknown> extends ChatResult<Data> {
  /** All messages, the last answer included: to continue the conversation with. */
  readonly messages: readonly MessageInput[];
  /** Every answer, in order; the last one is this one. */
  readonly turns: readonly ChatResult<Data>[];
}

/**
 * Carries on the loop of calls and results. What a tool throws, arguments that do not fit and unknown tools are results as well:
 * the model gets the error and can try again.
 *
 * @param messages what the first answer is to
 * @param ask sends the next request
 * @throws ChatBusError `too_many_turns`, or what a request failed with
 */
export async function runTools<Data>(
  first: PromiseLike<ChatResult<Data>>,
  messages: readonly MessageInput[],
  ask: (messages: readonly MessageInput[], turn: number) => PromiseLike<ChatResult<Data>>,
  handlers: ToolHandlers,
  { maxTurns = DEFAULT_TURNS, signal }: RunToolsOptions,
): Promise<ToolRun<Data>> {
  const ending = new AbortController();
  const running = signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]);
  const all = [...messages];
  const turns: ChatResult<Data>[] = [];
  try {
    let asked = first;
    for (let turn = 1; ; turn += 1) {
      const result = await asked;
      turns.push(result);
      const { toolCalls } = result;
      all.push(toMessage(result));
      if (toolCalls.length === 0) return { ...result, messages: all, turns };
      if (turn > maxTurns)
        throw new ChatBusError('too_many_turns', `the model still called tools after ${maxTurns} turns`, {
          retryable: false,
          requestId: result.id,
          response: result.response,
        });
      running.throwIfAborted();
      const results = Promise.all(toolCalls.map((call) => runCall(call, handlers, running)));
      all.push(...(await within(results, running)));
      asked = ask(all, turn + 1);
    }
  } finally {
    ending.abort();
  }
}

async function runCall(call: ToolCall, handlers: ToolHandlers, signal: AbortSignal): Promise<MessageInput> {
  const content = await resultOf(call, handlers, signal);
  // The older form has no ids.
  return call.id === null
    ? { role: 'function', name: call.name, content }
    : { role: 'tool', toolCallId: call.id, content };
}

async function resultOf(call: ToolCall, handlers: ToolHandlers, signal: AbortSignal): Promise<string> {
  const failed = (error: string) => JSON.stringify({ error });
  if (call.valid === false) return failed(call.problems.map(({ message }) => message).join('; '));
  const handler = Object.hasOwn(handlers, call.name) ? handlers[call.name] : undefined;
  if (handler === undefined) return failed(`there is no tool ${call.name}`);
  try {
    const args = call.type === 'custom' ? call.arguments : JSON.parse(call.arguments || '{}');
    const result = await handler(args, { signal, call });
    return typeof result === 'string' ? result : (JSON.stringify(result) ?? 'null');
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}
