import { events } from '../exchange-world.ts';
import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { wireOfModel } from '../wire-of.ts';
import { ask, delta, finish, functionCall, message, time, tokens, weather } from '../wire-parts.ts';

const flash = 'gemini-2.5-flash';
const { chunk, whole } = wireOfModel(flash, { id: 'tLnOZ8uWKp', created: 1_741_570_283 });
/** Thinking is in the total alone. */
const usage = (prompt: number, completion: number, thinking: number) => ({
  completion_tokens: completion,
  prompt_tokens: prompt,
  total_tokens: prompt + completion + thinking,
});
const signature = { google: { thought_signature: 'CiQB4/H/XpB0' } };
const called = [
  {
    role: 'assistant',
    content: null,
    tool_calls: [
      functionCall('function-call-136', 'get_weather', '{"city":"Nara"}', { extra_content: signature }),
    ],
  },
  { role: 'tool', tool_call_id: 'function-call-136', content: '19 °C' },
];

export const gemini: ProviderExchanges = {
  id: 'gemini',
  name: 'Gemini (OpenAI-compatible)',
  documentation: 'https://ai.google.dev/gemini-api/docs/openai',
  prices: { 'gemini-2.5-flash': { input: '0.3', output: '2.5' } },
  exchanges: {
    'thinking-in-the-total': {
      request: { model: flash, messages: ask('12 times 12?'), stream: false },
      answer: {
        body: whole(message({ content: '144' }), usage(12, 3, 85)),
      },
      expected: {
        text: '144',
        usage: { inputTokens: 12, outputTokens: 88, raw: { completion_tokens: 3 } },
        cost: '0.0002236',
        notSent: ['temperature', 'max_tokens', 'max_completion_tokens'],
      },
    },
    'usage-grows-in-stream': {
      request: { model: flash, messages: ask('12 times 12?'), stream: true },
      answer: {
        body: events(
          chunk([delta({ role: 'assistant', content: '1' })], { usage: usage(12, 1, 85) }),
          chunk([finish('stop', { content: '44' })], { usage: usage(12, 3, 85) }),
          '[DONE]',
        ),
      },
      expected: { text: '144', usage: { inputTokens: 12, outputTokens: 88 }, cost: '0.0002236' },
    },
    'thought-signature-of-a-call': {
      request: { model: flash, messages: ask('Weather in Nara?'), tools: [weather], stream: true },
      answer: {
        body: events(
          chunk([
            delta({
              role: 'assistant',
              tool_calls: [
                functionCall('function-call-136', 'get_weather', '{"city":"Nara"}', {
                  extra_content: signature,
                  index: 0,
                }),
              ],
            }),
          ]),
          chunk([finish('tool_calls', { role: 'assistant' })], { usage: usage(60, 15, 40) }),
          '[DONE]',
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [
          {
            id: 'function-call-136',
            name: 'get_weather',
            arguments: '{"city":"Nara"}',
            extra: { extra_content: signature },
          },
        ],
        usage: { inputTokens: 60, outputTokens: 55 },
        cost: '0.0001555',
      },
    },
    'calls-without-ids': {
      request: { model: flash, messages: ask('Weather and time?'), tools: [weather, time], stream: true },
      answer: {
        body: events(
          chunk([
            delta({
              role: 'assistant',
              tool_calls: [functionCall('', 'get_weather', '{"city":"Nara"}')],
            }),
          ]),
          chunk([
            delta({
              role: 'assistant',
              tool_calls: [functionCall('', 'get_time', '{}')],
            }),
          ]),
          chunk([finish('tool_calls', { role: 'assistant' })], { usage: tokens(80, 24) }),
          '[DONE]',
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [
          { name: 'get_weather', arguments: '{"city":"Nara"}' },
          { name: 'get_time', arguments: '{}' },
        ],
        usage: { inputTokens: 80, outputTokens: 24 },
        cost: '0.000084',
      },
    },
    'thought-signature-sent-back': {
      request: {
        model: flash,
        messages: [...ask('Weather in Nara?'), ...called],
        tools: [weather],
        stream: true,
      },
      answer: {
        body: events(
          chunk([finish('stop', { role: 'assistant', content: 'Mild.' })], { usage: tokens(90, 2) }),
          '[DONE]',
        ),
      },
      expected: {
        text: 'Mild.',
        usage: { inputTokens: 90, outputTokens: 2 },
        cost: '0.000032',
        sent: { messages: [...ask('Weather in Nara?'), ...called] },
      },
    },
    'error-is-a-list': {
      request: { model: 'gemini-2.5-pro', messages: ask('Hi.'), stream: true },
      answer: [
        {
          status: 429,
          body: '[{\n  "error": {\n    "code": 429,\n    "message": "You exceeded your current rate.",\n    "status": "RESOURCE_EXHAUSTED"\n  }\n}\n]',
        },
        {
          body: events(
            chunk([delta({ role: 'assistant', content: 'Hi.' })]),
            chunk([finish('stop')], { usage: tokens(4, 2) }),
            '[DONE]',
          ),
        },
      ],
      expected: { text: 'Hi.', usage: { inputTokens: 4, outputTokens: 2 }, cost: '0.0000062', calls: 2 },
    },
    'input-token-count': {
      request: { model: flash, messages: ask('A long story.') },
      answer: {
        status: 400,
        body: '[{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]',
      },
      expected: refused('context_length_exceeded', 400, {
        says: 'exceeds the maximum number of tokens allowed',
      }),
    },
  },
};
