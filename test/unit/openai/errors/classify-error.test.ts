import { describe, expect, it } from 'vitest';
import { classifyError, isRetryable } from '../../../../src/adapters/openai/errors/classify-error.ts';

const error = (message: string, members: object = {}) => ({
  httpStatus: 400,
  code: null,
  type: null,
  param: null,
  message,
  ...members,
});

describe('a full context, as reported by', () => {
  it.each([
    ['Ollama', 'the input length exceeds the context length'],
    ['Ollama, when it truncates nothing', 'prompt too long; exceeded max context length by 512 tokens'],
    ['Ollama, earlier', 'input length exceeds maximum context length'],
    ['Perplexity', 'The input length of 140000 tokens exceeds the maximum context window of 127072 tokens.'],
    [
      'TGI',
      'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens and 200 `max_new_tokens`',
    ],
    ['TGI, prompt alone', 'Input validation error: `inputs` must have less than 4095 tokens. Given: 5000'],
    ['vLLM', "This model's maximum context length is 32768 tokens. However, you requested 41648 tokens"],
    [
      'vLLM, prompt alone',
      'The decoder prompt (length 40000) is longer than the maximum model length of 32768.',
    ],
    ['vLLM, nothing left for the answer', 'max_tokens must be at least 1, got -186.'],
    ['Bedrock', 'Input is too long for requested model.'],
    [
      'Bedrock, with counts',
      'Too many input tokens. Max input tokens: 8192, request input token count: 9000',
    ],
    ['Gemini', 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).'],
    ['Gemini, earlier', 'The input token count exceeds the maximum number of tokens allowed 1048576.'],
    ['Anthropic', 'prompt is too long: 210000 tokens > 200000 maximum'],
    [
      'Anthropic, with the limit',
      'input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000',
    ],
    [
      'Mistral',
      'Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length',
    ],
    ['Cohere', 'too many tokens: total number of tokens in the prompt cannot exceed 128000'],
    ['xAI', "This model's maximum prompt length is 131072 but the request contains 537812 tokens."],
    [
      'LM Studio',
      'Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens',
    ],
    ['Fireworks', 'The prompt is too long: 140000, model maximum context length: 131071'],
    [
      'OpenRouter',
      "This endpoint's maximum context length is 32768 tokens. However, you requested about 40000 tokens",
    ],
  ])('%s', (_, message) => {
    expect(classifyError(error(message))).toBe('context_length_exceeded');
    expect(classifyError(error(message, { type: 'invalid_request_error' }))).toBe('context_length_exceeded');
    expect(classifyError(error(message, { httpStatus: 500, type: 'api_error' }))).toBe(
      'context_length_exceeded',
    );
    expect(classifyError(error(message, { httpStatus: null, type: 'invalid_request_error' }))).toBe(
      'context_length_exceeded',
    );
    expect(classifyError(error(message, { httpStatus: null, code: '400' }))).toBe('context_length_exceeded');
  });

  it('llama.cpp, by its type', () => {
    const members = { type: 'exceed_context_size_error', code: '400' };
    expect(classifyError(error('', members))).toBe('context_length_exceeded');
  });

  it.each([
    'max_tokens is too large: 100000. This model supports at most 16384 completion tokens',
    "Invalid 'messages[0].content': string too long. Expected a string with maximum length 1048576",
    'max_tokens must be at least 1, got 0.',
    "Unsupported parameter: 'context_length' is not supported with this model.",
    'Input should be a valid integer',
    'The file is too long to be read.',
    '',
  ])('no server: %s', (message) => {
    expect(classifyError(error(message))).toBe('invalid_request');
  });

  it('does not override a limit, a wrong key or a policy', () => {
    const message = 'Requests exceed the maximum context length is 5';
    expect(classifyError(error(message, { httpStatus: 429 }))).toBe('rate_limited');
    expect(classifyError(error(message, { httpStatus: 401 }))).toBe('invalid_credentials');
    expect(classifyError(error(message, { code: 'content_filter' }))).toBe('content_filtered');
  });

  it('takes linear time for a long text', () => {
    const message = 'prompt input exceeds max_tokens context tokens '.repeat(2_000);
    expect(classifyError(error(`${message}!`))).toBe('invalid_request');
  });
});

describe('a request above the tokens per minute', () => {
  const tooLarge =
    'Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Requested 45000.';
  it.each([
    [429, 'rate_limit_exceeded', tooLarge],
    [413, 'rate_limit_exceeded', tooLarge.replace('min', 'minute')],
    [429, null, 'request too large on tokens per minute'],
  ])('is a limit that waiting cannot overcome: HTTP %s, code %s', (httpStatus, code, message) => {
    const refused = error(message, { httpStatus, code, type: 'tokens' });
    expect(classifyError(refused)).toBe('rate_limited');
    expect(isRetryable('rate_limited', refused, null)).toBe(false);
    expect(isRetryable('rate_limited', refused, 'true')).toBe(false);
  });

  it('is not reported where waiting helps', () => {
    const message =
      'Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000.';
    expect(isRetryable('rate_limited', error(message, { httpStatus: 429 }), null)).toBe(true);
  });
});
