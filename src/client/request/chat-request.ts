import type { z } from 'zod';
import type { ChatRequestInput, MessageInput, ToolInput } from '../../contract/record-types.ts';
import { type Duration, milliseconds } from './durations.ts';
import { type JsonSchema, jsonSchemaOf, type OutputFormat, responseFormatOf } from './output-format.ts';

/** A function that the model may call. */
export interface FunctionTool {
  /** `a-z A-Z 0-9 _ -`, at most 64. */
  readonly name: string;
  readonly description?: string;
  /** Of the arguments, an object; none for a function without arguments. */
  readonly parameters?: z.ZodType | JsonSchema;
  readonly strict?: boolean;
}

/** What this client sets automatically, or accepts in a friendlier form. */
type Replaced = 'requestId' | 'tenantId' | 'messages' | 'tools' | 'deadline' | 'responseFormat';

/** A request: everything of the contract's ChatRequest, and what this client adds. */
export interface ChatOptions<Data = unknown> extends Omit<ChatRequestInput, Replaced> {
  /** Default: a random UUID. The same id again is answered from the ledger, without a second call or bill. */
  readonly id?: string;
  /** A text is one message of the user. */
  readonly messages: string | readonly MessageInput[];
  readonly tools?: readonly (FunctionTool | ToolInput)[];
  /** Asks for JSON of this form; the result's `data` has it. */
  readonly output?: OutputFormat<Data>;
  readonly responseFormat?: ChatRequestInput['responseFormat'];
  /** Latest time for an answer: from now on, or a time. Afterwards the request fails with `deadline_exceeded`. */
  readonly deadline?: Duration | Date;
  /** Fails with `idle_timeout` when nothing comes for so long. Default: that of `connect`. */
  readonly idleTimeout?: Duration;
  /** Cancels the request. */
  readonly signal?: AbortSignal;
  /** Whether to cancel the request when a loop over the answer is left early. Default: false. */
  readonly cancelOnBreak?: boolean;
}

/**
 * The record that is published.
 *
 * @param now epoch ms
 * @throws TypeError for an option that cannot be read
 */
export function toRequest(
  options: ChatOptions,
  ids: { readonly requestId: string; readonly tenantId: string },
  now: number,
): ChatRequestInput {
  const {
    id: _id,
    idleTimeout: _idleTimeout,
    signal: _signal,
    cancelOnBreak: _cancelOnBreak,
    messages,
    tools,
    output,
    deadline,
    responseFormat,
    ...fields
  } = options;
  return {
    ...fields,
    ...ids,
    messages: typeof messages === 'string' ? [{ role: 'user', content: messages }] : [...messages],
    ...(tools !== undefined && { tools: tools.map(toTool) }),
    ...(deadline !== undefined && { deadline: deadlineOf(deadline, now) }),
    ...(output === undefined
      ? responseFormat !== undefined && { responseFormat }
      : { responseFormat: responseFormatOf(output) }),
  };
}

function toTool(tool: FunctionTool | ToolInput): ToolInput {
  if (!('parameters' in tool)) return tool;
  const { parameters, name, description = null, strict = null } = tool;
  return {
    name,
    description,
    strict,
    ...(parameters !== undefined && { parametersJson: jsonSchemaOf(parameters) }),
  };
}

function deadlineOf(deadline: Duration | Date, now: number): number {
  return deadline instanceof Date ? deadline.getTime() : Math.round(now + milliseconds('deadline', deadline));
}
