import type { ChatRequest, Choice, ContentPart, Message, ToolChoice } from '../../contract/record-types.ts';
import { membersOfJson } from '../text/json-text.ts';
import { audioTokens } from './audio-tokens.ts';
import { type ImageSize, readImageSize } from './image-size.ts';
import { imageTokens, type TokenRange } from './image-tokens.ts';
import { renderTools } from './render-tools.ts';
import type { ImageRule } from './token-rules.ts';

/** Parts whose tokens are those of their text. Others may stand for a file, a video or a document. */
const TEXTS: ReadonlySet<string> = new Set(['text', 'refusal', 'thinking', 'reasoning']);

/** Counts the tokens of a text by an encoding. Never throws. */
export type CountTokens = (text: string) => number;

/** Average bytes per token of the current encodings over mixed text. */
const BYTES_PER_TOKEN = 4;
/** Tokens around a message, a name and the reply; a role is one more. */
const PER_MESSAGE = 3;
const PER_ROLE = 1;
const PER_NAME = 1;
const PER_REPLY = 3;
const PER_TOOL_CALL = 3;
/** Tokens around tool definitions; they share some with the first system message. */
const AROUND_TOOLS = 9;
const SHARED_WITH_SYSTEM = 4;
const NO_TOOL_CHOSEN = 1;
const PER_TOOL_CHOSEN = 4;

