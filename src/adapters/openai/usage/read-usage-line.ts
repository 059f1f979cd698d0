import type { Usage } from '../../../contract/record-types.ts';
import type { ToolUses } from '../../../domain/cost/calculate-cost.ts';
import { isTokenCount } from '../../../domain/cost/usage.ts';
import { isObject } from '../../../domain/text/is-object.ts';
import type { WireObject } from '../wire/wire.ts';
import { AnswerUsage } from './answer-usage.ts';

/** What one call used, as a line of a usage file says it. */
export interface UsageLine {
  /** Of the line, to find it again: as it was given, null when it was not. */
  readonly id: string | number | null;
  readonly provider: string | null;
  readonly model: string;
  /** As served; that of a batch is `batch`. */
  readonly serviceTier: string | null;
  /** Of the endpoint that was called. */
  readonly region: string | null;
  readonly usage: Usage;
  /** As the line says; absent where they follow from the model, as they do for a whole completion. */
  readonly tools?: ToolUses;
}

/** A request of a batch that failed: it used nothing. */
export interface FailedLine {
  readonly id: string | number | null;
  readonly failed: true;
}

const counts = [
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'input_tokens',
  'output_tokens',
] as const;
const details = {
  prompt_tokens_details: [
    'cached_tokens',
    'cache_write_tokens',
    'audio_tokens',
    'image_tokens',
    'text_tokens',
  ],
  completion_tokens_details: [
    'reasoning_tokens',
    'audio_tokens',
    'text_tokens',
    'accepted_prediction_tokens',
    'rejected_prediction_tokens',
  ],
} as const;

/**
 * Reads `{id?, provider?, model, service_tier?, region?, usage}`, where `usage` is the provider's own object, a whole completion of
 * the provider, whose members have these names too, or a line of a batch's output file, which has a completion in it. Tools that
 * were used are stated beside it: `web_search_calls`, `search_context_size`, `file_search_calls`. Other members are left alone.
 *
 * @throws Error that names the member and what it should be: what is wrong is not guessed at
 */
export function readUsageLine(text: string): UsageLine | FailedLine {
  const line = parse(text);
  return isBatchLine(line) ? readBatchLine(line) : readCall(line, idOf(line, 'id'), servedTierOf(line));
}

/** `{custom_id, response: {status_code, body}, error}`: what a batch's output file has, or its error file. */
function isBatchLine(line: WireObject): boolean {
  return 'custom_id' in line && ('response' in line || 'error' in line);
}

function readBatchLine(line: WireObject): UsageLine | FailedLine {
  const id = idOf(line, 'custom_id');
  const { response } = line;
  const status = isObject(response) ? response['status_code'] : null;
  if (!isObject(response) || (typeof status === 'number' && status >= 400)) return { id, failed: true };
  const { body } = response;
  if (!isObject(body)) throw wrong('response.body', 'the provider’s answer');
  // Its own tier says nothing of the discount.
  return readCall(body, id, 'batch');
}

function readCall(line: WireObject, id: UsageLine['id'], serviceTier: string | null): UsageLine {
  const model = textOf(line, 'model');
  if (model === null) throw wrong('model', 'the name of the model that answered');
  const isCompletion = Array.isArray(line['choices']);
  const tools = toolsOf(line);
  return {
    id,
    provider: textOf(line, 'provider'),
    model,
    serviceTier,
    region: textOf(line, 'region'),
    usage: usageOf(line),
    ...(isCompletion && tools === null ? {} : { tools: tools ?? {} }),
  };
}

/** Servers that have no tiers may write an empty one, which the service takes for the standard rate too. */
function servedTierOf(line: WireObject): string | null {
  return line['service_tier'] === '' ? null : textOf(line, 'service_tier');
}

function usageOf(line: WireObject): Usage {
  const answer = new AnswerUsage();
  answer.note(line);
  const found = answer.takeNew();
  if (isObject(line['usage'])) checkUsage(line['usage']);
  else if (found === null) throw wrong('usage', 'the provider’s usage object');
  if (found === null || found.inputTokens === null) throw incomplete();
  const { reportedCost: _cost, ...reported } = found;
  const { inputTokens, totalTokens } = found;
  // Of what has no answer, such as an embedding.
  const outputTokens = found.outputTokens ?? (totalTokens === inputTokens ? 0 : null);
  if (outputTokens === null) throw incomplete();
  return { ...reported, inputTokens, outputTokens, totalTokens: totalTokens ?? inputTokens + outputTokens };
}

function incomplete(): Error {
  return wrong('usage', 'an object with prompt_tokens and completion_tokens');
}

/** Null when the line says nothing of them. */
function toolsOf(line: WireObject): ToolUses | null {
  const searchContextSize = textOf(line, 'search_context_size');
  const says = ['web_search_calls', 'file_search_calls'].some((name) => (line[name] ?? null) !== null);
  if (!says && searchContextSize === null) return null;
  return {
    webSearches: countOf(line, 'web_search_calls', ''),
    fileSearches: countOf(line, 'file_search_calls', ''),
    ...(searchContextSize === null ? {} : { searchContextSize }),
  };
}

function idOf(line: WireObject, name: string): UsageLine['id'] {
  const id = line[name] ?? null;
  if (id !== null && typeof id !== 'string' && typeof id !== 'number') throw wrong(name, 'text or a number');
  return id;
}

function parse(text: string): Record<string, unknown> {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch (error) {
    throw new Error(`not JSON: ${(error as SyntaxError).message}`);
  }
  if (!isObject(line)) throw new Error('must be a JSON object');
  return line;
}

/** An invalid count would pass for one that was not reported, and the rest would be billed without it. */
function checkUsage(usage: Record<string, unknown>): void {
  for (const name of counts) countOf(usage, name, 'usage.');
  for (const [group, names] of Object.entries(details)) {
    const members = usage[group] ?? {};
    if (!isObject(members)) throw wrong(`usage.${group}`, 'an object');
    for (const name of names) countOf(members, name, `usage.${group}.`);
  }
}

function countOf(members: Record<string, unknown>, name: string, place: string): number {
  const value = members[name] ?? 0;
  if (isTokenCount(value)) return value;
  throw wrong(`${place}${name}`, 'a whole number from 0 to 1,000,000,000,000');
}

function textOf(members: Record<string, unknown>, name: string): string | null {
  const value = members[name] ?? null;
  if (value === null || (typeof value === 'string' && value !== '')) return value;
  throw wrong(name, 'text that is not empty, or left out');
}

function wrong(place: string, what: string): Error {
  return new Error(`${place} must be ${what}`);
}
