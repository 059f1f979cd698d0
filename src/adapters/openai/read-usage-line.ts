import type { Usage } from '../../contract/records.ts';
import type { ToolUses } from '../../domain/calculate-cost.ts';
import { isTokenCount } from '../../domain/usage.ts';
import { mapUsage } from './map-usage.ts';
import { isObject } from './wire.ts';

/** What one call used, as a line of a usage file tells it. */
export interface UsageLine {
  /** Of the line, to find it again: as it was given, null when it was not. */
  readonly id: string | number | null;
  readonly provider: string | null;
  readonly model: string;
  /** As served. */
  readonly serviceTier: string | null;
  readonly usage: Usage;
  readonly tools: ToolUses;
}

const counts = ['prompt_tokens', 'completion_tokens', 'total_tokens'] as const;
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
 * Reads `{id?, provider?, model, service_tier?, usage}`, where `usage` is the provider's own object, or a whole completion of
 * the provider, whose members have these names too. Tools that were used are told beside it: `web_search_calls`,
 * `search_context_size`, `file_search_calls`. Other members are left alone.
 *
 * @throws Error that names the member and what it should be: what is wrong is not guessed at
 */
export function readUsageLine(text: string): UsageLine {
  const line = parse(text);
  const { id = null, usage } = line;
  if (id !== null && typeof id !== 'string' && typeof id !== 'number') throw wrong('id', 'text or a number');
  const model = textOf(line, 'model');
  if (model === null) throw wrong('model', 'the name of the model that answered');
  if (!isObject(usage)) throw wrong('usage', 'the provider’s usage object');
  checkUsage(usage);
  const told = mapUsage(usage);
  if (told?.inputTokens == null || told.outputTokens === null)
    throw wrong('usage', 'an object with prompt_tokens and completion_tokens');
  const { inputTokens, outputTokens, totalTokens } = told;
  const searchContextSize = textOf(line, 'search_context_size');
  return {
    id,
    provider: textOf(line, 'provider'),
    model,
    serviceTier: textOf(line, 'service_tier'),
    usage: { ...told, inputTokens, outputTokens, totalTokens: totalTokens ?? inputTokens + outputTokens },
    tools: {
      webSearches: countOf(line, 'web_search_calls', ''),
      fileSearches: countOf(line, 'file_search_calls', ''),
      ...(searchContextSize === null ? {} : { searchContextSize }),
    },
  };
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

/** A count that is none would be taken for one that was not told, and the rest be billed as if it were not there. */
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
