import { gzipSync } from 'node:zlib';
import { events } from '../exchange-world.ts';
import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { wireOfModel } from '../wire-of.ts';
import { ask, delta, finish, functionCall, message, tokens, weather } from '../wire-parts.ts';

const mini = 'gpt-4o-mini-2024-07-18';
const { chunk, streamed } = wireOfModel(mini, { id: 'chatcmpl-g1', created: 1_741_570_283 });
const whole = (choices: object[], more: object = {}) =>
  JSON.stringify({ id: 'chatcmpl-g2', object: 'chat.completion', model: mini, choices, ...more });
const request = (content: string, more: object = {}) => ({
  model: 'gpt-4o-mini',
  messages: ask(content),
  stream: true,
  ...more,
});
const hello = [chunk([delta({ role: 'assistant', content: 'Hel' })]), chunk([delta({ content: 'lo' })])];
const ended = [...hello, chunk([finish('stop')]), chunk([], { usage: tokens(8, 2) })];
const answered = { text: 'Hello', usage: { inputTokens: 8, outputTokens: 2 }, cost: '0.0000024' } as const;

/** What several gateways and proxies do that no provider above documents. */
export const gateways: ProviderExchanges = {
  id: 'gateways',
  name: 'Gateways and proxies',
  documentation: 'https://html.spec.whatwg.org/multipage/server-sent-events.html',
  prices: { 'kimi-k2': { input: '0.6', output: '2.5', cachedInput: '0.15' } },
  exchanges: {
    'connection-stays-open': {
      request: request('Hi.'),
      answer: { body: events(...ended), ending: 'open' },
      expected: answered,
    },
    'connection-lost-behind-usage': {
      request: request('Hi.'),
      answer: { body: events(...ended), ending: 'cut' },
      expected: answered,
    },
    'done-with-blanks': {
      request: request('Hi.'),
      answer: { body: `${events(...ended)}data: [DONE]  \n\n`, ending: 'open' },
      expected: answered,
    },
    'pings-and-junk': {
      request: request('Hi.'),
      answer: {
        body: [
          'event: ping\ndata: {"type":"ping"}\n\n',
          events(...hello, 'null'),
          'retry: 3000\n\n',
          events(...ended.slice(2), 'null', 'this is no JSON', '[DONE]'),
        ].join(''),
      },
      expected: answered,
    },
    'no-blank-behind-the-colon': {
      request: request('Hi.'),
      answer: { body: `\uFEFF${events(...ended, '[DONE]').replaceAll('data: ', 'data:')}` },
      expected: answered,
    },
    'usage-then-empty-usage': {
      request: request('Hi.'),
      answer: {
        body: events(
          ...hello,
          chunk([finish('stop')], { usage: tokens(8, 2) }),
          chunk([], { usage: {} }),
          chunk([], { usage: tokens(0, 0) }),
          '[DONE]',
        ),
      },
      expected: answered,
    },
    'usage-in-a-choice': {
      request: { model: 'kimi-k2', messages: ask('Hi.'), stream: true },
      answer: {
        body: events(
          { ...chunk([delta({ role: 'assistant', content: 'Hello' })]), model: 'kimi-k2' },
          {
            ...chunk([finish('stop', {}, { usage: { ...tokens(8, 2), cached_tokens: 4 } })]),
            model: 'kimi-k2',
          },
          '[DONE]',
        ),
      },
      expected: {
        text: 'Hello',
        usage: { inputTokens: 8, outputTokens: 2, cachedInputTokens: 4 },
        cost: '0.000008',
      },
    },
    'stream-as-json': {
      request: request('Hi.'),
      answer: { headers: { 'content-type': 'application/json' }, body: events(...ended, '[DONE]') },
      expected: answered,
    },
    'json-as-stream': {
      request: request('Hi.'),
      answer: {
        headers: { 'content-type': 'text/event-stream' },
        body: whole([message({ content: 'Hello' })], { usage: tokens(8, 2) }),
      },
      expected: answered,
    },
    'gzip-without-being-asked': {
      request: request('Hi.'),
      answer: {
        headers: { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' },
        body: gzipSync(events(...ended, '[DONE]')),
      },
      expected: answered,
    },
    'whole-without-finish-reason': {
      request: request('Hi.', { stream: false }),
      answer: {
        body: whole([message({ content: 'Hello' }, { finish_reason: '' })], { usage: tokens(8, 2) }),
      },
      expected: { ...answered, finishReason: null },
    },
    'content-is-an-object': {
      request: request('As JSON.', { response_format: { type: 'json_object' }, stream: false }),
      answer: { body: whole([message({ content: { city: 'Rome' } })], { usage: tokens(8, 2) }) },
      expected: { ...answered, text: '{"city":"Rome"}' },
    },
    'name-in-pieces': {
      request: request('Weather in Lima?', { tools: [weather] }),
      answer: {
        body: streamed(
          [
            delta({
              tool_calls: [functionCall('c1', 'get_', '', { index: '0' })],
            }),
            delta({ tool_calls: [{ index: '0', function: { name: 'weather', arguments: '{"city":' } }] }),
            delta({ tool_calls: [{ index: '0', function: { arguments: '"Lima"}' } }] }),
            finish('tool_calls', { function_call: { name: '', arguments: '' }, audio: {} }),
          ],
          tokens(50, 10),
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [{ id: 'c1', name: 'get_weather', arguments: '{"city":"Lima"}' }],
        usage: { inputTokens: 50, outputTokens: 10 },
        cost: '0.0000135',
      },
    },
    'calls-at-minus-one': {
      request: request('Weather in Lima and Rome?', { tools: [weather] }),
      answer: {
        body: streamed(
          [
            delta({
              tool_calls: [functionCall('c1', 'get_weather', '{"city":"Lima"}', { index: -1 })],
            }),
            delta({
              tool_calls: [functionCall('c2', 'get_weather', '{"city":"Rome"}', { index: -1 })],
            }),
            finish('tool_calls'),
          ],
          tokens(50, 20),
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [
          { id: 'c1', name: 'get_weather', arguments: '{"city":"Lima"}' },
          { id: 'c2', name: 'get_weather', arguments: '{"city":"Rome"}' },
        ],
        usage: { inputTokens: 50, outputTokens: 20 },
        cost: '0.0000195',
      },
    },
    'usage-that-does-not-add-up': {
      request: request('Hi.'),
      answer: {
        body: events(
          ...hello,
          chunk([finish('stop')]),
          chunk([], {
            usage: {
              prompt_tokens: 8,
              completion_tokens: 2,
              total_tokens: 10,
              prompt_tokens_details: { cached_tokens: 9 },
            },
          }),
          '[DONE]',
        ),
      },
      expected: {
        text: 'Hello',
        usage: { inputTokens: 8, outputTokens: 2, cachedInputTokens: 9 },
        cost: { unpriced: 'invalid_usage' },
      },
    },
    'redirect-to-a-login': {
      request: request('Hi.'),
      answer: { status: 302, headers: { location: 'https://login.example.com/' }, body: '' },
      expected: refused('provider_error', 302),
    },
  },
};
