import type { Script } from './script.ts';

/** The usage object of an answer: the counts, with the script's members laid over them; undefined when it is to be missing. */
export function usageOf(
  script: Script,
  promptTokens: number,
  writtenTokens: number,
): Record<string, unknown> | undefined {
  if (script.usage === 'missing') return undefined;
  const usage: Record<string, unknown> = {
    prompt_tokens: promptTokens,
    completion_tokens: script.completionTokens ?? writtenTokens,
    total_tokens: 0,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
    ...script.usage,
  };
  const isCounted = script.usage !== undefined && 'total_tokens' in script.usage;
  if (!isCounted) usage['total_tokens'] = Number(usage['prompt_tokens']) + Number(usage['completion_tokens']);
  return usage;
}
