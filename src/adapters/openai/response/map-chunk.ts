import type { AudioDelta, ToolCallDelta } from '../../../contract/record-types.ts';
import {
  type CompletionDelta,
  emptyDelta,
  saysNothing,
} from '../../../domain/completion/completion-delta.ts';
import { isObject } from '../../../domain/text/is-object.ts';
import { reportedId, reportedWord } from '../http/metadata-text.ts';
import { answerLimits, LimitExceeded } from '../wire/answer-limits.ts';
import { textOrNull, type WireObject } from '../wire/wire.ts';
import { AnswerIndexes } from './answer-indexes.ts';
import { divideLists, listsOf } from './divide-json.ts';
import { completeCalls, listOfCalls, mapFunctionCall, mapToolCalls } from './map-tool-calls.ts';
import { type ReadContent, readContent } from './read-content.ts';

const NO_TOOL_CALLS: readonly ToolCallDelta[] = Object.freeze([]);
/** Members of a choice that have a place of their own. */
const OF_CHOICE: ReadonlySet<string> = new Set([
  'index',
  'delta',
  'message',
  'finish_reason',
  'logprobs',
  'usage',
  'error',
]);
/** Members that some servers write into the message in place of its choice. */
const IN_CHOICE: ReadonlySet<string> = new Set(['finish_reason', 'error']);
/** As the API writes them; some servers write them in capital letters. */
const FINISH_REASONS: ReadonlySet<string> = new Set([
  'stop',
  'length',
  'tool_calls',
  'function_call',
  'content_filter',
  'error',
]);
/** The last millisecond that a date can name. */
const LAST_TIME_MS = 8_640_000_000_000_000;

/**
 * Appends one delta to `deltas` for each choice of a chunk that carries something. A whole, not streamed completion
 * is read the same way. Runs for every token: it makes no object that the delta does not need.
 *
 * Every value fits the contract's records afterwards, and no JSON text of a delta is too large for a chunk: long lists are
 * divided into further deltas of the same choice.
 *
 * @param indexes of the answer that the chunk belongs to
 * @throws LimitExceeded
 */
export function mapChunk(
  chunk: WireObject,
  deltas: CompletionDelta[],
  indexes: AnswerIndexes = new AnswerIndexes(),
): void {
  const choices = chunk['choices'];
  if (!Array.isArray(choices)) return;
  if (choices.length > answerLimits.choices) throw new LimitExceeded('choices');
  for (let position = 0; position < choices.length; position += 1) {
    const choice: unknown = choices[position];
    if (isObject(choice)) mapChoice(choice, indexes.choice(choices, position), deltas, indexes);
  }
}

