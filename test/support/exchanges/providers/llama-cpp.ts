import { events } from '../exchange-world.ts';
import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { wireOfModel } from '../wire-of.ts';
import { ask, delta, finish, functionCall, message, tokens, weather } from '../wire-parts.ts';

const local = 'gemma-3-4b-it-Q4_K_M.gguf';
const { chunk, streamed, whole } = wireOfModel(local, {
  id: 'chatcmpl-XYbO9',
  created: 1_741_570_283,
  system_fingerprint: 'b6123-79c1160b',
});
const timings = { prompt_n: 12, prompt_ms: 35.1, predicted_n: 3, predicted_per_second: 55.2 };
const free = '0';

export const llamaCpp: ProviderExchanges = {
  id: 'llama-cpp',
  name: 'llama.cpp',
  documentation: 'https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md',
  prices: { [local]: { input: '0', output: '0' } },
  exchanges: {
    'timings-streamed': {
      request: { model: local, messages: ask('Hi.'), stream: true, min_p: 0.1 },
      answer: {
        body: events(
          chunk([delta({ role: 'assistant', content: null })]),
          chunk([delta({ content: 'Hi' })]),
          chunk([delta({ content: '.' })]),
          chunk([finish('stop')]),
          chunk([], { usage: tokens(12, 3), timings }),
          '[DONE]',
        ),
      },
      expected: {
        text: 'Hi.',
        extra: { answer: { timings } },
        usage: { inputTokens: 12, outputTokens: 3 },
        cost: free,
        sent: { min_p: 0.1 },
        notSent: ['temperature', 'max_tokens', 'max_completion_tokens'],
      },
    },
    'tool-call-whole': {
      request: { model: local, messages: ask('Weather in Bath?'), tools: [weather], stream: false },
      answer: {
        body: whole(
          message(
            {
              content: null,
              reasoning_content: 'They ask for the weather.',
              tool_calls: [functionCall('', 'get_weather', '{"city":"Bath"}')],
            },
            { finish_reason: 'tool_calls' },
          ),
          tokens(200, 25),
          { id: 'chatcmpl-Tool', timings },
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [{ name: 'get_weather', arguments: '{"city":"Bath"}' }],
        extra: { answer: { timings }, choice: { reasoning_content: 'They ask for the weather.' } },
        usage: { inputTokens: 200, outputTokens: 25 },
        cost: free,
      },
    },
    'context-size-exceeded': {
      request: { model: local, messages: ask('A long story.') },
      answer: {
        status: 400,
        body: JSON.stringify({
          error: {
            code: 400,
            message: 'the request exceeds the available context size, try increasing it',
            type: 'exceed_context_size_error',
            n_prompt_tokens: 4_476,
            n_ctx: 4_096,
          },
        }),
      },
      expected: refused('context_length_exceeded', 400, {
        providerType: 'exceed_context_size_error',
        says: 'available context size',
      }),
    },
    'model-is-loading': {
      request: { model: local, messages: ask('Hi.'), stream: true },
      answer: [
        {
          status: 503,
          body: '{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}',
        },
        {
          body: streamed([delta({ role: 'assistant', content: 'Hi.' }), finish('stop')], tokens(12, 3)),
        },
      ],
      expected: { text: 'Hi.', usage: { inputTokens: 12, outputTokens: 3 }, cost: free, calls: 2 },
    },
    'error-line-in-stream': {
      request: { model: local, messages: ask('Hi.'), stream: true },
      answer: {
        body: `${events(chunk([delta({ role: 'assistant', content: 'H' })]))}error: {"code":400,"message":"slot has no grammar","type":"invalid_request_error"}\n\n`,
      },
      expected: {
        text: 'H',
        finishReason: null,
        usage: { inputTokens: 9, outputTokens: 1, confidence: 'PARTIAL' },
        cost: free,
        error: { code: 'invalid_request', retryable: false, says: 'slot has no grammar' },
      },
    },
  },
};
