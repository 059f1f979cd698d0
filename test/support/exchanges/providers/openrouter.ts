import { events } from '../exchange-world.ts';
import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { wireOf } from '../wire-of.ts';
import { ask, delta, finish, functionCall, message, tokens, weather } from '../wire-parts.ts';

const via = (provider: string) => wireOf({ id: 'gen-1741570283-aB3', created: 1_741_570_283, provider });
const chunk = (model: string, provider: string, choices: object[], more?: object) =>
  via(provider).chunk(model, choices, more);
const streamed = (model: string, provider: string, choices: object[], usage: object) =>
  via(provider).streamed(model, choices, usage);
const whole = (model: string, provider: string, choice: object, usage: object) =>
  via(provider).whole(model, choice, usage);
const processing = ': OPENROUTER PROCESSING\n\n';
const priced = (prompt: number, completion: number, cost: number) =>
  tokens(prompt, completion, {
    cost,
    is_byok: false,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    cost_details: { upstream_inference_cost: null },
    completion_tokens_details: { reasoning_tokens: 0 },
  });
const sonnet = 'anthropic/claude-sonnet-4.5';
const cachedPrompt = {
  role: 'system',
  content: [{ type: 'text', text: 'Long rules.', cache_control: { type: 'ephemeral' } }],
};
const ended = (native: string) =>
  finish('stop', { role: 'assistant', content: '' }, { native_finish_reason: native });

