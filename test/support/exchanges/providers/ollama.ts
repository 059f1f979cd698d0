import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { wireOf } from '../wire-of.ts';
import { ask, delta, finish, functionCall, message, time, tokens, weather } from '../wire-parts.ts';

const { streamed, whole } = wireOf({
  id: 'chatcmpl-338',
  created: 1_741_570_283,
  system_fingerprint: 'fp_ollama',
});

export const ollama: ProviderExchanges = {
  id: 'ollama',
  name: 'Ollama',
  documentation: 'https://docs.ollama.com/api/openai-compatibility',
  prices: { 'qwen3:8b': { input: '0', output: '0' } },
  exchanges: {
    'free-of-charge': {
      request: { model: 'qwen3:8b', messages: ask('Hi.'), stream: true, max_tokens: 64 },
      answer: {
        body: streamed(
          'qwen3:8b',
          [
            delta({ role: 'assistant', content: 'Hi' }),
            delta({ role: 'assistant', content: '.' }),
            finish('stop', { role: 'assistant', content: '' }),
          ],
          tokens(26, 3),
        ),
      },
      expected: {
        text: 'Hi.',
        usage: { inputTokens: 26, outputTokens: 3 },
        cost: '0',
        sent: { max_tokens: 64 },
        notSent: ['temperature', 'max_completion_tokens'],
      },
    },
    'thinking-streamed': {
      request: { model: 'gpt-oss:20b', messages: ask('2 + 2?'), stream: true },
      answer: {
        body: streamed(
          'gpt-oss:20b',
          [
            delta({ role: 'assistant', content: '', reasoning: 'Two and' }),
            delta({ role: 'assistant', content: '', reasoning: ' two.' }),
            delta({ role: 'assistant', content: '4' }),
            finish('stop', { role: 'assistant', content: '' }),
          ],
          tokens(70, 21),
        ),
      },
      expected: {
        text: '4',
        extra: { choice: { reasoning: 'Two and two.' } },
        usage: { inputTokens: 70, outputTokens: 21 },
        cost: { unpriced: 'no_price' },
      },
    },
    'calls-with-one-index': {
      request: {
        model: 'qwen3:8b',
        messages: ask('Weather and time?'),
        tools: [weather, time],
        stream: true,
      },
      answer: {
        body: streamed(
          'qwen3:8b',
          [
            delta({
              role: 'assistant',
              content: '',
              tool_calls: [functionCall('call_k1', 'get_weather', '{"city":"Rome"}', { index: 0 })],
            }),
            delta({
              role: 'assistant',
              content: '',
              tool_calls: [functionCall('call_k2', 'get_time', '{}', { index: 0 })],
            }),
            finish('tool_calls', { role: 'assistant', content: '' }),
          ],
          tokens(160, 44),
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [
          { id: 'call_k1', name: 'get_weather', arguments: '{"city":"Rome"}' },
          { id: 'call_k2', name: 'get_time', arguments: '{}' },
        ],
        usage: { inputTokens: 160, outputTokens: 44 },
        cost: '0',
      },
    },
    'arguments-are-an-object': {
      request: { model: 'qwen3:8b', messages: ask('Weather?'), tools: [weather], stream: false },
      answer: {
        body: whole(
          'qwen3:8b',
          message(
            {
              content: '',
              tool_calls: [{ function: { name: 'get_weather', arguments: { city: 'Rome', unit: 'c' } } }],
            },
            { finish_reason: 'tool_calls' },
          ),
          tokens(150, 20),
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [{ name: 'get_weather', arguments: '{"city":"Rome","unit":"c"}' }],
        usage: { inputTokens: 150, outputTokens: 20 },
        cost: '0',
      },
    },
    'model-not-pulled': {
      request: { model: 'llama9', messages: ask('Hi.') },
      answer: {
        status: 404,
        body: '{"error":{"message":"model \\"llama9\\" not found, try pulling it first","type":"api_error","param":null,"code":null}}\n',
      },
      expected: refused('model_not_found', 404, { says: 'try pulling it first' }),
    },
    'input-exceeds-context': {
      request: { model: 'qwen3:8b', messages: ask('A long story.') },
      answer: {
        status: 400,
        body: '{"error":{"message":"the input length exceeds the context length","type":"invalid_request_error","param":null,"code":null}}',
      },
      expected: refused('context_length_exceeded', 400, { says: 'exceeds the context length' }),
    },
    'error-is-text': {
      request: { model: 'qwen3:8b', messages: ask('Hi.'), logit_bias: { 1: 5 } },
      answer: { status: 400, body: '{"error":"invalid option: logit_bias"}' },
      expected: refused('invalid_request', 400, { says: 'invalid option: logit_bias' }),
    },
  },
};
