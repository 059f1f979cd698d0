import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskProviderWords } from '../../../../src/adapters/openai/errors/mask-provider-words.ts';

const secret = 'my-own-gateway-secret-9876543210';
const mask = (text: string, most = 4_096) => maskProviderWords(text, secret, most);

describe('the message of a provider', () => {
  it.each([
    "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value is supported.",
    "Invalid schema for function 'get_user': In context=('properties', 'user_id'), 'additionalProperties' is required to be supplied and to be false.",
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_Zk3xYbT0aQ1w",
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 130012 tokens.",
    'The model `gpt-5-nano-2025-08-07` does not exist or you do not have access to it.',
    "Missing required parameter: 'messages[0].content[1].image_url.url'.",
    'Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29013, Requested 2100. Please try again in 2.226s.',
    "Invalid type for 'max_tokens': expected an integer, but got a string instead.",
    'You must provide a model parameter; the user-supplied value was empty',
    'The "api_key" field and the "password" field are unknown',
    'hf_transformers are not available',
  ])('stays unchanged: %s', (words) => {
    expect(mask(words)).toBe(words);
  });

  it.each([
    ['Incorrect API key provided: sk-proj-abcdefgh12345678', 'Incorrect API key provided: sk-…5678'],
    ['Incorrect API key provided: my-gate*****3210.', 'Incorrect API key provided: …'],
    ["API key 'deadbeef and more' is wrong", "API key '…' is wrong"],
    [`Bad key ${secret}`, 'Bad key sk-…3210'],
    ['Invalid token gsk_A1b2C3d4E5f6G7h8 given', 'Invalid token … given'],
    ['xai-0123456789abcdefghij, AIzaSyA-0123456789abcdef, hf_abcdefgh12345678', '…, …, …'],
    ['AKIAIOSFODNN7EXAMPLE', '…'],
    ['jwt eyJhbGciOi.eyJzdWIi.c2ln', 'jwt …'],
    ['call https://me:pass@host/v1?api-key=abc&key=def', 'call https://…@host/v1?api-key=…'],
    ['GET /v1?key=def&alt=json', 'GET /v1?key=…&alt=json'],
  ])('has no key: %s', (words, shown) => {
    expect(mask(words)).toBe(shown);
  });

  it.each([
    ['Authorization: Bearer tok.en-1, accept: */*', 'Authorization: Bearer …, accept: */*'],
    ['authorization=abcdef', 'authorization=…'],
    ['{"authorization":"Bearer tok.en-1","x":1}', '{"authorization":"Bearer …","x":1}'],
    ['{"x-api-key": ["a b c"], "n": 2}', '{"x-api-key": ["…"], "n": 2}'],
    ["{'api-key': 'a1 b2', 'Host': 'h'}", "{'api-key': '…', 'Host': 'h'}"],
    ['{\\"x-goog-api-key\\": \\"a1b2\\"}', '{\\"x-goog-api-key\\": \\"…\\"}'],
    ['Ocp-Apim-Subscription-Key: 0123abcd', 'Ocp-Apim-Subscription-Key: …'],
    ['Cookie: sid=1; theme=dark\nHost: h', 'Cookie: … Host: h'],
    ['OpenAI-Organization: acme', 'OpenAI-Organization: …'],
    ['proxy-authorization: Basic dXNlcjpwYXNz', 'proxy-authorization: Basic …'],
    ['X-Amz-Security-Token: IQoJb3JpZ2lu', 'X-Amz-Security-Token: …'],
  ])('has no value of an echoed header: %s', (words, shown) => {
    expect(mask(words)).toBe(shown);
  });

  it.each([
    [
      'Rate limit reached in organization org-A1b2C3d4 on tokens',
      'Rate limit reached in organization org-… on tokens',
    ],
    ['Project `proj_A1b2C3d4` does not have access', 'Project `proj_…` does not have access'],
    ['service tier of org_01hqk8', 'service tier of org_…'],
    [
      'Your team 3f0c9a52-3c1d-4e5f-8a7b-0123456789ab has used all credits',
      'Your team … has used all credits',
    ],
    ['{"user_id":"user_2abcDEF3456"}', '{"user_id":"user_…"}'],
    ['account_id: 1234567890', 'account_id: …'],
    [
      'projects/acme-prod-1/locations/eu was not found in organization "acme12345"',
      'projects/…/locations/eu was not found in organization "…"',
    ],
    ['arn:aws:bedrock:eu-central-1:123456789012:model/x', 'arn:aws:bedrock:eu-central-1:…:model/x'],
  ])('has no id of the account: %s', (words, shown) => {
    expect(mask(words)).toBe(shown);
  });

  it('is cut when it is long, at whole characters', () => {
    const shown = mask(`${'é'.repeat(4_094)}🗼${' x'.repeat(30_000)}`);
    expect(shown).toBe(`${'é'.repeat(4_094)}…`);
    expect(shown.isWellFormed()).toBe(true);
  });

  it('has no part of a secret that is cut', () => {
    for (let before = 4_040; before < 4_110; before += 1)
      expect(mask(`${'x '.repeat(before / 2)} gsk_ABCDEFGH12345678`)).not.toMatch(/ABC/);
    for (let before = 16_340; before < 16_400; before += 1)
      expect(mask(`${' '.repeat(before)}x-api-key: "ABC DEF GHI JKL"`)).not.toMatch(/ABC|DEF|GHI|JKL/);
  });

  it('is masked in linear time for any content', () => {
    for (const piece of [
      'authorization: ',
      'api-',
      'a-',
      '"',
      '*',
      'eyJ.',
      'org-',
      'user ',
      '://',
      'x_',
      '\\',
      '; a=b',
    ])
      expect(mask(piece.repeat(200_000)).length).toBeLessThanOrEqual(4_096);
  });

  it('never has any header’s value', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, unit: fc.constantFrom('a', 'B', '7', '-', '.', '/', '+', '_') }),
        (value) => {
          expect(mask(`before "x-api-key": "Q${value}Q" after`)).toBe('before "x-api-key": "…" after');
        },
      ),
    );
  });
});
