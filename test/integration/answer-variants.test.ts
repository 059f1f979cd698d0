import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Exchange, ExchangeWorld, events } from '../support/exchanges/exchange-world.ts';

let world: ExchangeWorld;

beforeAll(async () => {
  world = await ExchangeWorld.start({ AI_OPENAI_TIMEOUT: '2s' });
});
afterAll(() => world?.close());

const usage = { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 };
const piece = (delta: object, choice: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, finish_reason: null, ...choice }],
});
const stop = piece({}, { finish_reason: 'stop' });
const reported = { id: 'chatcmpl-1', object: 'chat.completion.chunk', choices: [], usage };
const text = [piece({ role: 'assistant', content: 'Hel' }), piece({ content: 'lo' })];
const stream = events(...text, stop, reported, '[DONE]');
const whole = (choice: object) => JSON.stringify({ choices: [choice], usage });
const ends = { index: 0, finish_reason: 'stop' };

describe('an answer of one call, read as it is meant', () => {
  it.each<[string, string]>([
    [
      'parts under other names',
      whole({
        ...ends,
        message: {
          content: [
            { type: 'input_text', text: 'Hel' },
            { type: 'text_delta', text: 'lo' },
          ],
        },
      }),
    ],
    [
      'parts with content as text',
      whole({ ...ends, message: { content: [{ type: 'text', content: 'Hello' }] } }),
    ],
    ['lists in a list', whole({ ...ends, message: { content: [[{ type: 'text', text: 'Hel' }], ['lo']] } })],
    ['the text of an older completion', whole({ ...ends, text: 'Hello' })],
    ['a message that is text', whole({ ...ends, message: 'Hello' })],
    ['a finish reason in the message', whole({ message: { content: 'Hello', finish_reason: 'stop' } })],
    ['a finish reason in capital letters', whole({ message: { content: 'Hello' }, finish_reason: 'STOP' })],
    [
      'numbers that JSON does not have',
      whole({ ...ends, message: { content: 'Hello' } }).replace(
        '"index":0',
        '"index":0,"logprobs":{"content":[{"token":"Hello","logprob":-Infinity}]}',
      ),
    ],
    [
      'the whole message at the end of a stream',
      events(...text, { choices: [{ ...ends, message: { role: 'assistant', content: 'Hello' } }], usage }),
    ],
    ['a stream without blank lines', `${stream.replaceAll('\n\n', '\n')}\n`],
    ['a stream inside a stream', stream.replaceAll('data: ', 'data: data: ')],
  ])('%s', async (_, body) => {
    for (const { way, response, text: read, calls } of await world.runEachWay({ answer: { body } })) {
      expect([way, response.status, calls.length, read]).toEqual([way, 'COMPLETED', 1, 'Hello']);
      expect(response.choices).toMatchObject([{ content: 'Hello', finishReason: 'stop', extraJson: null }]);
      expect(response.usage).toMatchObject({ inputTokens: 9, outputTokens: 2, confidence: 'PROVIDER' });
    }
  });

  it('a stream without any finish reason, but with usage and [DONE]', async () => {
    const body = events(...text, reported, '[DONE]');
    for (const { way, response, calls } of await world.runEachWay({ answer: { body } })) {
      expect([way, response.status, calls.length]).toEqual([way, 'COMPLETED', 1]);
      expect(response.choices).toMatchObject([{ content: 'Hello', finishReason: null }]);
    }
  });

  it('control characters inside JSON texts', async () => {
    const body = whole({ ...ends, message: { content: 'HelXlo' } }).replace('X', '\n\t');
    const { response } = await world.run({ answer: { body } });
    expect(response.choices).toMatchObject([{ content: 'Hel\n\tlo', finishReason: 'stop' }]);
  });
});

describe('tool calls', () => {
  const parametersJson = JSON.stringify({ type: 'object', properties: { x: { type: 'integer' } } });
  const request = { tools: [{ type: 'function', name: 'f', parametersJson }] };
  const part = (...tool_calls: object[]) => piece({ tool_calls });
  const f = (args: unknown) => ({ name: 'f', arguments: args });
  const rest = (args: unknown) => ({ function: { arguments: args } });
  const answer = (...pieces: object[]) => ({
    body: events(...pieces, piece({}, { finish_reason: 'tool_calls' }), reported, '[DONE]'),
  });

  it.each<[string, object[]]>([
    [
      'indexes that are numbers in texts',
      [
        part({ index: '0', id: 'a', function: f('{"x":') }, { index: '1', id: 'b', function: f('{"x":') }),
        part({ index: '1', ...rest('2}') }),
        part({ index: '0', ...rest('1}') }),
      ],
    ],
    [
      'an empty object before the arguments',
      [
        part({ index: 0, id: 'a', function: f('{}') }),
        part({ index: 0, ...rest('{"x":') }),
        part({ index: 0, ...rest('1}') }),
        part({ index: 1, id: 'b', function: f({}) }),
        part({ index: 1, ...rest({ x: 2 }) }),
      ],
    ],
    [
      'all arguments once more at the end',
      [
        part({ index: 0, id: 'a', function: f('{"x":') }),
        part({ index: 0, ...rest('1}') }),
        part({ index: 1, id: 'b', function: f('{"x":2}') }),
        part({ index: 0, id: 'a', function: f('{"x":1}') }, { index: 1, id: 'b', function: f('{"x":2}') }),
      ],
    ],
    [
      'calls in an object by number',
      [
        piece({
          tool_calls: { 0: { id: 'a', function: f('{"x":1}') }, 1: { id: 'b', function: f('{"x":2}') } },
        }),
      ],
    ],
  ])('with %s', async (_, pieces) => {
    for (const { way, response, chunks } of await world.runEachWay({ request, answer: answer(...pieces) })) {
      const calls = response.choices[0]?.toolCalls.map((call) => [call.id, call.arguments, call.valid]);
      expect([way, calls]).toEqual([
        way,
        [
          ['a', '{"x":1}', true],
          ['b', '{"x":2}', true],
        ],
      ]);
      const first = chunks.flatMap(({ toolCalls }) => toolCalls).filter(({ index }) => index === 0);
      expect(first.map((call) => call.arguments).join('')).toBe('{"x":1}');
    }
  });

  it('that say nothing hide nothing, and empty arguments arrive', async () => {
    const nothing = piece({ content: 'Hello', function_call: { name: '', arguments: '{}' } });
    const { response } = await world.run({
      request,
      answer: { body: events(nothing, part(rest('{}')), stop, reported) },
    });
    expect(response.choices).toMatchObject([{ content: 'Hello', toolCalls: [] }]);
    const numbered = await world.run({
      request,
      answer: answer(part({ index: 0, id: 7, function: f('{}') })),
    });
    expect(numbered.response.choices[0]?.toolCalls).toMatchObject([
      { id: '7', arguments: '{}', valid: true },
    ]);
    expect(
      numbered.chunks
        .flatMap(({ toolCalls }) => toolCalls)
        .map((call) => call.arguments)
        .join(''),
    ).toBe('{}');
  });
});

