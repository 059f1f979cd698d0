import { events } from '../exchange-world.ts';
import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { wireOf } from '../wire-of.ts';
import { ask, delta, finish, functionCall, message, tokens, weather } from '../wire-parts.ts';

const { chunk, streamed, whole } = wireOf({
  id: 'chatcmpl-f51b2cd2-bef7-417e-964e-a08f0b513c22',
  created: 1_741_570_283,
  system_fingerprint: 'fp_3f3b593e33',
});
const times = { queue_time: 0.037, prompt_time: 0.0007, completion_time: 0.46, total_time: 0.46 };
const llama = 'llama-3.3-70b-versatile';
const oss = 'openai/gpt-oss-120b';

export const groq: ProviderExchanges = {
  id: 'groq',
  name: 'Groq',
  documentation: 'https://console.groq.com/docs/api-reference#chat',
  prices: {
    'llama-3.3-70b-versatile': { input: '0.59', output: '0.79' },
    'openai/gpt-oss-120b': { input: '0.15', output: '0.6', cachedInput: '0.075' },
    'groq/compound': { input: '0.15', output: '0.6' },
  },
  exchanges: {
    'usage-in-x-groq': {
      request: { model: llama, messages: ask('Why fast?'), stream: true },
      answer: {
        body: events(
          chunk(llama, [delta({ role: 'assistant', content: '' })], { x_groq: { id: 'req_01h' } }),
          chunk(llama, [delta({ content: 'Fast' })]),
          chunk(llama, [delta({ content: ' chips.' })]),
          chunk(llama, [finish('stop')], { x_groq: { id: 'req_01h', usage: tokens(18, 3, times) } }),
          '[DONE]',
        ),
      },
      expected: {
        text: 'Fast chips.',
        extra: { answer: { x_groq: { id: 'req_01h' } } },
        usage: { inputTokens: 18, outputTokens: 3, raw: { queue_time: 0.037 } },
        cost: '0.00001299',
        notSent: ['temperature', 'max_tokens', 'max_completion_tokens'],
      },
    },
    'reasoning-with-channel': {
      request: { model: oss, messages: ask('2 + 2?'), stream: true, reasoning_format: 'parsed' },
      answer: {
        body: streamed(
          oss,
          [
            delta({ role: 'assistant', content: '' }),
            delta({ reasoning: 'Two and ', channel: 'analysis' }),
            delta({ reasoning: 'two.', channel: 'analysis' }),
            delta({ content: '4', channel: 'final' }),
            finish('stop'),
          ],
          tokens(80, 15, {
            ...times,
            prompt_tokens_details: { cached_tokens: 64 },
            completion_tokens_details: { reasoning_tokens: 9 },
          }),
        ),
      },
      expected: {
        text: '4',
        extra: { choice: { reasoning: 'Two and two.', channel: 'final' } },
        usage: { inputTokens: 80, outputTokens: 15, cachedInputTokens: 64, reasoningTokens: 9 },
        cost: '0.0000162',
        sent: { reasoning_format: 'parsed' },
      },
    },
    'executed-tools-whole': {
      request: { model: 'groq/compound', messages: ask('Multiply 6 by 7.'), stream: false },
      answer: {
        body: whole(
          'groq/compound',
          message({
            content: '42',
            reasoning: 'Use python.',
            executed_tools: [{ index: 0, type: 'python', arguments: '{"code":"6*7"}', output: '42' }],
          }),
          tokens(40, 9, times),
          {
            usage_breakdown: { models: [{ model: oss, usage: tokens(40, 9) }] },
            service_tier: 'on_demand',
            x_groq: { id: 'req_02h' },
          },
        ),
      },
      expected: {
        text: '42',
        serviceTier: 'on_demand',
        extra: {
          answer: { usage_breakdown: { models: [{ model: oss }] }, x_groq: { id: 'req_02h' } },
          choice: { reasoning: 'Use python.', executed_tools: [{ type: 'python', output: '42' }] },
        },
        usage: { inputTokens: 40, outputTokens: 9 },
        cost: '0.0000114',
      },
    },
    'tool-call-in-one-chunk': {
      request: { model: llama, messages: ask('Weather in Braga?'), tools: [weather], stream: true },
      answer: {
        body: events(
          chunk(llama, [delta({ role: 'assistant', content: null })], { x_groq: { id: 'req_03h' } }),
          chunk(llama, [
            delta({
              tool_calls: [functionCall('call_d5wg', 'get_weather', '{"city": "Braga"}', { index: 0 })],
            }),
          ]),
          chunk(llama, [finish('tool_calls')], { x_groq: { id: 'req_03h', usage: tokens(250, 15, times) } }),
          '[DONE]',
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [{ id: 'call_d5wg', name: 'get_weather', arguments: '{"city": "Braga"}' }],
        usage: { inputTokens: 250, outputTokens: 15 },
        cost: '0.00015935',
      },
    },
    'failed-generation': {
      request: { model: llama, messages: ask('Weather in Braga?'), tools: [weather] },
      answer: {
        status: 400,
        body: JSON.stringify({
          error: {
            message:
              "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.",
            type: 'invalid_request_error',
            code: 'tool_use_failed',
            failed_generation: '<function=get_weather>{"city": "Braga"</function>',
          },
        }),
      },
      expected: refused('invalid_request', 400, {
        providerCode: 'tool_use_failed',
        says: 'Failed to call a function',
      }),
    },
    'request-above-tokens-per-minute': {
      request: { model: 'llama-3.1-8b-instant', messages: ask('A long story.') },
      answer: {
        status: 413,
        body: JSON.stringify({
          error: {
            message:
              'Request too large for model `llama-3.1-8b-instant` in organization `org_01hq8x` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 8119, please reduce your message size and try again.',
            type: 'tokens',
            code: 'rate_limit_exceeded',
          },
        }),
      },
      expected: refused('rate_limited', 413, {
        providerType: 'tokens',
        says: 'Limit 6000, Requested 8119',
        hides: 'org_01hq8x',
      }),
    },
    'wait-in-minutes-and-seconds': {
      once: true,
      request: { model: 'gemma2-9b-it', messages: ask('Hi.') },
      answer: {
        status: 429,
        headers: { 'retry-after': '2m59.56s' },
        body: JSON.stringify({
          error: {
            message: 'Rate limit reached. Please try again in 2m59.56s.',
            type: 'tokens',
            code: 'rate_limit_exceeded',
          },
        }),
      },
      expected: refused('rate_limited', 429, { retryable: true, retryAfterMs: 179_560 }),
    },
    'error-event-in-stream': {
      request: { model: 'qwen/qwen3-32b', messages: ask('Hi.'), stream: true },
      answer: [
        {
          body: `${events(chunk('qwen/qwen3-32b', [delta({ role: 'assistant', content: 'H' })]))}event: error\ndata: {"error":{"message":"over capacity, please try again","type":"internal_server_error","status_code":503}}\n\n`,
        },
        {
          body: events(
            chunk('qwen/qwen3-32b', [delta({ role: 'assistant', content: 'Hi.' })]),
            chunk('qwen/qwen3-32b', [finish('stop')], {
              x_groq: { id: 'req_04h', usage: tokens(5, 2, times) },
            }),
            '[DONE]',
          ),
        },
      ],
      expected: {
        text: 'Hi.',
        usage: { inputTokens: 5, outputTokens: 2 },
        cost: { unpriced: 'no_price' },
        calls: 2,
      },
    },
  },
};
