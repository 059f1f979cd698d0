import { inspect } from 'node:util';
import { APIConnectionError, APIError } from 'openai';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { mapError, mapErrorBody } from '../../../../src/adapters/openai/errors/map-error.ts';
import { ChatFailure } from '../../../../src/domain/failures/chat-failure.ts';

const apiKey = 'my-own-gateway-secret-9876';
const context = { provider: 'openai', model: 'gpt-4o', apiKey };
const now = Date.parse('2026-01-01T00:00:00Z');

type Body = Record<string, unknown> | string | undefined;

/** The error that the SDK throws for an HTTP answer. */
function httpError(status: number, error: Body, headers: Record<string, string> = {}): ChatFailure {
  const all = new Headers({ 'x-request-id': 'req_9', ...headers });
  const body = error === undefined ? undefined : { error };
  return mapError(APIError.generate(status, body, 'text of a body that is no JSON', all), context, now);
}

describe('an HTTP error', () => {
  it.each([
    [
      400,
      { type: 'invalid_request_error', param: 'temperature', code: 'unsupported_value' },
      'invalid_request',
      false,
    ],
    [
      400,
      { type: 'invalid_request_error', code: 'context_length_exceeded' },
      'context_length_exceeded',
      false,
    ],
    [
      400,
      { message: "This model's maximum context length is 4096 tokens.", code: 400 },
      'context_length_exceeded',
      false,
    ],
    [
      422,
      'Input validation error: `inputs` must have less than 1024 tokens',
      'context_length_exceeded',
      false,
    ],
    [400, 'Input is too long for requested model.', 'context_length_exceeded', false],
    [413, { message: 'prompt is too long: 210000 tokens' }, 'context_length_exceeded', false],
    [500, { message: 'Requested tokens (9) exceed context window of 4' }, 'context_length_exceeded', false],
    [400, { type: 'exceed_context_size_error' }, 'context_length_exceeded', false],
    [429, { message: 'too many tokens, please wait' }, 'rate_limited', true],
    [503, { message: 'prompt is too long' }, 'provider_unavailable', true],
    [
      429,
      { code: 'rate_limit_exceeded', message: 'Request too large (TPM): Limit 30, Requested 50' },
      'rate_limited',
      false,
    ],
    [
      413,
      { code: 'rate_limit_exceeded', type: 'tokens', message: 'Request too large: Limit 6, Requested 8' },
      'rate_limited',
      false,
    ],
    [400, { code: 'content_policy_violation' }, 'content_filtered', false],
    [400, { code: 'content_filter' }, 'content_filtered', false],
    [400, { type: 'invalid_request_error', code: 'invalid_prompt' }, 'content_filtered', false],
    [401, { code: 'invalid_api_key' }, 'invalid_credentials', false],
    [401, { code: null, message: 'You must be a member of an organization' }, 'invalid_credentials', false],
    [402, { message: 'Insufficient balance' }, 'quota_exceeded', false],
    [403, { code: 'unsupported_country_region_territory' }, 'permission_denied', false],
    [404, { code: 'model_not_found' }, 'model_not_found', false],
    [408, {}, 'timeout', true],
    [409, {}, 'provider_error', true],
    [413, {}, 'invalid_request', false],
    [422, { code: 422 }, 'invalid_request', false],
    [429, { type: 'requests', code: 'rate_limit_exceeded' }, 'rate_limited', true],
    [429, { code: 'slow_down' }, 'rate_limited', true],
    [429, {}, 'rate_limited', true],
    [429, { type: 'insufficient_quota', code: 'insufficient_quota' }, 'quota_exceeded', false],
    [429, { type: 'insufficient_quota', code: 'rate_limit_exceeded' }, 'quota_exceeded', false],
    [429, { code: 'credit_balance_exhausted' }, 'quota_exceeded', false],
    [429, { code: 'organization_spend_limit_exceeded' }, 'quota_exceeded', false],
    [429, { code: 'project_spend_limit_exceeded' }, 'quota_exceeded', false],
    [429, { code: 'organization_usage_limit_exceeded' }, 'quota_exceeded', false],
    [500, { type: 'server_error' }, 'provider_error', true],
    [500, { code: 500 }, 'provider_error', true],
    [502, undefined, 'provider_unavailable', true],
    [503, { type: 'service_unavailable_error', code: 'server_is_overloaded' }, 'provider_unavailable', true],
    [504, '<html>', 'provider_unavailable', true],
    [520, undefined, 'provider_error', true],
    [302, undefined, 'provider_error', false],
    [400, { code: 'constructor' }, 'invalid_request', false],
  ])('%i %j is %s', (status, error: Body, code, retryable) => {
    expect(httpError(status, error)).toMatchObject({
      code,
      retryable,
      httpStatus: status,
      providerRequestId: 'req_9',
    });
  });

  it('carries the provider’s details, and states what happened and what to do', () => {
    const failure = httpError(400, {
      message: "Unsupported value: 'temperature' does not support 3.",
      type: 'invalid_request_error',
      param: 'temperature',
      code: 'unsupported_value',
    });
    expect(failure).toMatchObject({
      param: 'temperature',
      providerCode: 'unsupported_value',
      providerType: 'invalid_request_error',
    });
    expect(failure.message).toBe(
      'openai refused or failed the call of gpt-4o (HTTP 400, unsupported_value, parameter temperature). ' +
        'The request asks for something that the provider does not accept; correct the named parameter.',
    );
    expect(failure.providerMessage).toBe("Unsupported value: 'temperature' does not support 3.");
  });

  it('has its numeric code as text', () => {
    expect(httpError(422, { code: 422, type: null }).providerCode).toBe('422');
  });

  it('has the provider’s words for the caller, and not in any field that is logged', () => {
    const words = 'my diary';
    for (const failure of [
      httpError(400, { message: words, param: 'messages[0].content', code: 'invalid_value' }),
      httpError(400, { message: words, code: 'unsupported_parameter' }),
      httpError(400, { message: words }),
      httpError(400, words),
      httpError(401, { message: words, code: 'invalid_api_key' }),
      httpError(429, { message: words }),
      httpError(500, { message: words, type: 'server_error' }),
      httpError(503, words),
    ]) {
      expect(failure.providerMessage).toBe(words);
      expect(failure.message).not.toContain(words);
      expect(failure.cause).toBeUndefined();
      expect(JSON.stringify(pino.stdSerializers.err(failure))).not.toContain(words);
      expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain(words);
    }
  });

  it('has no words when the provider sent none', () => {
    for (const failure of [
      httpError(400, { code: 'x' }),
      httpError(502, undefined),
      httpError(500, { message: ' ' }),
    ])
      expect(failure.providerMessage).toBeNull();
  });

  it('leaks no key that the provider repeats', () => {
    const message = `Bad key sk-proj-abcdefgh12345678 or ${apiKey}, header was "Bearer tok.en-1".`;
    const failure = httpError(401, { message, code: `invalid ${apiKey}` });
    const shown = `${failure.providerMessage} ${failure.providerCode}`;
    expect(shown).toContain('sk-…5678');
    expect(shown).toContain('sk-…9876');
    expect(shown).toContain('Bearer …');
    expect(shown).not.toMatch(/abcdefgh|gateway|tok\.en/);
  });

  it('masks known forms of keys even when the service has no key', () => {
    const headers = new Headers();
    const error = APIError.generate(
      401,
      { error: { message: 'Key sk-1234567890abcd is wrong' } },
      undefined,
      headers,
    );
    const failure = mapError(error, { ...context, apiKey: '' }, now);
    expect(failure.providerMessage).toBe('Key sk-…abcd is wrong');
    expect(failure.providerRequestId).toBeNull();
  });

  it('cuts a long message', () => {
    const { providerMessage } = httpError(429, {
      message: `${'é '.repeat(2_047)}🗼🗼${' x'.repeat(30_000)}`,
    });
    expect(providerMessage).toBe(`${'é '.repeat(2_047)}…`);
  });
});

