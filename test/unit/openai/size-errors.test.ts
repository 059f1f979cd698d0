import { describe, expect, it } from 'vitest';
import { saysContextIsFull } from '../../../src/adapters/openai/errors/says-context-is-full.ts';
import { saysLargerThanLimit } from '../../../src/adapters/openai/errors/says-larger-than-limit.ts';

describe('a full context', () => {
  it.each([
    [
      'OpenAI',
      "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
    ],
    [
      'OpenAI, newer',
      'Your input exceeds the context window of this model. Please adjust your input and try again.',
    ],
    [
      'OpenAI, configured',
      'Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.',
    ],
    [
      'vLLM',
      "'max_tokens' or 'max_completion_tokens' is too large: 9. This model's maximum context length is 4096 tokens.",
    ],
    ['vLLM', 'The decoder prompt (length 5000) is longer than the maximum model length of 4096.'],
    ['vLLM', 'The prompt (total length 9000) is too long to fit into the model (context length 4096).'],
    ['SGLang', "The input (5000 tokens) is longer than the model's context length (4096 tokens)."],
    ['SGLang', "Requested token count exceeds the model's maximum context length of 4096 tokens."],
    [
      'TGI',
      'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens',
    ],
    ['TGI', 'Input validation error: `inputs` must have less than 1024 tokens. Given: 1500'],
    ['llama.cpp', 'the request exceeds the available context size, try increasing it'],
    [
      'llama.cpp',
      'request (9001 tokens) exceeds the available context size (4096 tokens), try increasing it',
    ],
    ['llama-cpp-python', 'Requested tokens (5000) exceed context window of 2048'],
    ['Ollama', 'prompt too long; exceeded max context length by 1032 tokens'],
    ['Ollama', 'the input length exceeds the context length'],
    ['LM Studio', 'Trying to keep the first 5000 tokens when context the overflows.'],
    ['LM Studio', 'The number of tokens to keep from the initial prompt is greater than the context length.'],
    ['Perplexity', 'The prompt has 130000 tokens, which exceeds the limit of 127072 tokens.'],
    ['Perplexity', 'Messages token count 200000 exceeds the maximum number of tokens.'],
    [
      'Mistral',
      'Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length',
    ],
    ['xAI', "This model's maximum prompt length is 131072 but the request contains 200000 tokens."],
    ['Groq', 'Please reduce the length of the messages or completion.'],
    ['Gemini', 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).'],
    [
      'Gemini',
      'Unable to submit request because the input token count is 40000 but model only supports up to 32768.',
    ],
    ['Anthropic', 'prompt is too long: 210000 tokens > 200000 maximum'],
    ['Anthropic', 'input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000'],
    ['Bedrock', 'Input is too long for requested model.'],
    ['Bedrock', 'Too many input tokens. Max input tokens: 8192, request input token count: 9001'],
    [
      'Bedrock',
      'The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length.',
    ],
    ['Cohere', 'too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000'],
    ['Fireworks', 'The prompt is too long: 140000, model maximum context length: 131071'],
    ['Moonshot', 'Invalid request: Your request exceeded model token limit: 8192'],
    ['Qwen', 'Range of input length should be [1, 30720]'],
    ['MiniMax', 'context window exceeds limit (2013)'],
    ['Zhipu', 'Prompt exceeds max length'],
    ['GitHub Models', 'Request body too large for gpt-4.1 model. Max size: 8000 tokens.'],
  ])('is recognized in a message of %s', (_server, words) => {
    expect(saysContextIsFull(words)).toBe(true);
  });

  it.each([
    ['max_tokens is too large: 200000. This model supports at most 16384 completion tokens.'],
    ["Invalid 'messages[0].content': string too long. Expected a string with maximum length 1048576."],
    ['messages[2].name exceeds maximum length of 64'],
    ["'user' exceeds the maximum length of 64"],
    ['Unsupported parameter: temperature'],
    ['The file is too long'],
    [''],
  ])('is not recognized in %s', (words) => {
    expect(saysContextIsFull(words)).toBe(false);
  });

  it.each(['input ', 'prompt exceed ', 'tokens', 'limit 1 ', 'inputs tokens + '])(
    'is looked for in time in proportion to the words: %s',
    (words) => {
      expect(saysContextIsFull(words.repeat(20_000))).toBe(false);
      expect(saysLargerThanLimit(words.repeat(20_000))).toBe(false);
    },
  );
});

describe('a request that is larger than a minute’s limit', () => {
  it.each([
    [
      true,
      'Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Requested 50000.',
    ],
    [true, 'Request too large for model `llama` on tokens per minute (TPM): Limit 6000, Requested 8000'],
    [true, 'Rate limit reached on tokens per min (TPM): Limit: 30,000, Used: 0, Requested: ~50,000.'],
    [
      false,
      'Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000.',
    ],
    [false, 'Rate limit reached for requests: Limit 3, Used 3, Requested 1. Please try again in 20s.'],
    [false, 'slow down'],
  ])('%s: %s', (expected, words) => {
    expect(saysLargerThanLimit(words)).toBe(expected);
  });
});
