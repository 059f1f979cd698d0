import {
  type ChatMessage,
  type ChatRequest,
  type ChatTool,
  lastUserMessage,
  messageText,
} from './chat-request.ts';
import { makeUpArguments } from './tool-arguments.ts';

/** What to say to a request that brought no script. */
export type Reply = { text: string } | { toolCalls: { name: string; arguments: string }[] };

const answers = [
  'Happy to help! I am a local stand-in, so there is no great mind behind these words, but every one of them travels the same way as a real answer: token by token, through Kafka, to you.',
  'Good question. Think of a stream as a conversation with a patient listener: each word is sent as soon as it is ready, nothing waits for the last one, and the order never changes on the way.',
  'Gladly. The short answer is that small steps, taken in order and written down, get you further than one big leap; the longer answer is the same, only with more coffee and a few good tests.',
  'Here is one way to look at it: a log remembers what happened, a reader decides what it means, and as long as both agree on the order, everybody hears the same story exactly once.',
  'Sure! Imagine a post office where every letter is numbered, every clerk can pick up where another stopped, and the bill arrives once, with each stamp listed. That is more or less the idea here.',
];

/** Answers as a friendly model would: with a tool call where one seems to be needed, else in a sentence or two. */
export function smallTalk(request: ChatRequest): Reply {
  const text = messageText(lastUserMessage(request));
  const results = toolResults(request.messages);
  if (results.length > 0) return { text: answerFrom(results, request.messages) };
  const toolCalls = neededTools(request, text).map(({ name, parameters }) => ({
    name,
    arguments: JSON.stringify(makeUpArguments(parameters, text)),
  }));
  if (toolCalls.length > 0) return { toolCalls };
  const format = request.response_format;
  if (format?.type === 'json_schema') {
    const { schema } = (format['json_schema'] ?? {}) as { schema?: unknown };
    return { text: JSON.stringify(makeUpArguments(schema, text)) };
  }
  return { text: answers[checksum(text) % answers.length] ?? '' };
}

/** Tool results after the last user message: an earlier question's results do not answer this one. */
function toolResults(messages: readonly ChatMessage[]): ChatMessage[] {
  const lastUser = messages.findLastIndex((message) => message.role === 'user');
  return messages
    .slice(lastUser + 1)
    .filter((message) => message.role === 'tool' || message.role === 'function');
}

function answerFrom(results: readonly ChatMessage[], messages: readonly ChatMessage[]): string {
  const subject = subjectOf(messages);
  const found = results.map((result) => describe(messageText(result))).join('; and ');
  return `Here is what I found${subject === '' ? '' : ` for ${subject}`}: ${found}. Let me know if you would like to hear more.`;
}

/** The texts among the arguments of the last tool calls, such as the place that was asked about. */
function subjectOf(messages: readonly ChatMessage[]): string {
  const calls =
    messages.findLast((message) => message.role === 'assistant' && message.tool_calls)?.tool_calls ?? [];
  const texts = calls.flatMap((call) => {
    const args = parseJson(((call['function'] ?? {}) as { arguments?: string }).arguments ?? '');
    return typeof args === 'object' && args !== null ? Object.values(args) : [];
  });
  return [...new Set(texts.filter((value) => typeof value === 'string'))].join(', ');
}

function describe(content: string): string {
  const value = parseJson(content);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return content.trim();
  return Object.entries(value)
    .map(
      ([name, member]) =>
        `${words(name).join(' ')} is ${typeof member === 'string' ? member : JSON.stringify(member)}`,
    )
    .join(', ');
}

function neededTools(request: ChatRequest, text: string): NonNullable<ChatTool['function']>[] {
  const choice = request.tool_choice;
  const functions = (request.tools ?? []).flatMap((tool) => tool.function ?? []);
  if (choice === 'none') return [];
  if (choice === 'required') return functions.slice(0, 1);
  if (typeof choice === 'object' && choice !== null) {
    const { name } = ((choice as Record<string, unknown>)['function'] ?? {}) as { name?: string };
    return functions.filter((candidate) => candidate.name === name);
  }
  const spoken = new Set(words(text));
  const named = functions.filter((candidate) =>
    words(candidate.name).some((word) => word.length > 3 && spoken.has(word)),
  );
  if (named.length > 0) return named;
  const seemsNeeded = ['weather', 'temperature', 'time', 'price', 'cost'].some((word) => spoken.has(word));
  return seemsNeeded ? functions.slice(0, 1) : [];
}

function words(text: string): string[] {
  return text
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\d]+/u)
    .filter((word) => word !== '');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function checksum(text: string): number {
  let sum = 0;
  for (const character of text) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return sum;
}
