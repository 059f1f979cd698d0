import { events } from '../exchange-world.ts';
import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { wireOf } from '../wire-of.ts';
import { ask, delta, finish, functionCall, message, tokens, weather } from '../wire-parts.ts';

const { chunk, whole } = wireOf({
  id: '930c60df-bf64-41c9-a88e-3ec75f81e00e',
  created: 1_741_570_283,
  system_fingerprint: 'fp_8802369eaa_prod0425fp8',
});
/** Cached tokens have a name of their own beside OpenAI's. */
const cached = (hit: number, miss: number) => ({
  prompt_tokens_details: { cached_tokens: hit },
  prompt_cache_hit_tokens: hit,
  prompt_cache_miss_tokens: miss,
});
const reasoner = 'deepseek-reasoner';
/** A call of the model with the thoughts that led to it, and its result. */
const called = [
  {
    role: 'assistant',
    content: 'I will look.',
    reasoning_content: 'A tool is needed.',
    tool_calls: [functionCall('call_0', 'get_weather', '{"city":"Évora"}')],
  },
  { role: 'tool', tool_call_id: 'call_0', content: '31 °C' },
];

export const deepseek: ProviderExchanges = {
  id: 'deepseek',
  name: 'DeepSeek',
  documentation: 'https://api-docs.deepseek.com/api/create-chat-completion',
  prices: {
    'deepseek-chat': { input: '0.28', output: '0.42', cachedInput: '0.028' },
    'deepseek-reasoner': { input: '0.28', output: '0.42', cachedInput: '0.028' },
  },
  exchanges: {
    'reasoning-streamed': {
      request: { model: reasoner, messages: ask('9.11 or 9.8?'), stream: true },
      answer: {
        body: events(
          chunk(reasoner, delta({ role: 'assistant', content: null, reasoning_content: '' })),
          chunk(reasoner, delta({ content: null, reasoning_content: '9.8 is ' })),
          chunk(reasoner, delta({ content: null, reasoning_content: '9.80.' })),
          chunk(reasoner, delta({ content: '9.8', reasoning_content: null })),
          chunk(reasoner, finish('stop', { content: '', reasoning_content: null }), {
            usage: tokens(100, 40, {
              ...cached(64, 36),
              completion_tokens_details: { reasoning_tokens: 30 },
            }),
          }),
          '[DONE]',
        ),
      },
      expected: {
        text: '9.8',
        extra: { choice: { reasoning_content: '9.8 is 9.80.' } },
        usage: {
          inputTokens: 100,
          outputTokens: 40,
          cachedInputTokens: 64,
          reasoningTokens: 30,
          raw: { prompt_cache_miss_tokens: 36 },
        },
        cost: '0.000028672',
      },
    },
    'reasoning-whole': {
      request: { model: reasoner, messages: ask('9.11 or 9.8?'), stream: false },
      answer: {
        body: whole(
          reasoner,
          message({ content: '9.8', reasoning_content: 'Compare the tenths.' }, { logprobs: null }),
          tokens(20, 12, { ...cached(0, 20), completion_tokens_details: { reasoning_tokens: 8 } }),
        ),
      },
      expected: {
        text: '9.8',
        extra: { choice: { reasoning_content: 'Compare the tenths.' } },
        usage: { inputTokens: 20, outputTokens: 12, cachedInputTokens: 0, reasoningTokens: 8 },
        cost: '0.00001064',
      },
    },
    'cached-tokens-in-old-form': {
      request: { model: 'deepseek-chat', messages: ask('Again.'), stream: false },
      answer: {
        body: whole(
          'deepseek-chat',
          message({ content: 'Again.' }),
          tokens(1_000, 5, { prompt_cache_hit_tokens: 960, prompt_cache_miss_tokens: 40 }),
        ),
      },
      expected: {
        text: 'Again.',
        usage: { inputTokens: 1_000, outputTokens: 5, cachedInputTokens: 960 },
        cost: '0.00004018',
      },
    },
    'keep-alive-comments': {
      request: { model: 'deepseek-chat', messages: ask('Hi.'), stream: true },
      answer: {
        body: [
          ': keep-alive\n\n: keep-alive\n\n',
          events(chunk('deepseek-chat', delta({ role: 'assistant', content: 'Hi' }))),
          ': keep-alive\n\n',
          events(chunk('deepseek-chat', finish('stop', { content: '.' }), { usage: tokens(5, 2) }), '[DONE]'),
        ].join(''),
      },
      expected: { text: 'Hi.', usage: { inputTokens: 5, outputTokens: 2 }, cost: '0.00000224' },
    },
    'keep-alive-lines-before-json': {
      request: { model: 'deepseek-chat', messages: ask('Hi.'), stream: false },
      answer: {
        headers: { 'content-type': 'application/json' },
        body: `\n\n\n${whole('deepseek-chat', message({ content: 'Hi.' }), tokens(5, 2))}`,
      },
      expected: { text: 'Hi.', usage: { inputTokens: 5, outputTokens: 2 }, cost: '0.00000224' },
    },
    'tool-call-streamed': {
      request: { model: 'deepseek-chat', messages: ask('Weather in Évora?'), tools: [weather], stream: true },
      answer: {
        body: events(
          chunk(
            'deepseek-chat',
            delta({
              role: 'assistant',
              content: '',
              tool_calls: [functionCall('call_0_cd5d4a3b', 'get_weather', '', { index: 0 })],
            }),
          ),
          ...['{"', 'city', '":"', 'Évora', '"}'].map((piece) =>
            chunk('deepseek-chat', delta({ tool_calls: [{ index: 0, function: { arguments: piece } }] })),
          ),
          chunk('deepseek-chat', finish('tool_calls', { content: '' }), {
            usage: tokens(120, 18, cached(64, 56)),
          }),
          '[DONE]',
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [{ id: 'call_0_cd5d4a3b', name: 'get_weather', arguments: '{"city":"Évora"}' }],
        usage: { inputTokens: 120, outputTokens: 18, cachedInputTokens: 64 },
        cost: '0.000025032',
      },
    },
    'reasoning-sent-back': {
      request: {
        model: 'deepseek-chat',
        messages: [...ask('Weather in Évora?'), ...called, ...ask('Thanks.')],
        tools: [weather],
        stream: true,
      },
      answer: {
        body: events(
          chunk('deepseek-chat', delta({ role: 'assistant', content: 'Welcome.' })),
          chunk('deepseek-chat', finish('stop', { content: '' }), { usage: tokens(150, 3, cached(128, 22)) }),
          '[DONE]',
        ),
      },
      expected: {
        text: 'Welcome.',
        usage: { inputTokens: 150, outputTokens: 3, cachedInputTokens: 128 },
        cost: '0.000011004',
        sent: { messages: [...ask('Weather in Évora?'), ...called, ...ask('Thanks.')] },
      },
    },
    'insufficient-balance': {
      request: { model: 'deepseek-chat', messages: ask('Hi.') },
      answer: {
        status: 402,
        body: '{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}',
      },
      expected: refused('quota_exceeded', 402, { says: 'Insufficient Balance' }),
    },
  },
};
