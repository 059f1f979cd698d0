const base64 = (text: string): string => Buffer.from(text).toString('base64');

const served = {
  id: 'chatcmpl-of-a-sample',
  created: 1_702_001_001,
  model: 'model-as-served',
  service_tier: 'tier-as-served',
  system_fingerprint: 'fp_of_a_sample',
};

/** Usage that adds up, so that the bill has it too; no two counts are the same. */
const usage = {
  prompt_tokens: 2901,
  completion_tokens: 1803,
  total_tokens: 4704,
  prompt_tokens_details: {
    cached_tokens: 101,
    cache_write_tokens: 102,
    text_tokens: 103,
    image_tokens: 104,
    audio_tokens: 105,
  },
  completion_tokens_details: {
    reasoning_tokens: 201,
    text_tokens: 202,
    audio_tokens: 203,
    accepted_prediction_tokens: 204,
    rejected_prediction_tokens: 205,
  },
};

function moderationOf(side: string, score: number) {
  return {
    type: `results of ${side}`,
    model: `model of ${side}`,
    code: `code of ${side}`,
    message: `message of ${side}`,
    results: [
      {
        type: `result of ${side}`,
        model: `model of a result of ${side}`,
        flagged: side === 'input',
        categories: { [`category of ${side}`]: true },
        category_applied_input_types: { [`category of ${side}`]: ['text'] },
        category_scores: { [`category of ${side}`]: score },
      },
    ],
  };
}
/** The provider sends either results or an error. The sample has both, so that every member is present. */
const moderation = { input: moderationOf('input', 0.311), output: moderationOf('output', 0.312) };

function tokenOf(list: string, byte: number) {
  const token = (name: string, offset: number) => ({
    token: `${name} of ${list}`,
    bytes: [byte + offset],
    logprob: -(byte + offset + 400.25),
  });
  return [{ ...token('token', 0), top_logprobs: [token('alternative', 1)] }];
}
const logprobs = { content: tokenOf('content', 170), refusal: tokenOf('refusal', 180) };

const pieces = {
  role: 'role-of-a-sample',
  content: 'a content',
  refusal: 'a refusal',
  audio: {
    id: 'audio_of_a_sample',
    data: base64('a sound'),
    transcript: 'a transcript',
    expires_at: 1_702_002_002,
  },
};

const calls = [
  {
    id: 'call_of_a_function',
    type: 'function',
    function: { name: 'a_function', arguments: '{"of":"a function"}' },
  },
  { id: 'call_of_a_custom', type: 'custom', custom: { name: 'a_custom', input: 'an input' } },
];
const olderCall = { name: 'an_older_function', arguments: '{"of":"an older function"}' };

/** A `ChatCompletion` in which every member has a unique value. */
export const wholeAnswerSample = {
  ...served,
  object: 'chat.completion',
  metadata: { pair: 'of the provider' },
  usage,
  moderation,
  choices: [
    {
      index: 6,
      finish_reason: 'reason-of-a-sample',
      logprobs,
      message: {
        ...pieces,
        tool_calls: calls,
        annotations: [
          {
            type: 'kind-of-a-citation',
            url_citation: {
              start_index: 611,
              end_index: 622,
              title: 'a title',
              url: 'https://example.com/cited',
            },
          },
        ],
      },
    },
    { index: 7, finish_reason: 'function_call', message: { function_call: olderCall } },
  ],
};

const event = { ...served, object: 'chat.completion.chunk', obfuscation: 'some padding' };

/** `ChatCompletionChunk`s in which every member has a unique value. */
export const streamSample = [
  {
    ...event,
    choices: [
      {
        index: 6,
        finish_reason: null,
        logprobs,
        delta: { ...pieces, tool_calls: calls.map((call, position) => ({ index: 8 + position, ...call })) },
      },
    ],
  },
  { ...event, choices: [{ index: 6, finish_reason: 'reason-of-a-sample', delta: {} }] },
  { ...event, choices: [{ index: 7, finish_reason: 'function_call', delta: { function_call: olderCall } }] },
  { ...event, choices: [], usage, moderation },
];
