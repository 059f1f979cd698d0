import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Exchange, ExchangeWorld, events } from '../support/exchanges/exchange-world.ts';
import type { ReceivedCall } from '../support/exchanges/scripted-provider.ts';

const usage = { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 };
const piece = (content: string, finish: string | null = null) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta: { content }, finish_reason: finish }],
});
const streamed = {
  body: events(piece('Hel'), piece('lo', 'stop'), { id: 'chatcmpl-1', choices: [], usage }, '[DONE]'),
};
const whole = {
  body: JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
    usage,
  }),
};
const refusal = (error: object | string, status = 400) => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(typeof error === 'string' ? { detail: error } : { error }),
});
const settingsOf = ({ body: { messages: _, model: __, ...settings } }: ReceivedCall) => settings;

let exchanges: ExchangeWorld;
beforeAll(async () => {
  exchanges = await ExchangeWorld.start({
    AI_OPENAI_RETRY_ATTEMPTS: '0',
    AI_REFUSE_OVERFLOW: 'true',
  });
});
afterAll(() => exchanges?.close());

const run = (exchange: Exchange) => exchanges.run(exchange);

describe('defaults', () => {
  it.each([
    ['gpt-4o-mini', { temperature: 0.7, max_tokens: 4_000 }],
    ['gpt-5.4-mini', { temperature: 0.7, max_completion_tokens: 4_000 }],
    ['gpt-5.5', {}],
    ['gpt-5.9-turbo', {}],
    ['llama3.2:3b', {}],
  ])('that %s is sent', async (model, expected) => {
    const { response, calls } = await run({ request: { model }, answer: streamed });
    expect(response.status).toBe('COMPLETED');
    const { stream: _, stream_options: __, ...sent } = settingsOf(calls[0] as ReceivedCall);
    expect(sent).toEqual(expected);
  });

  it('leave room for three images given by URL', async () => {
    const parts = [1, 2, 3].map((n) => ({ type: 'image_url', url: `https://example.com/${n}.png` }));
    const { calls } = await run({ request: { messages: [{ role: 'user', parts }] }, answer: streamed });
    expect(calls[0]?.body['max_tokens']).toBe(4_000);
  });

  it('do not prevent sampling by gpt-5.1, which accepts it without reasoning', async () => {
    const request = { model: 'gpt-5.1', temperature: 0.2, topP: 0.9, logprobs: true };
    const { response, calls } = await run({ request, answer: streamed });
    expect(response.status).toBe('COMPLETED');
    expect(calls[0]?.body).toMatchObject({ temperature: 0.2, top_p: 0.9, logprobs: true });
    const reasoning = await run({ request: { ...request, reasoningEffort: 'low' }, answer: streamed });
    expect(reasoning.response.error).toMatchObject({ code: 'invalid_request', param: 'temperature' });
  });
});

describe('an unknown model', () => {
  const messages = [{ role: 'user', content: 'Hello' }];

  it.each(['max_tokens', 'max_completion_tokens'])(
    'is sent the limit as the caller wrote it: %s',
    async (name) => {
      const body = { model: 'qwen-next', messages, [name]: 77, temperature: 1.5 };
      const { response, calls } = await run({ body, answer: streamed });
      expect(response.status).toBe('COMPLETED');
      const { stream: _, stream_options: __, ...sent } = settingsOf(calls[0] as ReceivedCall);
      expect(sent).toEqual({ [name]: 77, temperature: 1.5 });
    },
  );
});

