import type { ChatRequestInput } from '../../src/contract/record-types.ts';

const bytes = (text: string): Buffer => Buffer.from(text);
const cacheBreakpoint = (name: string) => ({ mode: `${name} mode`, ttl: `${name} ttl` });

/** Every setting, each with a unique value. */
const settings: ChatRequestInput = {
  requestId: 'settings',
  model: 'model-asked-for',
  messages: [{ role: 'user', content: 'text of a user', name: 'name of a user' }],
  tools: [
    {
      type: 'function',
      name: 'function_name',
      description: 'description of a function',
      parametersJson: '{"title":"parameters of a function"}',
      strict: true,
    },
    {
      type: 'custom',
      name: 'custom_name',
      description: 'description of a custom tool',
      grammarSyntax: 'lark',
      grammarDefinition: 'start: WORD',
    },
  ],
  toolChoice: {
    mode: 'allowed',
    allowedMode: 'required',
    tools: [
      { type: 'function', name: 'function_name' },
      { type: 'custom', name: 'custom_name' },
    ],
  },
  parallelToolCalls: false,
  responseFormat: {
    type: 'json_schema',
    name: 'format_name',
    description: 'description of a format',
    schemaJson: '{"title":"schema of a format"}',
    strict: true,
  },
  temperature: 0.11,
  topP: 0.12,
  maxOutputTokens: 1301,
  stop: ['first stop', 'second stop'],
  seed: 1302,
  presencePenalty: 0.13,
  frequencyPenalty: 0.14,
  logitBias: { '1303': 0.15 },
  logprobs: true,
  topLogprobs: 13,
  n: 2,
  reasoningEffort: 'an effort',
  verbosity: 'a verbosity',
  serviceTier: 'a tier',
  modalities: ['a modality'],
  audio: { format: 'pcm16', voice: 'a voice' },
  prediction: [{ type: 'text', text: 'a predicted text', cacheBreakpoint: cacheBreakpoint('prediction') }],
  promptCacheKey: 'a cache key',
  promptCacheMode: 'a cache mode',
  promptCacheTtl: 'a cache ttl',
  promptCacheRetention: 'a retention',
  safetyIdentifier: 'a safety identifier',
  providerUser: 'a user of the provider',
  store: true,
  providerMetadata: { pair: 'of metadata' },
  moderation: { model: 'a moderation model', inputMode: 'an input mode', outputMode: 'an output mode' },
  webSearch: {
    contextSize: 'a context size',
    city: 'a city',
    country: 'a country',
    region: 'a region',
    timezone: 'a timezone',
  },
};

/** A conversation with every role, every kind of part and every kind of tool call. */
const conversation: ChatRequestInput = {
  requestId: 'conversation',
  messages: [
    { role: 'developer', content: 'text of a developer' },
    { role: 'system', content: 'text of a system' },
    {
      role: 'user',
      parts: [
        { type: 'text', text: 'a text part', cacheBreakpoint: cacheBreakpoint('text') },
        { type: 'image_url', url: 'https://example.com/image', detail: 'a detail' },
        { type: 'image_url', data: bytes('an image'), mediaType: 'image/png' },
        { type: 'input_audio', data: bytes('a sound'), format: 'a sound format' },
        { type: 'file', data: bytes('a file'), mediaType: 'application/pdf', fileName: 'a file name' },
        { type: 'file', fileId: 'a file id' },
      ],
    },
    {
      role: 'assistant',
      parts: [{ type: 'refusal', text: 'a refusal part' }],
      refusal: 'a refusal',
      audioId: 'an audio id',
      toolCalls: [
        { id: 'function call id', type: 'function', name: 'called_function', arguments: '{"a":"function"}' },
        { id: 'custom call id', type: 'custom', name: 'called_custom', arguments: 'a custom input' },
      ],
    },
    { role: 'tool', content: 'a function result', toolCallId: 'function call id' },
    { role: 'tool', content: 'a custom result', toolCallId: 'custom call id' },
  ],
  toolChoice: { mode: 'tool', tools: [{ type: 'function', name: 'chosen_function' }] },
  responseFormat: { type: 'json_object' },
  // Of the audio formats, only that of the settings can be streamed.
  audio: { format: 'wav', voiceId: 'a voice id' },
};

const customChoice: ChatRequestInput = {
  requestId: 'custom choice',
  messages: [{ role: 'user', content: 'a question' }],
  toolChoice: { mode: 'tool', tools: [{ type: 'custom', name: 'chosen_custom' }] },
};

const choiceByWord: ChatRequestInput = {
  requestId: 'choice by word',
  messages: [{ role: 'user', content: 'a question' }],
  toolChoice: { mode: 'required' },
};

/** The older form, which has `functions` instead of tools. */
const legacy: ChatRequestInput = {
  requestId: 'legacy',
  legacyFunctions: true,
  messages: [
    {
      role: 'assistant',
      toolCalls: [{ type: 'function_call', name: 'older_called', arguments: '{"an":"older call"}' }],
    },
    { role: 'function', name: 'older_called', content: 'an older result' },
  ],
  tools: [
    {
      type: 'function',
      name: 'older_function',
      description: 'description of an older function',
      parametersJson: '{"title":"parameters of an older function"}',
    },
  ],
  toolChoice: { mode: 'tool', tools: [{ type: 'function', name: 'older_chosen' }] },
};

const legacyChoiceByWord: ChatRequestInput = {
  ...legacy,
  requestId: 'legacy choice by word',
  toolChoice: { mode: 'auto' },
};

/** Requests that together set every field that reaches the provider, with distinct values. */
export const requestSamples: readonly ChatRequestInput[] = [
  settings,
  conversation,
  customChoice,
  choiceByWord,
  legacy,
  legacyChoiceByWord,
];
