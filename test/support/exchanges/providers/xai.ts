import { events } from '../exchange-world.ts';
import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { wireOf } from '../wire-of.ts';
import { ask, delta, finish, functionCall, message, person, weather } from '../wire-parts.ts';

const { chunk, streamed, whole } = wireOf({
  id: 'e409f4cc-6be8-4920-8de4-9849e7c66cd9',
  created: 1_741_570_283,
  system_fingerprint: 'fp_6ca29cf396',
});
/** Reasoning is counted beside the completion, and the total has both. */
const usage = (prompt: number, cached: number, completion: number, reasoning: number, more: object = {}) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion + reasoning,
  prompt_tokens_details: { text_tokens: prompt, audio_tokens: 0, image_tokens: 0, cached_tokens: cached },
  completion_tokens_details: {
    reasoning_tokens: reasoning,
    audio_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0,
  },
  num_sources_used: 0,
  ...more,
});

export const xai: ProviderExchanges = {
  id: 'xai',
  name: 'xAI',
  documentation: 'https://docs.x.ai/docs/api-reference',
  prices: {
    'grok-3-mini': { input: '0.3', output: '0.5', cachedInput: '0.075' },
    'grok-4': { input: '3', output: '15', cachedInput: '0.75' },
  },
  exchanges: {
    'reasoning-beside-completion': {
      request: { model: 'grok-3-mini', messages: ask('101 times 3?'), stream: false },
      answer: {
        body: whole(
          'grok-3-mini',
          message({ content: '303', reasoning_content: '100 × 3 + 3', refusal: null }),
          usage(32, 5, 2, 310),
        ),
      },
      expected: {
        text: '303',
        extra: { choice: { reasoning_content: '100 × 3 + 3' } },
        usage: {
          inputTokens: 32,
          outputTokens: 312,
          cachedInputTokens: 5,
          reasoningTokens: 310,
          raw: { completion_tokens: 2, num_sources_used: 0 },
        },
        cost: '0.000164475',
      },
    },
    'usage-in-every-chunk': {
      request: { model: 'grok-4', messages: ask('A slogan?'), stream: true },
      answer: {
        body: events(
          chunk('grok-4-0709', [delta({ role: 'assistant', content: 'Open' })], {
            usage: usage(38, 0, 1, 120),
          }),
          chunk('grok-4-0709', [delta({ role: 'assistant', content: ' happy' })], {
            usage: usage(38, 0, 2, 120),
          }),
          chunk('grok-4-0709', [finish('stop', { role: 'assistant', content: '.' })], {
            usage: usage(38, 0, 3, 120),
          }),
          '[DONE]',
        ),
      },
      expected: {
        text: 'Open happy.',
        model: 'grok-4-0709',
        usage: { inputTokens: 38, outputTokens: 123, reasoningTokens: 120 },
        cost: '0.001959',
        pricedModel: 'grok-4',
      },
    },
    'citations-in-the-last-chunk': {
      request: { model: 'grok-4', messages: ask('News?'), stream: true, search_parameters: { mode: 'on' } },
      answer: {
        body: events(
          chunk('grok-4', [delta({ role: 'assistant', content: 'Rain' })]),
          chunk('grok-4', [finish('stop', { content: '.' })]),
          chunk('grok-4', [], {
            usage: usage(700, 0, 2, 0, { num_sources_used: 2 }),
            citations: ['https://example.com/a', 'https://example.com/b'],
          }),
          '[DONE]',
        ),
      },
      expected: {
        text: 'Rain.',
        extra: { answer: { citations: ['https://example.com/a', 'https://example.com/b'] } },
        usage: { inputTokens: 700, outputTokens: 2, raw: { num_sources_used: 2 } },
        cost: '0.00213',
        sent: { search_parameters: { mode: 'on' } },
      },
    },
    'tool-call-in-one-chunk': {
      request: { model: 'grok-4', messages: ask('Weather in Faro?'), tools: [weather], stream: true },
      answer: {
        body: streamed(
          'grok-4',
          [
            delta({ role: 'assistant', content: '', reasoning_content: 'Call it.' }),
            delta({
              tool_calls: [
                functionCall('call_52841', 'get_weather', '{"city":"Faro","unit":"c"}', { index: 0 }),
              ],
            }),
            finish('tool_calls'),
          ],
          usage(300, 256, 30, 50),
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [{ id: 'call_52841', name: 'get_weather', arguments: '{"city":"Faro","unit":"c"}' }],
        extra: { choice: { reasoning_content: 'Call it.' } },
        usage: { inputTokens: 300, outputTokens: 80, cachedInputTokens: 256, reasoningTokens: 50 },
        cost: '0.001524',
      },
    },
    'cost-in-ticks': {
      request: { model: 'grok-3-mini', messages: ask('A person.'), response_format: person, stream: false },
      answer: {
        body: whole(
          'grok-3-mini',
          message({ content: '{"name":"Bo","age":7}', refusal: null }),
          usage(100, 0, 10, 0, { cost_in_usd_ticks: 350_000 }),
        ),
      },
      expected: {
        text: '{"name":"Bo","age":7}',
        usage: { inputTokens: 100, outputTokens: 10, raw: { cost_in_usd_ticks: 350_000 } },
        cost: '0.000035',
        reportedCost: '0.000035',
        warnings: [],
      },
    },
    'error-is-text': {
      request: { model: 'grok-9', messages: ask('Hi.') },
      answer: {
        status: 404,
        body: JSON.stringify({
          code: 'Some requested entity was not found',
          error:
            'The model grok-9 does not exist or your team 6f1e2a7c-8b1d-4c1e-9a55-0d3b7a9c2e41 does not have access to it.',
        }),
      },
      expected: refused('model_not_found', 404, {
        says: 'The model grok-9 does not exist',
        hides: '6f1e2a7c',
      }),
    },
  },
};
