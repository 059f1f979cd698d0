import { events } from '../exchange-world.ts';
import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { wireOfModel } from '../wire-of.ts';
import { ask, delta, finish, message, tokens, weather } from '../wire-parts.ts';

const qwen = 'Qwen/Qwen3-32B';
const { chunk, streamed, whole } = wireOfModel(qwen, { id: 'chatcmpl-0a1b', created: 1_741_570_283 });
const unpriced = { unpriced: 'no_price' };

export const vllm: ProviderExchanges = {
  id: 'vllm',
  name: 'vLLM',
  documentation: 'https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html',
  prices: {},
  exchanges: {
    'reasoning-streamed': {
      request: {
        model: qwen,
        messages: ask('2 + 2?'),
        stream: true,
        max_tokens: 200,
        top_k: 20,
        chat_template_kwargs: { enable_thinking: true },
      },
      answer: {
        body: streamed(
          [
            delta({ role: 'assistant', content: '' }, { logprobs: null }),
            delta({ reasoning_content: 'Two ' }, { logprobs: null, token_ids: null }),
            delta({ reasoning_content: 'pairs.' }, { logprobs: null, token_ids: null }),
            delta({ content: '4' }, { logprobs: null }),
            finish('stop', { content: '' }, { logprobs: null, stop_reason: 151_645 }),
          ],
          { prompt_tokens: 20, total_tokens: 29, completion_tokens: 9 },
        ),
      },
      expected: {
        text: '4',
        extra: { choice: { reasoning_content: 'Two pairs.', stop_reason: 151_645 } },
        usage: { inputTokens: 20, outputTokens: 9 },
        cost: unpriced,
        sent: { max_tokens: 200, top_k: 20, chat_template_kwargs: { enable_thinking: true } },
        notSent: ['temperature', 'max_completion_tokens'],
      },
    },
    'empty-members-whole': {
      request: { model: qwen, messages: ask('Hi.'), stream: false },
      answer: {
        body: whole(
          message(
            {
              content: 'Hi.',
              refusal: null,
              annotations: null,
              audio: null,
              function_call: null,
              tool_calls: [],
              reasoning_content: null,
            },
            { logprobs: null, stop_reason: null },
          ),
          tokens(10, 3, { prompt_tokens_details: null }),
          { prompt_logprobs: null, kv_transfer_params: null },
        ),
      },
      expected: { text: 'Hi.', usage: { inputTokens: 10, outputTokens: 3 }, cost: unpriced },
    },
    'tool-call-streamed': {
      request: { model: qwen, messages: ask('Weather in Oslo?'), tools: [weather], stream: true },
      answer: {
        body: streamed(
          [
            delta({ role: 'assistant', content: '' }),
            delta({
              tool_calls: [
                {
                  id: 'chatcmpl-tool-7f3a',
                  type: 'function',
                  index: 0,
                  function: { name: 'get_weather' },
                },
              ],
            }),
            delta({ tool_calls: [{ index: 0, function: { arguments: '{"city": "' } }] }),
            delta({ tool_calls: [{ index: 0, function: { arguments: 'Oslo"}' } }] }),
            finish('tool_calls', { content: '' }, { stop_reason: null }),
          ],
          tokens(180, 22),
        ),
      },
      expected: {
        finishReason: 'tool_calls',
        toolCalls: [{ id: 'chatcmpl-tool-7f3a', name: 'get_weather', arguments: '{"city": "Oslo"}' }],
        usage: { inputTokens: 180, outputTokens: 22 },
        cost: unpriced,
      },
    },
    'error-without-error-member': {
      request: { model: qwen, messages: ask('A long story.') },
      answer: {
        status: 400,
        body: JSON.stringify({
          object: 'error',
          message:
            "This model's maximum context length is 32768 tokens. However, you requested 41648 tokens (37552 in the messages, 4096 in the completion). Please reduce the length of the messages or completion.",
          type: 'BadRequestError',
          param: null,
          code: 400,
        }),
      },
      expected: refused('context_length_exceeded', 400, {
        providerType: 'BadRequestError',
        says: 'maximum context length is 32768',
      }),
    },
    'model-not-served': {
      request: { model: 'Qwen/Qwen9', messages: ask('Hi.') },
      answer: {
        status: 404,
        body: '{"error":{"message":"The model `Qwen/Qwen9` does not exist.","type":"NotFoundError","param":"model","code":404}}',
      },
      expected: refused('model_not_found', 404, {
        param: 'model',
        providerType: 'NotFoundError',
        says: 'does not exist',
      }),
    },
    'error-in-stream': {
      request: { model: qwen, messages: ask('Hi.'), stream: true },
      answer: {
        body: events(
          chunk([delta({ role: 'assistant', content: 'H' })]),
          {
            error: {
              object: 'error',
              message: 'Grammar is invalid',
              type: 'BadRequestError',
              param: null,
              code: 400,
            },
          },
          '[DONE]',
        ),
      },
      expected: {
        text: 'H',
        finishReason: null,
        usage: { inputTokens: 9, outputTokens: 1, confidence: 'PARTIAL' },
        cost: unpriced,
        error: { code: 'invalid_request', retryable: false, providerCode: '400', says: 'Grammar is invalid' },
      },
    },
  },
};
