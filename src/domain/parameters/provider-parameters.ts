import type { ChatRequest } from '../../contract/record-types.ts';

/**
 * The provider's request parameters that the contract has a field for, with that field. Models are described, and
 * parameters newer than the contract are told apart, by the provider's names.
 */
const fieldOfParameter: ReadonlyMap<string, keyof ChatRequest> = new Map<string, keyof ChatRequest>([
  ['model', 'model'],
  ['messages', 'messages'],
  ['stream', 'stream'],
  ['n', 'n'],
  ['temperature', 'temperature'],
  ['top_p', 'topP'],
  ['max_tokens', 'maxOutputTokens'],
  ['max_completion_tokens', 'maxOutputTokens'],
  ['stop', 'stop'],
  ['seed', 'seed'],
  ['presence_penalty', 'presencePenalty'],
  ['frequency_penalty', 'frequencyPenalty'],
  ['logit_bias', 'logitBias'],
  ['logprobs', 'logprobs'],
  ['top_logprobs', 'topLogprobs'],
  ['response_format', 'responseFormat'],
  ['tools', 'tools'],
  ['functions', 'tools'],
  ['tool_choice', 'toolChoice'],
  ['function_call', 'toolChoice'],
  ['parallel_tool_calls', 'parallelToolCalls'],
  ['reasoning_effort', 'reasoningEffort'],
  ['verbosity', 'verbosity'],
  ['service_tier', 'serviceTier'],
  ['modalities', 'modalities'],
  ['audio', 'audio'],
  ['prediction', 'prediction'],
  ['prompt_cache_key', 'promptCacheKey'],
  ['prompt_cache_options', 'promptCacheMode'],
  ['prompt_cache_retention', 'promptCacheRetention'],
  ['safety_identifier', 'safetyIdentifier'],
  ['user', 'providerUser'],
  ['store', 'store'],
  ['metadata', 'providerMetadata'],
  ['moderation', 'moderation'],
  ['web_search_options', 'webSearch'],
]);

/** Usage is always asked for: this is the service's alone to set. */
const STREAM_OPTIONS = 'stream_options';

/** The contract's field for a parameter; null when it has none. */
export function fieldOf(parameter: string): keyof ChatRequest | null {
  return fieldOfParameter.get(parameter) ?? null;
}

/** Whether the contract has a field for a parameter, or the service sets it: it may not come as an extra one then. */
export function isOwnParameter(parameter: string): boolean {
  return fieldOfParameter.has(parameter) || parameter === STREAM_OPTIONS;
}
