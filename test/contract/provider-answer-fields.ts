import type { Place, Places } from './provider-fields.ts';

const choice = 'ChatResponse.choices[]';

const tokenMembers = ['token', 'bytes[]', 'logprob'];
const logprobs = each(
  ['content[]', 'refusal[]'].flatMap((list) =>
    [...tokenMembers, ...tokenMembers.map((member) => `top_logprobs[].${member}`)].map(
      (member) => `choices[].logprobs.${list}.${member}`,
    ),
  ),
  ['ChatChunk.logprobsJson', `${choice}.logprobsJson`],
);

const resultMembers = [
  ...['type', 'model', 'flagged'],
  ...['categories', 'category_applied_input_types', 'category_scores'],
];
const moderation = each(
  ['input', 'output'].flatMap((side) =>
    ['type', 'model', ...resultMembers.map((member) => `results[].${member}`), 'code', 'message'].map(
      (member) => `moderation.${side}.${member}`,
    ),
  ),
  ['ChatResponse.moderationJson'],
);

const served: Places = {
  id: ['ChatResponse.providerResponseId', 'CostCalculated.calls[].providerResponseId'],
  object: { leftOut: 'names the form of the answer; both forms travel in the same records' },
  created: {
    leftOut:
      "the provider's clock, in whole seconds; use `ChatResponse.createdAt` and `CostCalculated.calls[].startedAt`",
  },
  model: ['ChatResponse.model', 'CostCalculated.calls[].model'],
  service_tier: ['ChatResponse.serviceTier', 'CostCalculated.calls[].serviceTier'],
  system_fingerprint: ['ChatResponse.systemFingerprint'],
};

const choices: Places = {
  'choices[].index': ['ChatChunk.choiceIndex', `${choice}.index`],
  'choices[].finish_reason': ['ChatChunk.finishReason', `${choice}.finishReason`],
  ...logprobs,
};

/** The members that deltas and messages share, at `path`. */
function piece(path: string): Places {
  const calls = (member: string) => [`ChatChunk.toolCalls[].${member}`, `${choice}.toolCalls[].${member}`];
  const audio = (member: string) => [`ChatChunk.audio.${member}`, `${choice}.audio.${member}`];
  return {
    [`${path}.role`]: ['ChatChunk.role'],
    [`${path}.content`]: ['ChatChunk.content', `${choice}.content`],
    [`${path}.refusal`]: ['ChatChunk.refusal', `${choice}.refusal`],
    [`${path}.tool_calls[].id`]: calls('id'),
    [`${path}.tool_calls[].type`]: calls('type'),
    [`${path}.tool_calls[].function.name`]: calls('name'),
    [`${path}.tool_calls[].function.arguments`]: calls('arguments'),
    [`${path}.tool_calls[].custom.name`]: calls('name'),
    [`${path}.tool_calls[].custom.input`]: calls('arguments'),
    [`${path}.function_call.name`]: calls('name'),
    [`${path}.function_call.arguments`]: calls('arguments'),
    [`${path}.audio.id`]: audio('id'),
    [`${path}.audio.data`]: audio('data'),
    [`${path}.audio.transcript`]: audio('transcript'),
    [`${path}.audio.expires_at`]: audio('expiresAt'),
  };
}

function citation(member: string, field: string): Places {
  const path = `choices[].message.annotations[].url_citation.${member}`;
  return { [path]: ['ChatChunk.annotationsJson', `${choice}.annotations[].${field}`] };
}

function tokens(path: string, field: string): Places {
  const records = ['ChatResponse.usage', 'CostCalculated.usage', 'CostCalculated.calls[].usage'];
  return { [`usage.${path}`]: records.map((record) => `${record}.${field}`) };
}

const usage: Places = {
  ...tokens('prompt_tokens', 'inputTokens'),
  ...tokens('completion_tokens', 'outputTokens'),
  ...tokens('total_tokens', 'totalTokens'),
  ...tokens('prompt_tokens_details.cached_tokens', 'cachedInputTokens'),
  ...tokens('prompt_tokens_details.cache_write_tokens', 'cacheWriteTokens'),
  ...tokens('prompt_tokens_details.text_tokens', 'inputTextTokens'),
  ...tokens('prompt_tokens_details.image_tokens', 'inputImageTokens'),
  ...tokens('prompt_tokens_details.audio_tokens', 'inputAudioTokens'),
  ...tokens('completion_tokens_details.reasoning_tokens', 'reasoningTokens'),
  ...tokens('completion_tokens_details.text_tokens', 'outputTextTokens'),
  ...tokens('completion_tokens_details.audio_tokens', 'outputAudioTokens'),
  ...tokens('completion_tokens_details.accepted_prediction_tokens', 'acceptedPredictionTokens'),
  ...tokens('completion_tokens_details.rejected_prediction_tokens', 'rejectedPredictionTokens'),
};

/** The events of a stream by path, with the fields that their values go to. */
export const streamFields: Places = {
  ...served,
  obfuscation: { leftOut: 'random padding against eavesdroppers, without a meaning' },
  ...choices,
  ...piece('choices[].delta'),
  'choices[].delta.tool_calls[].index': ['ChatChunk.toolCalls[].index'],
  ...usage,
  ...moderation,
};

/** A complete answer by path, with the fields that its values go to. */
export const wholeAnswerFields: Places = {
  ...served,
  metadata: { leftOut: 'an echo of `ChatRequest.providerMetadata`; outputs echo `labels`' },
  ...choices,
  ...piece('choices[].message'),
  'choices[].message.annotations[].type': ['ChatChunk.annotationsJson'],
  ...citation('start_index', 'startIndex'),
  ...citation('end_index', 'endIndex'),
  ...citation('title', 'title'),
  ...citation('url', 'url'),
  ...usage,
  ...moderation,
};

function each(paths: readonly string[], place: Place): Places {
  return Object.fromEntries(paths.map((path) => [path, place]));
}
