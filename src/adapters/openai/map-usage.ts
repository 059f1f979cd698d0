import { isTokenCount, type ToldUsage } from '../../domain/usage.ts';
import { answerLimits } from './answer-limits.ts';
import { isObject } from './wire.ts';

/**
 * Translates the provider's usage object. A detail that is absent or not a plausible token count is null, that is,
 * not reported. The original object is kept unless it is larger than any usage that a provider documents: it goes into
 * every bill.
 *
 * @returns null when neither input nor output tokens are told
 */
export function mapUsage(usage: unknown): ToldUsage | null {
  if (!isObject(usage)) return null;
  const input = tokens(usage['prompt_tokens']);
  const output = tokens(usage['completion_tokens']);
  if (input === null && output === null) return null;
  const ofInput = isObject(usage['prompt_tokens_details']) ? usage['prompt_tokens_details'] : {};
  const ofOutput = isObject(usage['completion_tokens_details']) ? usage['completion_tokens_details'] : {};
  const rawJson = JSON.stringify(usage);
  return {
    inputTokens: input,
    outputTokens: output,
    totalTokens: tokens(usage['total_tokens']),
    cachedInputTokens: tokens(ofInput['cached_tokens']),
    cacheWriteTokens: tokens(ofInput['cache_write_tokens']),
    inputTextTokens: tokens(ofInput['text_tokens']),
    inputImageTokens: tokens(ofInput['image_tokens']),
    inputAudioTokens: tokens(ofInput['audio_tokens']),
    reasoningTokens: tokens(ofOutput['reasoning_tokens']),
    outputTextTokens: tokens(ofOutput['text_tokens']),
    outputAudioTokens: tokens(ofOutput['audio_tokens']),
    acceptedPredictionTokens: tokens(ofOutput['accepted_prediction_tokens']),
    rejectedPredictionTokens: tokens(ofOutput['rejected_prediction_tokens']),
    confidence: 'PROVIDER',
    rawJson: rawJson.length > answerLimits.usageCharacters ? null : rawJson,
  };
}

function tokens(value: unknown): number | null {
  return isTokenCount(value) ? value : null;
}
