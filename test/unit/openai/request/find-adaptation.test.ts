import { describe, expect, it } from 'vitest';
import { findAdaptation } from '../../../../src/adapters/openai/request/find-adaptation.ts';

const sent = { stream: true, stream_options: { include_usage: true }, max_completion_tokens: 50 };
const older = { stream: true, max_tokens: 50 };

function found(body: object, text: string | object, param: string | null = null, httpStatus = 400) {
  return findAdaptation(body as Readonly<Record<string, unknown>>, {
    httpStatus,
    param,
    text: typeof text === 'string' ? text : JSON.stringify(text),
  });
}

describe('a refusal of stream_options', () => {
  it.each([
    [
      '{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}',
    ],
    ['{"error":"json: unknown field \\"stream_options\\""}'],
    ['Unrecognized request argument supplied: stream_options'],
    ["{'message': 'property \"stream_options\" is unsupported'}"],
  ])('makes the next call without it: %s', (text) => {
    expect(found(sent, text)).toBe('without_stream_options');
    expect(found(sent, text, null, 422)).toBe('without_stream_options');
  });

  it('is recognized by the parameter alone', () => {
    expect(found(sent, 'no', 'stream_options.include_usage')).toBe('without_stream_options');
  });

  it('is not recognized when it was not sent', () => {
    expect(found(older, 'stream_options is unknown')).toBeNull();
  });
});

describe('a refusal to stream', () => {
  it.each([
    ['Your organization must be verified to stream this model. Please go to the settings.', 'stream'],
    ['Your organization must be verified to use streaming with this model.', null],
    ['Streaming is not supported for this model', null],
    ['This model does not support streaming.', null],
    ['stream mode is unsupported here', null],
    ['Unsupported value: true', 'stream'],
  ])('makes the next call without streaming: %s', (text, param) => {
    expect(found(sent, text, param)).toBe('without_stream');
    expect(found(sent, text, param, 403)).toBe('without_stream');
  });

  it('is not recognized when the call did not stream or something else is refused', () => {
    expect(found({ stream: false }, 'must be verified to stream this model', 'stream')).toBeNull();
    expect(found(sent, 'messages: a stream of thoughts')).toBeNull();
    expect(found(sent, 'tools cannot be used while streaming', 'tools')).toBeNull();
  });
});

describe('a refusal of the limit’s name', () => {
  it.each([
    ['Unrecognized request argument supplied: max_completion_tokens'],
    ['{"detail":[{"loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted"}]}'],
    ["property 'max_completion_tokens' is unsupported, did you mean 'max_tokens'?"],
  ])('makes the next call use the older name: %s', (text) => {
    expect(found({ ...sent, stream_options: undefined }, text)).toBe('max_tokens');
  });

  it('makes the next call use the newer name if the server requires it', () => {
    const text =
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    expect(found(older, text, 'max_tokens')).toBe('max_completion_tokens');
    expect(found(older, "Unrecognized request argument supplied: 'max_tokens'", 'max_tokens')).toBeNull();
  });

  it('is not recognized when the value is refused', () => {
    const text = 'max_tokens is too large: 200000. This model supports at most 16384 completion tokens.';
    expect(found(sent, text, 'max_completion_tokens')).toBeNull();
    expect(found(older, text, 'max_tokens')).toBeNull();
  });
});

describe('other refusals', () => {
  it.each([401, 402, 404, 408, 409, 413, 429, 500, 503, 302])('with status %i change nothing', (status) => {
    expect(found(sent, 'stream_options max_completion_tokens', null, status)).toBeNull();
  });

  it('of the caller’s own parameters change nothing', () => {
    expect(found(sent, 'temperature is not supported; stream_options is', 'temperature')).toBeNull();
    expect(found(sent, 'temperature is not supported')).toBeNull();
  });

  it('of any length are read in linear time', () => {
    const text = `${'stream not '.repeat(6_000)}`;
    expect(found({ stream: true }, text.slice(0, 65_536))).toBeDefined();
  });
});
