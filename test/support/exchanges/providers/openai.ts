import { events } from '../exchange-world.ts';
import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { wireOf } from '../wire-of.ts';
import { ask, delta, finish, message, person, time, tokens, weather } from '../wire-parts.ts';

const head = {
  id: 'chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG',
  created: 1_741_570_283,
  service_tier: 'default',
  system_fingerprint: 'fp_06737a9306',
};
const { chunk, streamed } = wireOf({ ...head, usage: null });
const whole = (model: string, choices: object[], usage: object, more: object = {}) =>
  JSON.stringify({ ...head, object: 'chat.completion', model, choices, usage, ...more }, null, 2);
const details = (cached: number, reasoning: number) => ({
  prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: reasoning,
    audio_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0,
  },
});
const error = (members: object) =>
  JSON.stringify({ error: { param: null, code: null, ...members } }, null, 2);
const mini = 'gpt-4o-mini-2024-07-18';
const calling = (index: number, members: object, called: object) =>
  delta({ tool_calls: [{ index, ...members, function: called }] });

export const openai: ProviderExchanges = {
  id: 'openai',
  name: 'OpenAI',
  documentation: 'https://platform.openai.com/docs/api-reference/chat',
  prices: {},
  exchanges: {
    'text-streamed': {
      request: { model: 'gpt-4o-mini', messages: ask('Say hello.'), stream: true },
      answer: {
        body: streamed(
          mini,
          [
            delta({ role: 'assistant', content: '', refusal: null }, { logprobs: null }),
            delta({ content: 'Hello' }, { logprobs: null }),
            delta({ content: '! 👋' }, { logprobs: null }),
            finish('stop', {}, { logprobs: null }),
          ],
          tokens(19, 10, details(0, 0)),
        ),
      },
      expected: {
        text: 'Hello! 👋',
        model: mini,
        serviceTier: 'default',
        usage: { inputTokens: 19, outputTokens: 10, cachedInputTokens: 0, reasoningTokens: 0 },
        cost: '0.00000885',
        sent: { model: 'gpt-4o-mini', stream: true },
      },
    },
    'text-whole': {
      request: { model: 'gpt-4o', messages: ask('Say hello.'), stream: false, temperature: 0.2 },
      answer: {
        body: whole(
          'gpt-4o-2024-08-06',
          [message({ content: 'Hello there.', refusal: null, annotations: [] }, { logprobs: null })],
          tokens(1_519, 10, details(1_024, 0)),
        ),
      },
      expected: {
        text: 'Hello there.',
        usage: { inputTokens: 1_519, outputTokens: 10, cachedInputTokens: 1_024 },
        cost: '0.0026175',
        pricedModel: 'gpt-4o',
        sent: { temperature: 0.2 },
      },
    },
    'parallel-calls-streamed': {
      request: {
        model: 'gpt-4.1',
        messages: ask('Weather in Lisbon, and the time?'),
        tools: [weather, time],
        stream: true,
      },
      answer: {
        body: events(
          chunk('gpt-4.1-2025-04-14', [delta({ role: 'assistant', content: null })]),
          ...[
            calling(0, { id: 'call_a1', type: 'function' }, { name: 'get_weather', arguments: '' }),
            calling(0, {}, { arguments: '{"city":' }),
            calling(0, {}, { arguments: '"Lisbon"}' }),
            calling(1, { id: 'call_b2', type: 'function' }, { name: 'get_time', arguments: '' }),
            calling(1, {}, { arguments: '{}' }),
            finish('tool_calls'),
          ].map((choice) => chunk('gpt-4.1-2025-04-14', [choice])),
          chunk('gpt-4.1-2025-04-14', [], { usage: tokens(92, 41, details(0, 0)) }),
          '[DONE]',
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [
          { id: 'call_a1', name: 'get_weather', arguments: '{"city":"Lisbon"}' },
          { id: 'call_b2', name: 'get_time', arguments: '{}' },
        ],
        usage: { inputTokens: 92, outputTokens: 41 },
        cost: '0.000512',
      },
    },
    'reasoning-flex-whole': {
      request: {
        model: 'gpt-5-mini',
        messages: ask('How many primes are below 100?'),
        reasoning_effort: 'low',
        service_tier: 'flex',
        max_completion_tokens: 2_000,
      },
      answer: {
        body: whole(
          'gpt-5-mini-2025-08-07',
          [message({ content: '25', refusal: null, annotations: [] })],
          tokens(2_006, 523, details(1_920, 512)),
          { service_tier: 'flex' },
        ),
      },
      expected: {
        text: '25',
        serviceTier: 'flex',
        usage: { inputTokens: 2_006, outputTokens: 523, cachedInputTokens: 1_920, reasoningTokens: 512 },
        cost: '0.00055775',
        sent: { max_completion_tokens: 2_000, reasoning_effort: 'low', service_tier: 'flex' },
        notSent: ['temperature', 'max_tokens'],
      },
    },
    'structured-output-streamed': {
      request: { model: 'gpt-4o-mini', messages: ask('Invent a person.'), response_format: person },
      answer: {
        body: events(
          ...['{"name":', '"Ada"', ',"age":', '36}'].map((content) => chunk(mini, [delta({ content })])),
          chunk(mini, [finish('stop')]),
          chunk(mini, [], { usage: tokens(60, 11, details(0, 0)) }),
          '[DONE]',
        ),
      },
      expected: {
        text: '{"name":"Ada","age":36}',
        usage: { inputTokens: 60, outputTokens: 11 },
        cost: '0.0000156',
      },
    },
    'structured-output-cut': {
      request: {
        model: 'gpt-4o-mini',
        messages: ask('Invent a person.'),
        response_format: person,
        max_tokens: 5,
      },
      answer: {
        body: whole(mini, [message({ content: '{"name":"Ad' }, { finish_reason: 'length' })], tokens(60, 5)),
      },
      expected: {
        text: '{"name":"Ad',
        finishReason: 'length',
        problems: ['truncated'],
        usage: { inputTokens: 60, outputTokens: 5 },
        cost: '0.000012',
        sent: { max_tokens: 5 },
      },
    },
    'refusal-streamed': {
      request: { model: 'gpt-4o-mini', messages: ask('Something bad.'), response_format: person },
      answer: {
        body: streamed(
          mini,
          [
            delta({ role: 'assistant', content: null, refusal: '' }),
            delta({ refusal: "I'm sorry, " }),
            delta({ refusal: "I can't help with that." }),
            finish('stop'),
          ],
          tokens(40, 12),
        ),
      },
      expected: {
        refusal: "I'm sorry, I can't help with that.",
        usage: { inputTokens: 40, outputTokens: 12 },
        cost: '0.0000132',
      },
    },
    'web-search-whole': {
      request: {
        model: 'gpt-4o-mini-search-preview',
        messages: ask('News of the tram?'),
        web_search_options: { search_context_size: 'low' },
      },
      answer: {
        body: whole(
          'gpt-4o-mini-search-preview-2025-03-11',
          [
            message({
              content: 'Line 28 runs again.',
              annotations: [
                {
                  type: 'url_citation',
                  url_citation: {
                    start_index: 0,
                    end_index: 19,
                    title: 'Tram',
                    url: 'https://example.com/28',
                  },
                },
              ],
            }),
          ],
          tokens(11, 20),
        ),
      },
      expected: {
        text: 'Line 28 runs again.',
        annotations: [{ title: 'Tram', url: 'https://example.com/28' }],
        usage: { inputTokens: 11, outputTokens: 20 },
        cost: '0.02501365',
      },
    },
    'two-choices-streamed': {
      request: { model: 'gpt-4o-mini', messages: ask('A name?'), n: 2 },
      answer: {
        body: streamed(
          mini,
          [
            delta({ role: 'assistant', content: 'Ada' }),
            delta({ role: 'assistant', content: 'Bo' }, { index: 1 }),
            delta({ content: 'line' }, { index: 1 }),
            finish('stop'),
            finish('stop', {}, { index: 1 }),
          ],
          tokens(8, 4),
        ),
      },
      expected: {
        text: 'Ada',
        otherTexts: ['Boline'],
        usage: { inputTokens: 8, outputTokens: 4 },
        cost: '0.0000036',
      },
    },
    'answer-sent-back': {
      request: {
        model: 'gpt-4o-mini',
        messages: [
          ...ask('A picture?'),
          {
            role: 'assistant',
            content: 'A tram.',
            refusal: null,
            annotations: [],
            audio: null,
            function_call: null,
          },
          ...ask('Which line?'),
        ],
      },
      answer: {
        body: streamed(mini, [delta({ role: 'assistant', content: '28.' }), finish('stop')], tokens(24, 2)),
      },
      expected: {
        text: '28.',
        usage: { inputTokens: 24, outputTokens: 2 },
        cost: '0.0000048',
        sent: {
          messages: [...ask('A picture?'), { role: 'assistant', content: 'A tram.' }, ...ask('Which line?')],
        },
        sentNowhere: ['annotations', 'audio', 'function_call'],
      },
    },
    'unsupported-value': {
      request: { model: 'gpt-5-nano', messages: ask('Hi.'), verbosity: 'extreme' },
      answer: {
        status: 400,
        body: error({
          message: "Unsupported value: 'verbosity' does not support 'extreme' with this model.",
          type: 'invalid_request_error',
          param: 'verbosity',
          code: 'unsupported_value',
        }),
      },
      expected: refused('invalid_request', 400, {
        param: 'verbosity',
        providerCode: 'unsupported_value',
        says: "does not support 'extreme'",
      }),
    },
    'stream-not-allowed': {
      once: true,
      request: { model: 'gpt-5.2', messages: ask('Hi.') },
      answer: [
        {
          status: 400,
          body: error({
            message: 'Your organization must be verified to stream this model.',
            type: 'invalid_request_error',
            param: 'stream',
            code: 'unsupported_value',
          }),
        },
        { body: whole('gpt-5.2-2025-12-11', [message({ content: 'Hi!' })], tokens(8, 3, details(0, 0))) },
      ],
      expected: {
        text: 'Hi!',
        usage: { inputTokens: 8, outputTokens: 3 },
        cost: '0.000056',
        calls: 2,
        sent: { stream: false },
        notSent: ['stream_options'],
      },
    },
    'rate-limited-then-answered': {
      request: { model: 'gpt-4.1-nano', messages: ask('Hi.') },
      answer: [
        {
          status: 429,
          headers: { 'retry-after-ms': '20', 'retry-after': '1', 'x-request-id': 'req_limited' },
          body: error({ message: 'Rate limit reached.', type: 'requests', code: 'rate_limit_exceeded' }),
        },
        { body: whole('gpt-4.1-nano-2025-04-14', [message({ content: 'Hi!' })], tokens(9, 3)) },
      ],
      expected: {
        text: 'Hi!',
        usage: { inputTokens: 9, outputTokens: 3 },
        cost: '0.0000021',
        calls: 2,
      },
    },
    'quota-exceeded': {
      request: { model: 'gpt-4.1-mini', messages: ask('Hi.') },
      answer: {
        status: 429,
        body: error({
          message: 'You exceeded your current quota, please check your plan and billing details.',
          type: 'insufficient_quota',
          code: 'insufficient_quota',
        }),
      },
      expected: refused('quota_exceeded', 429, { says: 'exceeded your current quota' }),
    },
    'error-in-stream': {
      request: { model: 'gpt-4o-mini', messages: ask('Count.') },
      answer: [
        {
          body: events(
            chunk(mini, [delta({ role: 'assistant', content: 'One' })]),
            { error: { message: 'The server had an error.', type: 'server_error', param: null, code: null } },
            '[DONE]',
          ),
        },
        {
          body: streamed(
            mini,
            [delta({ role: 'assistant', content: 'One, two.' }), finish('stop')],
            tokens(9, 4),
          ),
        },
      ],
      expected: {
        text: 'One, two.',
        usage: { inputTokens: 9, outputTokens: 4 },
        // The broken attempt: 9 and 1 tokens by our own count, since it reported none.
        cost: '0.0000057',
        calls: 2,
      },
    },
  },
};