function mapChoice(
  choice: WireObject,
  choiceIndex: number,
  deltas: CompletionDelta[],
  indexes: AnswerIndexes,
): void {
  const delta = choice['delta'] ?? (indexes.hasStreamed(choiceIndex) ? undefined : choice['message']);
  const logprobs = choice['logprobs'];
  let role: string | null = null;
  let content = '';
  let refusal: string | null = null;
  let toolCalls = NO_TOOL_CALLS;
  let functionCall: WireObject | null = null;
  let parts: ReadContent | null = null;
  let audio: AudioDelta | null = null;
  let annotations: readonly string[] | null = null;
  let extra: Record<string, unknown> | null = null;
  if (typeof delta === 'string') content = delta;
  else if (isObject(delta)) {
    for (const name in delta) {
      const value = delta[name];
      if (value === null || value === undefined) continue;
      if (name === 'content' && typeof value === 'string') content = value;
      else if (name === 'content') parts = readContent(value);
      else if (name === 'role' && typeof value === 'string') role = reportedWord(value);
      else if (name === 'refusal' && typeof value === 'string') refusal = textOrNull(value);
      else if (name === 'tool_calls' && typeof value === 'object')
        toolCalls = mapToolCalls(listOfCalls(value), choiceIndex, indexes);
      else if (name === 'function_call' && isObject(value)) functionCall = value;
      else if (IN_CHOICE.has(name)) continue;
      else if (name === 'audio' && isObject(value)) audio = mapAudio(value);
      else if (name === 'annotations' && Array.isArray(value))
        annotations = mapAnnotations(value, choiceIndex, indexes);
      else extra = withMember(extra, name, value, choiceIndex, indexes);
    }
  }
  for (const name in choice) {
    const value = choice[name];
    if (OF_CHOICE.has(name) || value === null || isNothing(value)) continue;
    // Of an older completion.
    if (name === 'text' && typeof value === 'string' && delta === undefined) content = value;
    else extra = withMember(extra, name, value, choiceIndex, indexes);
  }
  if (parts !== null) {
    content = parts.text;
    refusal ??= parts.refusal;
    if (parts.others.length > 0) extra = { ...extra, content: parts.others };
  }
  if (functionCall !== null) toolCalls = mapFunctionCall(functionCall, toolCalls, choiceIndex, indexes);
  if (choice['delta'] !== undefined && (content !== '' || toolCalls.length > 0))
    indexes.noteStreamed(choiceIndex);
  const finishReason = finishReasonOf(
    choice['finish_reason'] ?? (isObject(delta) ? delta['finish_reason'] : null),
  );
  if (finishReason !== null) toolCalls = completeCalls(toolCalls, indexes.toolCallsOf(choiceIndex));
  const probabilities = isObject(logprobs) ? mapLogprobs(logprobs, choiceIndex, indexes) : null;
  const mapped = {
    choiceIndex,
    role,
    content,
    refusal,
    toolCalls,
    audio,
    annotationsJson: annotations?.[0] ?? null,
    logprobsJson: probabilities?.[0] ?? null,
    finishReason,
    extraJson: extra === null ? null : JSON.stringify(extra),
    answerExtraJson: null,
  };
  if (!saysNothing(mapped)) deltas.push(mapped);
  for (const annotationsJson of annotations?.slice(1) ?? [])
    deltas.push({ ...emptyDelta(choiceIndex), annotationsJson });
  for (const logprobsJson of probabilities?.slice(1) ?? [])
    deltas.push({ ...emptyDelta(choiceIndex), logprobsJson });
}

/** @throws LimitExceeded */
function withMember(
  members: Record<string, unknown> | null,
  name: string,
  value: unknown,
  choiceIndex: number,
  indexes: AnswerIndexes,
): Record<string, unknown> {
  indexes.noteName(choiceIndex, name);
  const extra = members ?? {};
  // Assigned, this name would set the prototype. An object without one would be written as JSON far more slowly.
  if (name === '__proto__') Object.defineProperty(extra, name, { value, enumerable: true });
  else extra[name] = value;
  return extra;
}

/** @returns null for a text that says that there is none yet */
function finishReasonOf(value: unknown): string | null {
  const reason = reportedWord(value);
  if (reason === null || FINISH_REASONS.has(reason)) return reason;
  const lower = reason.toLowerCase();
  if (lower === 'null' || lower === 'none') return null;
  return FINISH_REASONS.has(lower) ? lower : reason;
}

/** Azure sends empty results of its filter with every piece. */
function isNothing(value: unknown): boolean {
  return value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}

/** @returns null for an object that says nothing */
function mapAudio(audio: WireObject): AudioDelta | null {
  const data = textOrNull(audio['data']);
  const mapped = {
    id: reportedId(audio['id']),
    data: data === null ? null : Buffer.from(data, 'base64'),
    transcript: textOrNull(audio['transcript']),
    expiresAt: mapTime(audio['expires_at']),
  };
  return Object.values(mapped).every((value) => value === null) ? null : mapped;
}

/** @returns whole milliseconds; null for what is not a time */
function mapTime(seconds: unknown): number | null {
  if (typeof seconds !== 'number') return null;
  const time = Math.round(seconds * 1000);
  return time >= 0 && time <= LAST_TIME_MS ? time : null;
}

/** Entries that say nothing, or are too large for a chunk, are left out. */
function mapAnnotations(
  list: readonly unknown[],
  choiceIndex: number,
  indexes: AnswerIndexes,
): readonly string[] | null {
  if (list.length === 0) return null;
  indexes.noteAnnotations(choiceIndex, list.length);
  const entries = list
    .filter((entry) => entry !== null && entry !== undefined)
    .map((entry) => JSON.stringify(entry))
    .filter((json) => json.length <= answerLimits.jsonPieceCharacters);
  return entries.length === 0 ? null : listsOf(entries);
}

function mapLogprobs(logprobs: WireObject, choiceIndex: number, indexes: AnswerIndexes): readonly string[] {
  for (const name in logprobs) indexes.noteName(choiceIndex, name);
  return divideLists(logprobs);
}
