import { type ChatRequest, countPromptTokens, tokenLimit } from './chat-request.ts';
import type { Script } from './script.ts';
import { smallTalk } from './small-talk.ts';
import { textTokens } from './text-tokens.ts';
import { usageOf } from './usage.ts';

export interface AnswerToolCall {
  id: string;
  name: string;
  arguments: string;
}

/** A planned answer, before any of it is sent. A step is one token of every choice. */
export interface Answer {
  steps: number;
  choices: number;
  /** The JSON text of the delta of a choice at a step. */
  deltaAt(choice: number, step: number): string;
  /** A chunk that the script spells out whole, in place of the step's deltas. */
  wholeChunkAt(step: number): Record<string, unknown> | undefined;
  /** The text of a choice. Null when it has no text. */
  contentOf(choice: number): string | null;
  toolCalls: AnswerToolCall[];
  /** null: there is no finish chunk but what the script spells out. */
  finishReason: string | null;
  /** False when the script spells out its deltas. */
  hasRoleChunk: boolean;
  promptTokens: number;
  /** undefined when the script wants it missing. */
  usage: Record<string, unknown> | undefined;
}

/** Plans the answer to a request: what the script says, or small talk where it does not say what to answer. */
export function planAnswer(request: ChatRequest, script: Script, completionId: string): Answer {
  if (script.chunks !== undefined) return planChunks(request, script, script.chunks);
  const content = withContent(request, script);
  const choices = request.n ?? 1;
  const tokens = Array.from({ length: choices }, (_, choice) => textTokens(content, choice));
  const length = tokens[0]?.length ?? 0;
  const textSteps = Math.min(length, tokenLimit(request));
  const toolCalls = (content.toolCalls ?? []).map((call, index) => ({
    id: completionId.replace('chatcmpl-', `call_${index}`),
    name: call.name,
    arguments: typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments ?? {}),
  }));
  const callDeltas = toolCalls.flatMap(toolCallDeltas);
  const steps = textSteps + callDeltas.length;
  const reason = textSteps < length ? 'length' : toolCalls.length > 0 ? 'tool_calls' : 'stop';
  return {
    steps,
    choices,
    deltaAt(choice, step) {
      if (step >= textSteps) return callDeltas[step - textSteps] ?? '{}';
      return script.stamp ? `{"content":"${stamp()}"}` : (tokens[choice]?.deltas[step] ?? '{}');
    },
    wholeChunkAt: () => undefined,
    contentOf(choice) {
      if (length === 0 && toolCalls.length > 0) return null;
      if (script.stamp) return stamp().repeat(textSteps);
      return tokens[choice]?.texts.slice(0, textSteps).join('') ?? '';
    },
    toolCalls,
    finishReason: script.finishReason === undefined ? reason : script.finishReason,
    hasRoleChunk: true,
    ...countsOf(request, script, steps * choices),
  };
}

function planChunks(request: ChatRequest, script: Script, chunks: Record<string, unknown>[]): Answer {
  const isWhole = (chunk: Record<string, unknown> | undefined) => chunk !== undefined && 'choices' in chunk;
  return {
    steps: chunks.length,
    choices: request.n ?? 1,
    deltaAt: (_choice, step) => JSON.stringify(chunks[step]),
    wholeChunkAt: (step) => (isWhole(chunks[step]) ? chunks[step] : undefined),
    contentOf: () =>
      chunks.map((chunk) => (typeof chunk['content'] === 'string' ? chunk['content'] : '')).join(''),
    toolCalls: [],
    finishReason: script.finishReason === undefined ? 'stop' : script.finishReason,
    hasRoleChunk: false,
    ...countsOf(request, script, chunks.length),
  };
}

function withContent(request: ChatRequest, script: Script): Script {
  if ((script.text ?? script.tokens ?? script.toolCalls) !== undefined) return script;
  const reply = smallTalk(request);
  return { ...script, ...reply };
}

function countsOf(
  request: ChatRequest,
  script: Script,
  writtenTokens: number,
): Pick<Answer, 'promptTokens' | 'usage'> {
  const promptTokens = script.promptTokens ?? countPromptTokens(request);
  return { promptTokens, usage: usageOf(script, promptTokens, writtenTokens) };
}

/** A call's head with id and name, then its arguments in small pieces, as the real service splits them. */
function toolCallDeltas(call: AnswerToolCall, index: number): string[] {
  const head = { index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } };
  const pieces = call.arguments.match(/.{1,8}/gsu) ?? [];
  return [head, ...pieces.map((piece) => ({ index, function: { arguments: piece } }))].map((delta) =>
    JSON.stringify({ tool_calls: [delta] }),
  );
}

/** Now, in microseconds since 1970, as a token. Compare it with `performance.timeOrigin + performance.now()`. */
function stamp(): string {
  return `${Math.round((performance.timeOrigin + performance.now()) * 1000)} `;
}