describe('a server that refuses parameters added by the service', () => {
  const noOptions = refusal({
    message: 'Unrecognized request argument supplied: stream_options',
    type: 'invalid_request_error',
    param: null,
    code: null,
  });

  it('is called again without stream_options, then and from then on', async () => {
    const request = { model: 'no-options-1' };
    const first = await run({ request, answer: [noOptions, streamed] });
    expect(first.response).toMatchObject({ status: 'COMPLETED', acceptedAttempt: 2 });
    expect(first.calls.map(({ body }) => 'stream_options' in body)).toEqual([true, false]);
    expect(first.cost?.calls.map(({ disposition }) => disposition)).toEqual(['ACCEPTED']);
    expect(first.response.usage).toMatchObject({ inputTokens: 9, outputTokens: 2 });
    const second = await run({ request, answer: streamed });
    expect(second.calls.map(({ body }) => 'stream_options' in body)).toEqual([false]);
    const other = await run({ request: { model: 'other-1' }, answer: streamed });
    expect(other.calls[0]?.body).toHaveProperty('stream_options');
  });

  it('causes a lasting change only when it accepts the other call', async () => {
    const request = { model: 'no-options-2' };
    const first = await run({ request, answer: [noOptions, refusal({ message: 'bad', code: 'x' })] });
    expect(first.response.status).toBe('FAILED');
    expect(first.calls).toHaveLength(2);
    const second = await run({ request, answer: streamed });
    expect(second.calls[0]?.body).toHaveProperty('stream_options');
  });

  it('may also refuse the name of the token limit', async () => {
    const body = {
      model: 'no-newer-name',
      messages: [{ role: 'user', content: 'Hi' }],
      max_completion_tokens: 12,
    };
    const noName = refusal("Extra inputs are not permitted: ['body', 'max_completion_tokens']", 422);
    const { response, calls } = await run({ body, answer: [noOptions, noName, streamed] });
    expect(response.status).toBe('COMPLETED');
    expect(settingsOf(calls[2] as ReceivedCall)).toEqual({ stream: true, max_tokens: 12 });
  });

  it.each([true, false])(
    'is asked once for the whole answer when it refuses to stream (stream: %s)',
    async (stream) => {
      const request = { model: `unverified-${stream}`, stream };
      const unverified = refusal({
        message: 'Your organization must be verified to stream this model.',
        type: 'invalid_request_error',
        param: 'stream',
        code: 'unsupported_value',
      });
      const first = await run({ request, answer: [unverified, whole] });
      expect(first.response).toMatchObject({ status: 'COMPLETED', choices: [{ content: 'Hello' }] });
      expect(first.calls.map(({ body }) => body['stream'])).toEqual([true, false]);
      expect(first.text).toBe(stream ? 'Hello' : '');
      const second = await run({ request, answer: whole });
      expect(second.response.status).toBe('COMPLETED');
      expect(second.calls.map(({ body }) => body['stream'])).toEqual([false]);
    },
  );
});

describe('schemas that the service cannot check', () => {
  const called = {
    body: events(
      {
        id: 'chatcmpl-1',
        choices: [
          {
            index: 0,
            delta: {
              role: 'assistant',
              tool_calls: [
                {
                  index: 0,
                  id: 'call_1',
                  type: 'function',
                  function: { name: 'find', arguments: '{"a":"b"}' },
                },
              ],
            },
            finish_reason: 'tool_calls',
          },
        ],
      },
      { id: 'chatcmpl-1', choices: [], usage },
      '[DONE]',
    ),
  };

  it.each([
    ['pattern', { properties: { a: { type: 'string', pattern: '(?i)^B$' } } }],
    ['dialect', { properties: { b: { minimum: 0, exclusiveMinimum: true } } }],
    ['characters', { description: 'long '.repeat(20_000), type: 'object' }],
  ])('are sent, and the answer names the reason: %s', async (reason, schema) => {
    const parametersJson = JSON.stringify(schema);
    const request = { tools: [{ type: 'function', name: 'find', parametersJson }] };
    const { response, calls } = await run({ request, answer: called });
    expect(calls[0]?.body['tools']).toMatchObject([{ function: { parameters: schema } }]);
    expect(response.choices[0]?.toolCalls).toMatchObject([
      { valid: null, problems: [{ code: 'not_checked', message: expect.stringContaining(reason) }] },
    ]);
  });
});

describe('a request above the context window', () => {
  it('is refused before any call if configured', async () => {
    const messages = [{ role: 'user', content: 'one more word '.repeat(60_000) }];
    const { response, calls, cost } = await run({ request: { messages }, answer: streamed });
    expect(response).toMatchObject({
      status: 'FAILED',
      error: { code: 'context_length_exceeded', retryable: false, param: 'messages' },
    });
    expect(calls).toEqual([]);
    expect(cost).toBeNull();
  });

  it.each([
    [
      'context_length_exceeded',
      400,
      { error: 'prompt too long; exceeded max context length by 1032 tokens' },
    ],
    [
      'context_length_exceeded',
      422,
      { error: 'Input validation error: `inputs` must have less than 8 tokens' },
    ],
    [
      'rate_limited',
      429,
      { error: { code: 'rate_limit_exceeded', message: 'Request too large: Limit 3, Requested 5' } },
    ],
  ])('is %s by the error of HTTP %i, and is not retried', async (code, status, error) => {
    const headers = { 'content-type': 'application/json' };
    const answer = { status, headers, body: JSON.stringify(error) };
    const { response, calls } = await run({ answer });
    expect(response.error).toMatchObject({ code, retryable: false });
    expect(calls).toHaveLength(1);
  });
});