describe("the provider's retry hints", () => {
  it.each([
    [{ 'retry-after-ms': '1500.2', 'retry-after': '9' }, 1501],
    [{ 'retry-after': '2.5' }, 2500],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:00:07 GMT' }, 7000],
    [{ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [{ 'retry-after-ms': 'soon', 'retry-after': '4' }, 4000],
    [{ 'retry-after': '2m59.56s' }, 179_560],
    [{ 'retry-after': '1500ms' }, 1500],
    [{ 'retry-after': '1h2m3s' }, 3_723_000],
    [{ 'retry-after': ' 7S ' }, 7000],
    [{ 'retry-after-ms': '1500ms' }, 1500],
    [{ 'retry-after': '2m59.56' }, null],
    [{ 'retry-after-ms': '2s', 'retry-after': '9' }, 2000],
    [{ 'retry-after': '40d' }, 2_678_400_000],
    [{ 'retry-after': '5 minutes' }, null],
    [{ 'retry-after': '-5' }, null],
    [{ 'retry-after': ' ' }, null],
    [{ 'retry-after': 'never' }, null],
    [{}, null],
  ])('%j is a wait of %s ms', (headers: Record<string, string>, retryAfterMs) => {
    expect(httpError(429, {}, headers).retryAfterMs).toBe(retryAfterMs);
  });

  it('not to retry is obeyed, and to retry only where it can help', () => {
    const wish = (status: number, error: Body, value: string): boolean =>
      httpError(status, error, { 'x-should-retry': value }).retryable;
    expect(wish(503, {}, 'false')).toBe(false);
    expect(wish(404, {}, 'true')).toBe(true);
    expect(wish(429, { code: 'insufficient_quota' }, 'true')).toBe(false);
    expect(wish(401, {}, 'true')).toBe(false);
  });
});

describe('an error without a status', () => {
  const inStream = (error: unknown): ChatFailure =>
    mapErrorBody(error, { httpStatus: null, headers: null, providerRequestId: null }, context, now);

  it.each([
    [{ type: 'server_error' }, 'provider_error', true],
    [{ code: 'server_is_overloaded' }, 'provider_unavailable', true],
    [{ code: 'rate_limit_exceeded' }, 'rate_limited', true],
    [{ type: 'invalid_request_error', code: null }, 'invalid_request', false],
    [{ code: 'content_filter' }, 'content_filtered', false],
    [{ code: 502, message: 'upstream' }, 'provider_unavailable', true],
    [{ code: 429 }, 'rate_limited', true],
    [{ code: 400 }, 'invalid_request', false],
    [{ code: 200 }, 'provider_error', true],
    ['no object at all', 'provider_error', true],
  ])('inside a stream, %j is %s', (error, code, retryable) => {
    expect(inStream(error)).toMatchObject({ code, retryable, httpStatus: null, retryAfterMs: null });
  });

  it('is a network error when there was no connection, and names the innermost reason', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const nested = new TypeError('fetch failed', { cause: refused });
    const failure = mapError(new APIConnectionError({ cause: nested }), context, now);
    expect(failure).toMatchObject({ code: 'provider_unavailable', retryable: true });
    expect(failure.cause).toMatchObject({
      name: 'Error',
      message: 'connect ECONNREFUSED',
      code: 'ECONNREFUSED',
    });
    expect(failure.message).toContain('ECONNREFUSED');
    const both = new AggregateError([refused], 'both families');
    expect(mapError(new APIConnectionError({ cause: both }), context, now).cause).toMatchObject({
      code: 'ECONNREFUSED',
    });
    const bare = mapError(new APIConnectionError({ message: 'gone' }), context, now);
    expect(bare.message).toContain('no code');
  });

  it('is a defect of this service when it does not come from the provider', () => {
    const cause = new TypeError('x is undefined');
    const failure = mapError(cause, context, now);
    expect(failure).toMatchObject({ code: 'internal', retryable: false });
    expect(failure.cause).toMatchObject({ name: 'TypeError', message: 'x is undefined', stack: cause.stack });
    expect(mapError('thrown text', context, now).message).toContain('string');
  });

  it('has a cause without keys and without members that libraries attach', () => {
    const error = Object.assign(new TypeError(`"Bearer ${apiKey}" is an invalid header value`), {
      data: 'my diary',
    });
    delete error.stack;
    const { cause } = mapError(error, context, now);
    expect(cause).not.toHaveProperty('data');
    expect((cause as Error).stack).not.toContain(apiKey);
    expect((cause as Error).stack).toContain('Bearer');
  });

  it('stays unchanged when it is already a failure', () => {
    const failure = new ChatFailure('invalid_request', 'x', false);
    expect(mapError(failure, context, now)).toBe(failure);
  });
});
