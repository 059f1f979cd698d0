import type { ChatResponse, MessageInput, ToolCall, Usage } from '../../contract/record-types.ts';

/** A completed answer. */
export interface ChatResult<Data = unknown> {
  /** The request's id. */
  readonly id: string;
  /** The text of the first choice; empty when there is none, as in an answer that calls tools. */
  readonly text: string;
  /** Why the model refused; null when it did not. */
  readonly refusal: string | null;
  /** Of the first choice. */
  readonly toolCalls: readonly ToolCall[];
  /** stop, length, tool_calls, content_filter; null when the provider gave none. */
  readonly finishReason: string | null;
  /** Null when nothing was used. */
  readonly usage: Usage | null;
  /** Exact decimal text, of all attempts; null when no price is known or nothing was used. */
  readonly cost: string | null;
  /** ISO 4217. */
  readonly currency: string | null;
  /** As served. */
  readonly model: string | null;
  /** What `output` asked for; undefined without it. */
  readonly data: Data;
  /** All of the record: every choice, warnings, timing, labels. */
  readonly response: ChatResponse;
}

/** @param streamed the text of the chunks, for a response that is too large to hold it */
export function toResult<Data>(response: ChatResponse, streamed: string, data: Data): ChatResult<Data> {
  const [choice] = response.choices;
  return {
    id: response.requestId,
    text: choice?.content ?? streamed,
    refusal: choice?.refusal ?? null,
    toolCalls: choice?.toolCalls ?? [],
    finishReason: choice?.finishReason ?? null,
    usage: response.usage,
    cost: response.cost,
    currency: response.currency,
    model: response.model,
    data,
    response,
  };
}

/** The answer as a message of the requests that follow. Null content is not empty text. */
export function toMessage({ response, text, refusal, toolCalls }: ChatResult): MessageInput {
  const content = response.choices[0]?.content ?? (text === '' ? null : text);
  return { role: 'assistant', content, refusal, toolCalls: [...toolCalls] };
}
