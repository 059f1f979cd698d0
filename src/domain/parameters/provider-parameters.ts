import type { ChatRequest } from '../../contract/record-types.ts';

/**
 * The provider's request parameters that have a field in the contract, with that field. Models and parameters newer than the
 * contract are described by the provider's names.
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

/** The service always asks for usage, so callers cannot set this. */
const STREAM_OPTIONS = 'stream_options';

/** The contract's field for a parameter; null if it has no field. */
export function fieldOf(parameter: string): keyof ChatRequest | null {
  return fieldOfParameter.get(parameter) ?? null;
}

/** Whether the contract has a field for a parameter or the service sets it. Such a parameter may not be an extra one. */
export function isOwnParameter(parameter: string): boolean {
  return fieldOfParameter.has(parameter) || parameter === STREAM_OPTIONS;
}
