import type { ModelInfo } from '../ports.ts';
import type { ModelFacts } from './stores.ts';

/** What a call has to know of a model. */
export function modelInfo(
  facts: Omit<ModelFacts, 'aliases' | 'source'>,
  lifecycle: ModelInfo['lifecycle'],
): ModelInfo {
  const { provider, id, contextWindow, maxOutputTokens, maxTokensParameter, shutdownAt } = facts;
  const { refusedParameters, refusedWhileReasoning, defaultReasoningEffort, capabilities } = facts;
  return {
    provider,
    id,
    contextWindow,
    maxOutputTokens,
    maxTokensParameter,
    refusedParameters,
    refusedWhileReasoning,
    defaultReasoningEffort,
    streams: capabilities.includes('streaming'),
    reasons: capabilities.includes('reasoning'),
    lifecycle,
    shutdownAt,
  };
}
