import { events } from '../exchange-world.ts';
import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { wireOf } from '../wire-of.ts';
import { ask, delta, finish, functionCall, message, tokens, weather } from '../wire-parts.ts';

const { chunk, whole } = wireOf({ id: 'cmpl-e5cc70bb28c444948073e77776eb30ef', created: 1_741_570_283 });
const thinking = (text: string) => ({ type: 'thinking', thinking: [{ type: 'text', text }] });
const text = (words: string) => ({ type: 'text', text: words });
const magistral = 'magistral-medium-latest';
const called = [
  {
    role: 'assistant',
    content: '',
    tool_calls: [functionCall('D681PevKs', 'get_weather', '{"city": "Porto"}')],
  },
  { role: 'tool', name: 'get_weather', content: '23 °C', tool_call_id: 'D681PevKs' },
];

export const mistral: ProviderExchanges = {
  id: 'mistral',
  name: 'Mistral',
  documentation: 'https://docs.mistral.ai/api',
  prices: {
    'magistral-medium-latest': { input: '2', output: '5' },
    'mistral-small-latest': { input: '0.1', output: '0.3' },
  },
  exchanges: {
    'thinking-streamed': {
      request: { model: magistral, messages: ask('12 times 12?'), stream: true },
      answer: {
        body: events(
          chunk(magistral, delta({ role: 'assistant', content: '' })),
          chunk(magistral, delta({ content: [thinking('12 × 10 = 120, ')] })),
          chunk(magistral, delta({ content: [thinking('12 × 2 = 24.')] })),
          chunk(magistral, delta({ content: [text('1')] })),
          chunk(magistral, delta({ content: '44' })),
          chunk(magistral, finish('stop', { content: '' }), { usage: tokens(10, 30) }),
          '[DONE]',
        ),
      },
      expected: {
        text: '144',
        usage: { inputTokens: 10, outputTokens: 30 },
        cost: '0.00017',
        notSent: ['temperature', 'max_tokens', 'max_completion_tokens'],
      },
    },
    'thinking-whole': {
      request: { model: magistral, messages: ask('12 times 12?'), stream: false, max_tokens: 400 },
      answer: {
        body: whole(
          magistral,
          message({ content: [thinking('120 and 24.'), text('It is '), text('144.')], tool_calls: null }),
          tokens(10, 22),
        ),
      },
      expected: {
        text: 'It is 144.',
        usage: { inputTokens: 10, outputTokens: 22 },
        cost: '0.00013',
        sent: { max_tokens: 400 },
        notSent: ['max_completion_tokens'],
      },
    },
    'references-whole': {
      request: { model: 'mistral-small-latest', messages: ask('Cite it.') },
      answer: {
        body: whole(
          'mistral-small-latest',
          message({ content: [text('It rains'), { type: 'reference', reference_ids: [1, 2] }, text('.')] }),
          tokens(12, 8),
        ),
      },
      expected: { text: 'It rains.', usage: { inputTokens: 12, outputTokens: 8 }, cost: '0.0000036' },
    },
    'tool-call-in-one-chunk': {
      request: {
        model: 'mistral-small-latest',
        messages: ask('Weather in Porto?'),
        tools: [weather],
        stream: true,
      },
      answer: {
        body: events(
          chunk('mistral-small-latest', delta({ role: 'assistant', content: '' })),
          chunk(
            'mistral-small-latest',
            finish('tool_calls', {
              content: '',
              tool_calls: [
                {
                  id: 'D681PevKs',
                  function: { name: 'get_weather', arguments: '{"city": "Porto"}' },
                  index: 0,
                },
              ],
            }),
            { usage: tokens(80, 20) },
          ),
          '[DONE]',
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [{ id: 'D681PevKs', name: 'get_weather', arguments: '{"city": "Porto"}' }],
        usage: { inputTokens: 80, outputTokens: 20 },
        cost: '0.000014',
      },
    },
    'stream-options-forbidden': {
      once: true,
      request: { model: 'open-mistral-old', messages: ask('Hi.'), stream: true },
      answer: [
        {
          status: 422,
          body: JSON.stringify({
            detail: [
              {
                type: 'extra_forbidden',
                loc: ['body', 'stream_options'],
                msg: 'Extra inputs are not permitted',
                input: { include_usage: true },
              },
            ],
          }),
        },
        {
          body: events(
            chunk('open-mistral-old', delta({ role: 'assistant', content: 'Salut.' })),
            chunk('open-mistral-old', finish('stop', { content: '' }), { usage: tokens(6, 3) }),
            '[DONE]',
          ),
        },
      ],
      expected: {
        text: 'Salut.',
        usage: { inputTokens: 6, outputTokens: 3 },
        cost: { unpriced: 'no_price' },
        calls: 2,
        notSent: ['stream_options'],
      },
    },
    'name-of-a-tool-message': {
      request: {
        model: 'mistral-small-latest',
        messages: [...ask('Weather in Porto?'), ...called],
        tools: [weather],
      },
      answer: {
        body: whole('mistral-small-latest', message({ content: 'Sunny.' }), tokens(100, 3)),
      },
      expected: {
        text: 'Sunny.',
        usage: { inputTokens: 100, outputTokens: 3 },
        cost: '0.0000109',
        sent: { messages: [...ask('Weather in Porto?'), ...called] },
      },
    },
    'error-with-detail': {
      request: { model: 'mistral-small-latest', messages: ask('Hi.'), random_seed: 'seven' },
      answer: {
        status: 422,
        body: JSON.stringify({
          detail: [
            { type: 'int_parsing', loc: ['body', 'random_seed'], msg: 'Input should be a valid integer' },
          ],
        }),
      },
      expected: {
        ...refused('invalid_request', 422, { says: 'Input should be a valid integer' }),
        sent: { random_seed: 'seven' },
      },
    },
    'detail-is-text': {
      request: { model: 'mistral-small-latest', messages: ask('Hi.') },
      answer: { status: 401, body: '{"detail":"Unauthorized"}' },
      expected: refused('invalid_credentials', 401, { says: 'Unauthorized' }),
    },
    'prompt-too-long': {
      request: { model: 'mistral-small-latest', messages: ask('A long story.') },
      answer: {
        status: 400,
        body: JSON.stringify({
          object: 'error',
          message:
            'Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length',
          type: 'invalid_request_prompt',
          param: null,
          code: '3051',
        }),
      },
      expected: refused('context_length_exceeded', 400, {
        providerCode: '3051',
        says: '32768 maximum context length',
      }),
    },
  },
};
