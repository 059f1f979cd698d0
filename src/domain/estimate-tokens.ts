import type { ChatRequest } from '../contract/records.ts';

/** Average bytes per token of the current encodings over mixed text. */
const BYTES_PER_TOKEN = 4;
/** Framing of a message and of the reply, in tokens. */
const PER_MESSAGE = 3;
const PER_REPLY = 3;

/** Tokens that a text of this many UTF-8 bytes has, roughly. */
export function estimateTextTokens(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

/** Input tokens of a request, roughly: text and tool definitions by their length. An estimate, never a bill. */
export function estimateInputTokens(request: ChatRequest): number {
  let characters = 0;
  for (const message of request.messages) {
    characters += message.content?.length ?? 0;
    for (const part of message.parts) characters += part.text?.length ?? 0;
    for (const call of message.toolCalls) characters += call.name.length + call.arguments.length;
  }
  for (const tool of request.tools) {
    characters += tool.name.length + (tool.description?.length ?? 0) + (tool.parametersJson?.length ?? 0);
  }
  return estimateTextTokens(characters) + request.messages.length * PER_MESSAGE + PER_REPLY;
}