/** Tokens of a text of this many UTF-8 bytes, roughly. */
export function estimateTextTokens(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

/** Input tokens of a request, by part. An estimate, never a bill. */
export interface InputEstimate {
  /** Texts of messages, names and tool calls. */
  readonly messages: number;
  /** Definitions of tools, and of the answer's format. */
  readonly tools: number;
  /** Images. If the size or detail of one is unknown, it counts as the largest possible. */
  readonly images: number;
  readonly audio: number;
  /** What the provider adds around messages and tools. */
  readonly overhead: number;
  /** The sum of all parts. */
  readonly total: number;
  readonly atLeast: number;
  /** Null if something in the request has no known limit of tokens: a file, an earlier audio answer. */
  readonly atMost: number | null;
  /** The part of `atMost` that is audio, which has its own price. */
  readonly audioAtMost: number;
}

/**
 * Estimates what a request will count at the provider: its texts by `count`, plus the framing that the provider publishes.
 *
 * @param images the image rule of the model's family
 * @param count by the model's encoding
 */
export function estimateInput(request: ChatRequest, images: ImageRule, count: CountTokens): InputEstimate {
  const tools = toolTokens(request, count);
  const sum = { messages: 0, extra: 0, images: none, audio: none, unbounded: false };
  for (const message of request.messages) {
    sum.messages += messageTokens(message, count);
    sum.extra += extraOfMessage(message, count);
    sum.unbounded ||= message.audioId !== null;
    for (const part of message.parts) {
      if (part.type === 'image_url') sum.images = plus(sum.images, partImageTokens(part, images));
      else if (part.type === 'input_audio') sum.audio = plus(sum.audio, audioTokens(part.data));
      else if (!TEXTS.has(part.type)) sum.unbounded = true;
    }
  }
  const overhead = framingTokens(request, count);
  const texts = sum.messages + overhead;
  const extra = sum.extra + request.tools.reduce((more, tool) => more + countText(tool.extraJson, count), 0);
  const most = texts + extra + tools.most + sum.images.most + sum.audio.most;
  return {
    messages: sum.messages,
    tools: tools.likely,
    images: sum.images.most,
    audio: sum.audio.likely,
    overhead,
    total: texts + tools.likely + sum.images.most + sum.audio.likely,
    atLeast: texts + tools.least + sum.images.least + sum.audio.least,
    atMost: sum.unbounded ? null : most,
    audioAtMost: sum.audio.most,
  };
}

/** Tokens of what a model wrote so far: text, refusals, calls, transcripts, and texts without a field of the contract. */
export function estimateOutput(choices: readonly Choice[], count: CountTokens): number {
  let tokens = 0;
  for (const { content, refusal, toolCalls, audio, extraJson } of choices) {
    tokens += countText(content, count) + countText(refusal, count);
    for (const call of toolCalls) tokens += count(call.name) + count(call.arguments);
    tokens += countText(audio?.transcript ?? null, count);
    if (extraJson !== null) tokens += extraTokens(extraJson, count);
  }
  return tokens;
}

interface Tokens extends TokenRange {
  readonly likely: number;
}

const none: Tokens = { least: 0, likely: 0, most: 0 };

function plus(one: Tokens, other: TokenRange & { readonly likely?: number }): Tokens {
  return {
    least: one.least + other.least,
    likely: one.likely + (other.likely ?? other.most),
    most: one.most + other.most,
  };
}

function messageTokens({ content, parts, name, refusal, toolCalls }: Message, count: CountTokens): number {
  let tokens = countText(content, count) + countText(name, count) + countText(refusal, count);
  for (const part of parts) tokens += countText(part.text, count);
  for (const call of toolCalls) tokens += count(call.name) + count(call.arguments);
  return tokens;
}

/** At most what members without a field come to: what the provider makes of them is not known. */
function extraOfMessage({ extraJson, parts, toolCalls }: Message, count: CountTokens): number {
  let tokens = countText(extraJson, count);
  for (const { extraJson: own } of [...parts, ...toolCalls]) tokens += countText(own, count);
  return tokens;
}

function framingTokens({ messages, tools, toolChoice }: ChatRequest, count: CountTokens): number {
  let tokens = PER_REPLY + (toolChoice === null ? 0 : choiceTokens(toolChoice, count));
  for (const { name, toolCalls } of messages) {
    tokens += PER_MESSAGE + PER_ROLE + (name === null ? 0 : PER_NAME) + toolCalls.length * PER_TOOL_CALL;
  }
  if (tools.length === 0) return tokens;
  const system = messages.find(({ role }) => role === 'system' || role === 'developer');
  if (system === undefined) return tokens + AROUND_TOOLS;
  // Tools follow after a line break, in the same message. After a full stop it is the same token.
  const end = system.content?.at(-1) ?? '\n';
  return tokens + AROUND_TOOLS - SHARED_WITH_SYSTEM + (/[\n\p{P}]/u.test(end) ? 0 : 1);
}

function choiceTokens({ mode, tools }: ToolChoice, count: CountTokens): number {
  if (mode === 'none') return NO_TOOL_CHOSEN;
  return tools.reduce((tokens, { name }) => tokens + PER_TOOL_CHOSEN + count(name), 0);
}

/**
 * How newer models read definitions is not published. The bound is the larger of two forms: rendered as TypeScript, or as
 * given.
 */
function toolTokens({ tools, responseFormat }: ChatRequest, count: CountTokens): Tokens {
  let format = 0;
  if (responseFormat !== null) {
    const { name, description, schemaJson } = responseFormat;
    format = countText(name, count) + countText(description, count) + countText(schemaJson, count);
  }
  if (tools.length === 0) return { least: format, likely: format, most: format };
  const rendered = count(renderTools(tools));
  const given = count(tools.map(asGiven).join('\n'));
  return {
    least: format + Math.min(rendered, given),
    likely: format + rendered,
    most: format + Math.max(rendered, given),
  };
}

function asGiven({
  name,
  description,
  parametersJson,
  grammarDefinition,
}: ChatRequest['tools'][number]): string {
  return [name, description, parametersJson, grammarDefinition].filter((text) => text !== null).join('\n');
}

function partImageTokens({ url, data, detail }: ContentPart, rule: ImageRule): TokenRange {
  const size = data === null ? sizeByUrl(url ?? '') : readImageSize(data);
  return imageTokens(rule, detail, size);
}

const DATA_URL = /^data:[^,]{0,200};base64,/i;
/** In characters. Most formats have their size at the start, JPEG files often only after a preview. */
const HEADS = [512, 8_192, 131_072];

/** Null for an address that only the provider fetches. */
function sizeByUrl(url: string): ImageSize | null {
  const start = DATA_URL.exec(url)?.[0].length;
  if (start === undefined) return null;
  for (const head of HEADS) {
    const size = readImageSize(decodeBase64(url.slice(start, start + head)));
    if (size !== null || start + head >= url.length) return size;
  }
  return null;
}

/** Empty if the text is not base64. */
function decodeBase64(text: string): Uint8Array {
  let bytes = '';
  try {
    bytes = atob(text);
  } catch {
    // The provider will report it.
  }
  const decoded = new Uint8Array(bytes.length);
  for (let index = 0; index < bytes.length; index += 1) decoded[index] = bytes.charCodeAt(index);
  return decoded;
}

function extraTokens(extraJson: string, count: CountTokens): number {
  let tokens = 0;
  // The rest is not parsed: it may be megabytes of lists.
  for (const [, value] of membersOfJson(extraJson))
    if (value.startsWith('"')) tokens += count(JSON.parse(value) as string);
  return tokens;
}

function countText(text: string | null, count: CountTokens): number {
  return text === null || text === '' ? 0 : count(text);
}