describe('errors', () => {
  const error = { message: 'The server is busy.', code: 503 };
  const busy = { code: 'provider_unavailable', providerMessage: 'The server is busy.' };
  const no = (code: string, members: object = {}) => ({ code, providerMessage: 'No.', ...members });
  const json = (value: object, status = 200): Exchange['answer'] => ({
    body: JSON.stringify(value),
    status,
    headers: { 'content-type': 'application/json' },
  });

  it.each<[string, Exchange['answer'], object]>([
    [
      'a title beside the words',
      json({ statusCode: 400, error: 'Bad Request', message: ['No', 'no.'] }, 400),
      { code: 'invalid_request', providerMessage: 'No; no.' },
    ],
    ['an error in an error', json({ error: { error: { message: 'No.' } } }, 400), no('invalid_request')],
    [
      'the words of the provider behind a gateway',
      json({ error: { message: 'Provider returned error', code: 400, metadata: { raw: 'No.' } } }, 400),
      { code: 'invalid_request', providerMessage: 'Provider returned error: No.' },
    ],
    ['an error in detail', json({ detail: { error: 'No.' } }, 400), no('invalid_request')],
    ['msg', json({ msg: 'No.', code: 1301 }, 400), no('invalid_request', { providerCode: '1301' })],
    ['a fault', json({ fault: { faultstring: 'No.' } }, 403), no('permission_denied')],
    [
      'msg with status 200',
      json({ msg: 'No.', code: 1301, success: false }),
      no('provider_error', { providerCode: '1301' }),
    ],
    [
      'error_msg with status 200',
      json({ error_code: 336003, error_msg: 'No.' }),
      no('provider_error', { providerCode: '336003' }),
    ],
    [
      'base_resp with status 200',
      json({ choices: null, base_resp: { status_code: 1004, status_msg: 'No.' } }),
      no('provider_error', { providerCode: '1004' }),
    ],
  ])('in place of an answer: %s', async (_, answer, expected) => {
    const { response } = await world.run({ answer });
    expect(response).toMatchObject({ status: 'FAILED', error: expected });
  });

  const failed = { code: 'provider_error' };
  it.each<[string, string, object]>([
    ['in a delta', events(piece({ error }), '[DONE]'), busy],
    [
      'as DeepSeek’s finish reason',
      events(piece({}, { finish_reason: 'insufficient_system_resource' })),
      failed,
    ],
    ['as a finish reason in capital letters', events(piece({}, { finish_reason: 'ERROR' })), failed],
    ['as a line of JSON', `${JSON.stringify({ error })}\n\n`, busy],
    ['on a line with a capital letter', `Error: ${JSON.stringify(error)}\n\n`, busy],
    [
      'behind a mark',
      events('[ERROR] The server is busy.'),
      { ...failed, providerMessage: 'The server is busy.' },
    ],
  ])('%s end a stream, and what came is kept and billed as reported', async (_, end, expected) => {
    const answer = { body: `${events(...text, reported)}${end}` };
    const request = { restartOnBreak: false };
    for (const { way, response, cost } of await world.runEachWay({ answer, request })) {
      expect([way, response.status]).toEqual([way, 'FAILED']);
      expect(response.error).toMatchObject(expected);
      expect(response.choices).toMatchObject([{ content: 'Hello', extraJson: null }]);
      expect(cost?.usage).toMatchObject({ inputTokens: 9, outputTokens: 2 });
    }
  });

  it('are a whole answer without choices, which is billed once', async () => {
    for (const choices of [[], null]) {
      const { response, calls, cost } = await world.run({
        answer: { body: JSON.stringify({ choices, usage }) },
      });
      expect(response).toMatchObject({
        status: 'FAILED',
        error: { code: 'stream_interrupted', retryable: false },
      });
      expect([calls.length, cost?.usage.inputTokens]).toEqual([1, 9]);
    }
  });
});
