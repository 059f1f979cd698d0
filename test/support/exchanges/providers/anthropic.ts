import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { wireOfModel } from '../wire-of.ts';
import { ask, delta, finish, functionCall, message, time, tokens } from '../wire-parts.ts';

const sonnet = 'claude-sonnet-4-5-20250929';
const { streamed, whole } = wireOfModel(sonnet, { id: 'msg_01AbC', created: 1_741_570_283 });
const nothing = { completion_tokens_details: null, prompt_tokens_details: null };

export const anthropic: ProviderExchanges = {
  id: 'anthropic',
  name: 'Anthropic (OpenAI-compatible)',
  documentation: 'https://docs.claude.com/en/api/openai-sdk',
  prices: { 'claude-sonnet-4-5-20250929': { input: '3', output: '15' } },
  exchanges: {
    'text-whole': {
      request: { model: sonnet, messages: ask('Hi.'), stream: false, max_tokens: 100 },
      answer: {
        body: whole(message({ content: 'Hi.' }, { logprobs: null }), tokens(11, 4, nothing), {
          service_tier: null,
          system_fingerprint: null,
        }),
      },
      expected: {
        text: 'Hi.',
        usage: { inputTokens: 11, outputTokens: 4 },
        cost: '0.000093',
        sent: { max_tokens: 100 },
        notSent: ['temperature', 'max_completion_tokens'],
      },
    },
    'call-without-arguments': {
      request: { model: sonnet, messages: ask('The time?'), tools: [time], stream: true },
      answer: {
        body: streamed(
          [
            delta({ role: 'assistant', content: '' }),
            delta({
              tool_calls: [functionCall('toolu_01', 'get_time', '', { index: 0 })],
            }),
            finish('tool_calls'),
          ],
          tokens(300, 30, nothing),
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [{ id: 'toolu_01', name: 'get_time', arguments: '' }],
        usage: { inputTokens: 300, outputTokens: 30 },
        cost: '0.00135',
      },
    },
    'overloaded-then-answered': {
      request: { model: sonnet, messages: ask('Hi.'), stream: true },
      answer: [
        {
          status: 529,
          body: '{"error":{"code":"overloaded_error","message":"Overloaded","type":"overloaded_error","param":null}}',
        },
        {
          body: streamed(
            [delta({ role: 'assistant', content: 'Hi.' }), finish('stop')],
            tokens(11, 4, nothing),
          ),
        },
      ],
      expected: { text: 'Hi.', usage: { inputTokens: 11, outputTokens: 4 }, cost: '0.000093', calls: 2 },
    },
    'prompt-too-long': {
      request: { model: sonnet, messages: ask('A long story.') },
      answer: {
        status: 400,
        body: '{"error":{"code":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum","type":"invalid_request_error","param":null}}',
      },
      expected: refused('context_length_exceeded', 400, { says: 'prompt is too long' }),
    },
  },
};
