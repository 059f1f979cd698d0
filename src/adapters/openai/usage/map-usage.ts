import { addUpUsage } from '../../../domain/cost/add-up-usage.ts';
import { isTokenCount, type ReportedUsage } from '../../../domain/cost/usage.ts';
import { isObject } from '../../../domain/text/is-object.ts';
import { answerLimits } from '../wire/answer-limits.ts';
import type { WireObject } from '../wire/wire.ts';
import { reportedCost } from './reported-cost.ts';

/**
 * Translates the provider's usage object. A detail that is absent or not a plausible token count is null, that is,
 * not reported. The original object is kept unless it is larger than any usage that a provider documents: it goes into
 * every bill.
 *
 * Cached tokens have a name of their own at several providers, and some count reasoning beside the output: see `addUpUsage`.
 *
 * @returns null when neither input nor output tokens are reported
 */
export function mapUsage(usage: unknown): ReportedUsage | null {
  if (!isObject(usage)) return null;
  const input = firstCount(usage['prompt_tokens'], usage['input_tokens']);
  const output = firstCount(usage['completion_tokens'], usage['output_tokens']);
  if (input === null && output === null) return null;
  const ofInput = detailsOf(usage, 'prompt_tokens_details', 'input_tokens_details');
  const ofOutput = detailsOf(usage, 'completion_tokens_details', 'output_tokens_details');
  const rawJson = JSON.stringify(usage);
  return addUpUsage({
    inputTokens: input === null ? null : input + cacheBeside(usage),
    outputTokens: output,
    totalTokens: firstCount(usage['total_tokens']),
    cachedInputTokens: firstCount(
      ofInput['cached_tokens'],
      usage['prompt_cache_hit_tokens'],
      usage['cached_tokens'],
      usage['num_cached_tokens'],
      usage['cached_prompt_tokens'],
      usage['cache_read_input_tokens'],
    ),
    cacheWriteTokens: firstCount(
      ofInput['cache_write_tokens'],
      ofInput['cache_creation_tokens'],
      usage['cache_creation_input_tokens'],
    ),
    inputTextTokens: firstCount(ofInput['text_tokens']),
    inputImageTokens: firstCount(ofInput['image_tokens']),
    inputAudioTokens: firstCount(ofInput['audio_tokens']),
    reasoningTokens: firstCount(ofOutput['reasoning_tokens'], usage['reasoning_tokens']),
    outputTextTokens: firstCount(ofOutput['text_tokens']),
    outputAudioTokens: firstCount(ofOutput['audio_tokens']),
    acceptedPredictionTokens: firstCount(ofOutput['accepted_prediction_tokens']),
    rejectedPredictionTokens: firstCount(ofOutput['rejected_prediction_tokens']),
    confidence: 'PROVIDER',
    rawJson: rawJson.length > answerLimits.usageCharacters ? null : rawJson,
    reportedCost: reportedCost(usage),
  });
}

/** Anthropic's own format, which some gateways pass on: `input_tokens` are those that the cache has no part in. */
function cacheBeside(usage: WireObject): number {
  if (firstCount(usage['prompt_tokens'], usage['total_tokens']) !== null) return 0;
  return (
    (firstCount(usage['cache_read_input_tokens']) ?? 0) +
    (firstCount(usage['cache_creation_input_tokens']) ?? 0)
  );
}

function detailsOf(usage: WireObject, ...names: readonly string[]): WireObject {
  for (const name of names) {
    const details = usage[name];
    if (isObject(details)) return details;
  }
  return {};
}

/** The first count above zero, else a zero that was reported, else null: a gateway fills names that it does not use with zeros. */
function firstCount(...values: readonly unknown[]): number | null {
  let found: number | null = null;
  for (const value of values) {
    if (!isTokenCount(value)) continue;
    if (value > 0) return value;
    found = 0;
  }
  return found;
}
