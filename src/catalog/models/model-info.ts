import type { ModelInfo } from '../../ports/catalog.ts';
import type { ModelFacts } from '../stores.ts';

/** The facts about a model that a call needs. */
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
    chats: capabilities.includes('chat'),
    lifecycle,
    shutdownAt,
  };
}

/** The lifecycle stage of a model now (epoch ms), which also depends on its shutdown date. */
export function lifecycleAt(
  { lifecycle, shutdownAt }: Pick<ModelInfo, 'lifecycle' | 'shutdownAt'>,
  now: number,
): ModelInfo['lifecycle'] {
  if (shutdownAt === null || lifecycle === 'removed') return lifecycle;
  return shutdownAt <= now ? 'removed' : 'deprecated';
}