export const openrouter: ProviderExchanges = {
  id: 'openrouter',
  name: 'OpenRouter',
  documentation: 'https://openrouter.ai/docs/api-reference/overview',
  prices: {
    'anthropic/claude-sonnet-4.5': { input: '3', output: '15' },
    'deepseek/deepseek-r1': { input: '0.4', output: '2' },
    'openai/gpt-4o-mini:online': { input: '0.15', output: '0.6' },
  },
  exchanges: {
    'comments-and-cost-streamed': {
      request: { model: sonnet, messages: ask('Hi.'), stream: true, usage: { include: true } },
      answer: {
        body: [
          processing,
          processing,
          events(
            chunk(sonnet, 'Anthropic', [
              delta({ role: 'assistant', content: 'Hi' }, { native_finish_reason: null }),
            ]),
          ),
          processing,
          events(
            chunk(sonnet, 'Anthropic', [
              delta({ role: 'assistant', content: '.' }, { native_finish_reason: null }),
            ]),
            chunk(sonnet, 'Anthropic', [ended('end_turn')]),
            chunk(sonnet, 'Anthropic', [delta({ role: 'assistant', content: '' })], {
              usage: priced(10, 5, 0.000_105),
            }),
            '[DONE]',
          ),
        ].join(''),
      },
      expected: {
        text: 'Hi.',
        extra: { answer: { provider: 'Anthropic' }, choice: { native_finish_reason: 'end_turn' } },
        usage: { inputTokens: 10, outputTokens: 5, raw: { is_byok: false, cost: 0.000105 } },
        cost: '0.000105',
        reportedCost: '0.000105',
        warnings: [],
        sent: { usage: { include: true } },
        notSent: ['temperature', 'max_tokens', 'max_completion_tokens'],
      },
    },
    'reasoning-details-streamed': {
      request: {
        model: 'deepseek/deepseek-r1',
        messages: ask('2 + 2?'),
        stream: true,
        reasoning: { effort: 'high' },
      },
      answer: {
        body: streamed(
          'deepseek/deepseek-r1',
          'DeepInfra',
          [
            delta({
              role: 'assistant',
              content: '',
              reasoning: 'Two and',
              reasoning_details: [{ type: 'reasoning.text', text: 'Two and', format: null, index: 0 }],
            }),
            delta({
              role: 'assistant',
              content: '',
              reasoning: ' two.',
              reasoning_details: [{ type: 'reasoning.text', text: ' two.', format: null, index: 0 }],
            }),
            delta({ role: 'assistant', content: '4', reasoning: null }),
            ended('stop'),
          ],
          tokens(12, 30, { completion_tokens_details: { reasoning_tokens: 25 } }),
        ),
      },
      expected: {
        text: '4',
        extra: {
          answer: { provider: 'DeepInfra' },
          choice: {
            reasoning: 'Two and two.',
            reasoning_details: [{ text: 'Two and' }, { text: ' two.' }],
          },
        },
        usage: { inputTokens: 12, outputTokens: 30, reasoningTokens: 25 },
        cost: '0.0000648',
        sent: { reasoning: { effort: 'high' } },
      },
    },
    'error-chunk-with-finish-reason': {
      request: { model: 'meta-llama/llama-3.1-8b', messages: ask('Count.'), stream: true },
      answer: [
        {
          body: events(
            chunk('meta-llama/llama-3.1-8b', 'Together', [delta({ role: 'assistant', content: 'One' })]),
            {
              ...chunk('meta-llama/llama-3.1-8b', 'Together', [finish('error', { content: '' })]),
              error: { code: 'server_error', message: 'Provider disconnected unexpectedly' },
            },
          ),
        },
        {
          body: streamed(
            'meta-llama/llama-3.1-8b',
            'Groq',
            [delta({ role: 'assistant', content: 'One, two.' }), ended('stop')],
            priced(9, 4, 0.000_001),
          ),
        },
      ],
      expected: {
        text: 'One, two.',
        extra: { answer: { provider: 'Groq' } },
        usage: { inputTokens: 9, outputTokens: 4 },
        cost: { unpriced: 'no_price' },
        calls: 2,
      },
    },
    'error-in-a-choice': {
      request: { model: sonnet, messages: ask('Hi.'), stream: false },
      answer: [
        {
          body: whole(
            sonnet,
            'Anthropic',
            message(
              { content: 'Hi' },
              {
                finish_reason: 'error',
                error: { code: 502, message: 'Upstream error', metadata: { provider_name: 'Anthropic' } },
              },
            ),
            priced(10, 1, 0.000_045),
          ),
        },
        {
          body: whole(sonnet, 'Anthropic', message({ content: 'Hi.' }), priced(10, 5, 0.000_105)),
        },
      ],
      expected: {
        text: 'Hi.',
        usage: { inputTokens: 10, outputTokens: 5 },
        cost: '0.00015',
        calls: 2,
      },
    },
    'web-plugin-annotations': {
      request: { model: 'openai/gpt-4o-mini:online', messages: ask('News?'), stream: false },
      answer: {
        body: whole(
          'openai/gpt-4o-mini:online',
          'OpenAI',
          message({
            content: 'Rain.',
            annotations: [
              {
                type: 'url_citation',
                url_citation: {
                  url: 'https://example.com/rain',
                  title: 'Rain',
                  content: 'It rains.',
                  start_index: 0,
                  end_index: 5,
                },
              },
            ],
          }),
          tokens(1_000, 2),
        ),
      },
      expected: {
        text: 'Rain.',
        annotations: [{ title: 'Rain', url: 'https://example.com/rain' }],
        extra: { answer: { provider: 'OpenAI' } },
        usage: { inputTokens: 1_000, outputTokens: 2 },
        cost: '0.0001512',
      },
    },
    'served-under-another-name': {
      request: { model: sonnet, messages: ask('Weather in Nice?'), tools: [weather], stream: true },
      answer: {
        body: events(
          ...[
            delta({ role: 'assistant', content: null }),
            delta({
              tool_calls: [functionCall('toolu_vrtx_01', 'get_weather', '', { index: 0 })],
            }),
            delta({
              tool_calls: [{ index: 0, type: 'function', function: { arguments: '{"city": "Nice"}' } }],
            }),
            finish(
              'tool_calls',
              { role: 'assistant', content: null },
              { native_finish_reason: 'tool_calls' },
            ),
          ].map((choice) => chunk('claude-sonnet-4-5@vertex', 'Google', [choice])),
          chunk('claude-sonnet-4-5@vertex', 'Google', [], { usage: tokens(400, 40) }),
          '[DONE]',
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        model: 'claude-sonnet-4-5@vertex',
        toolCalls: [{ id: 'toolu_vrtx_01', name: 'get_weather', arguments: '{"city": "Nice"}' }],
        extra: { answer: { provider: 'Google' }, choice: { native_finish_reason: 'tool_calls' } },
        usage: { inputTokens: 400, outputTokens: 40 },
        cost: '0.0018',
        pricedModel: sonnet,
        warnings: ['priced_as_requested'],
      },
    },
    'cache-control-sent': {
      request: { model: sonnet, messages: [cachedPrompt, ...ask('Hi.')], stream: true },
      answer: {
        body: streamed(
          sonnet,
          'Anthropic',
          [delta({ role: 'assistant', content: 'Hi.' }), ended('end_turn')],
          tokens(2_000, 4),
        ),
      },
      expected: {
        text: 'Hi.',
        usage: { inputTokens: 2_000, outputTokens: 4 },
        cost: '0.00606',
        sent: { messages: [cachedPrompt, ...ask('Hi.')] },
      },
    },
    'no-credits': {
      request: { model: sonnet, messages: ask('Hi.') },
      answer: {
        status: 402,
        body: '{"error":{"message":"This request requires more credits. You requested up to 64000 tokens, but can only afford 100.","code":402},"user_id":"user_2abCdEfGh"}',
      },
      expected: refused('quota_exceeded', 402, { providerCode: '402', says: 'more credits' }),
    },
  },
};
