import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
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
  model: 'gpt-4o-mini-2024-07-18',
  choices: [{ index: 0, delta, finish_reason: null, ...choice }],
});
const stop = piece({}, { finish_reason: 'stop' });
const reported = { id: 'chatcmpl-1', object: 'chat.completion.chunk', choices: [], usage };

describe('an ordinary answer', () => {
  const stream: Exchange = {
    answer: {
      body: events(
        piece({ role: 'assistant', content: 'Grüße' }),
        piece({ content: ' 🗼' }),
        stop,
        reported,
        '[DONE]',
      ),
    },
  };
  const whole: Exchange = {
    body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }] },
    answer: {
      body: JSON.stringify(
        {
          id: 'chatcmpl-1',
          model: 'gpt-4o-mini-2024-07-18',
          choices: [{ index: 0, message: { role: 'assistant', content: 'Grüße 🗼' }, finish_reason: 'stop' }],
          usage,
        },
        null,
        1,
      ),
    },
  };
  it.each([
    ['as a stream', stream],
    ['not streamed', whole],
  ])('arrives %s', async (_, exchange) => {
    for (const { way, response, text, cost, calls } of await world.runEachWay(exchange)) {
      expect([way, response.status, text, calls.length]).toEqual([way, 'COMPLETED', 'Grüße 🗼', 1]);
      expect(response.choices).toMatchObject([{ content: 'Grüße 🗼', finishReason: 'stop' }]);
      expect(response.usage).toMatchObject({ inputTokens: 9, outputTokens: 2, confidence: 'PROVIDER' });
      expect(cost).toMatchObject({ costStatus: 'PRICED', calls: [{ attempt: 1 }] });
      expect(calls[0]?.body).toMatchObject({ model: 'gpt-4o-mini', stream: true });
    }
  });
});

const text = [piece({ role: 'assistant', content: 'Grüße' }), piece({ content: ' 🗼' })];
const whole = (choice: object = { finish_reason: 'stop' }, members: object = { usage }) => ({
  id: 'chatcmpl-1',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Grüße 🗼' }, ...choice }],
  ...members,
});

/** One call, answered and billed as the provider reported it. */
async function expectAnswer(exchange: Exchange, finishReason: string | null = 'stop'): Promise<void> {
  for (const { way, response, text: read, cost, calls } of await world.runEachWay(exchange)) {
    expect([way, response.status, response.error?.message]).toEqual([way, 'COMPLETED', undefined]);
    expect([way, calls.length, read]).toEqual([way, 1, 'Grüße 🗼']);
    expect(response.choices).toMatchObject([{ content: 'Grüße 🗼', finishReason }]);
    expect(response.usage).toMatchObject({ inputTokens: 9, outputTokens: 2, confidence: 'PROVIDER' });
    expect(cost).toMatchObject({ costStatus: 'PRICED', usage: { inputTokens: 9, outputTokens: 2 } });
  }
}

describe('content that is not plain text', () => {
  const thinking = { type: 'thinking', thinking: [{ type: 'text', text: 'Twelve squared.' }] };
  const part = (text: string) => ({ type: 'text', text });

  it('as a list of parts becomes their text in order, in chunks and response', async () => {
    const stream = events(
      piece({ role: 'assistant', content: [thinking] }),
      piece({ content: [part('1')] }),
      piece({ content: '4' }),
      piece({ content: [part(''), part('4')] }),
      stop,
      reported,
    );
    const message = { role: 'assistant', content: [thinking, part('1'), part('44')] };
    const answers = [stream, JSON.stringify({ choices: [{ message, finish_reason: 'stop' }], usage })];
    for (const body of answers) {
      for (const { way, response, text } of await world.runEachWay({ answer: { body } })) {
        expect([way, response.choices[0]?.content, text]).toEqual([way, '144', '144']);
        expect(JSON.parse(response.choices[0]?.extraJson ?? '')).toEqual({ content: [thinking] });
      }
    }
  });

  it('as an object becomes its JSON text', async () => {
    const choices = [{ message: { role: 'assistant', content: { answer: [144] } }, finish_reason: 'stop' }];
    const answer = { body: JSON.stringify({ choices, usage }) };
    const request = { responseFormat: { type: 'json_object' } };
    for (const { response, text } of await world.runEachWay({ request, answer })) {
      expect([response.choices[0]?.content, text]).toEqual(['{"answer":[144]}', '{"answer":[144]}']);
      expect(response.choices[0]?.problems).toEqual([]);
    }
  });
});

describe('members that the contract has no field for', () => {
  const citations = ['https://example.com/a', 'https://example.com/b'];
  const chunk = (delta: object, choice: object = {}, members: object = {}) => ({
    ...piece(delta, choice),
    provider: 'Mistral',
    citations,
    ...members,
  });
  const signature = { extra_content: { google: { thought_signature: 'c2lnbmF0dXJl' } } };
  const filtered = { content_filter_results: { hate: { filtered: false } } };

  it('are kept at each level, in chunks and response', async () => {
    const body = events(
      { ...reported, usage: null, choices: [], prompt_filter_results: [{ prompt_index: 0 }] },
      chunk({ role: 'assistant', content: null, reasoning_content: 'ha', channel: 'analysis' }),
      chunk({ content: null, reasoning_content: 'ha', channel: 'analysis' }),
      chunk({ content: 'Hello', channel: 'final' }, { content_filter_results: {} }),
      chunk({ content: ' you' }, filtered),
      chunk({
        tool_calls: [{ index: 0, id: 'call_1', ...signature, function: { name: 'f', arguments: '{}' } }],
      }),
      chunk(
        {},
        { finish_reason: 'tool_calls', native_finish_reason: 'tool_use' },
        { search_results: [{ title: 'A' }] },
      ),
      { ...reported, citations, provider: 'Mistral' },
      '[DONE]',
    );
    const ofAnswer = {
      provider: 'Mistral',
      citations,
      prompt_filter_results: [{ prompt_index: 0 }],
      search_results: [{ title: 'A' }],
    };
    const ofChoice = {
      reasoning_content: 'haha',
      channel: 'final',
      ...filtered,
      native_finish_reason: 'tool_use',
    };
    for (const { way, response, text, chunks } of await world.runEachWay({ answer: { body } })) {
      const [choice] = response.choices;
      expect([way, response.status, text]).toEqual([way, 'COMPLETED', 'Hello you']);
      expect(JSON.parse(response.extraJson ?? '')).toEqual(ofAnswer);
      expect(JSON.parse(choice?.extraJson ?? '')).toEqual(ofChoice);
      expect(JSON.parse(choice?.toolCalls[0]?.extraJson ?? '')).toEqual(signature);
      const inChunks = chunks.flatMap(({ extraJson }) => (extraJson === null ? [] : [JSON.parse(extraJson)]));
      expect(Object.assign({}, ...inChunks)).toEqual({ ...ofAnswer, ...ofChoice, reasoning_content: 'ha' });
      expect(inChunks.filter((extra) => 'citations' in extra)).toHaveLength(1);
      const calls = chunks.flatMap(({ toolCalls }) => toolCalls);
      expect(calls.flatMap(({ extraJson }) => (extraJson === null ? [] : [JSON.parse(extraJson)]))).toEqual([
        signature,
      ]);
    }
  });

  it('include annotations of every type, and odd ones fail nothing', async () => {
    const page = { start_index: 0, end_index: 5, title: 'A', url: citations[0] };
    const file = { type: 'file_citation', file_citation: { file_id: 'file-1' } };
    const long = { type: 'url_citation', url_citation: { ...page, content: 'an excerpt' } };
    const odd = [file, 'text', 7, null, { url_citation: { start_index: -1 } }];
    const annotations = [{ type: 'url_citation', url_citation: page }, long, ...odd];
    const kept = [long, ...odd].filter((one) => one !== null);
    const streams = [
      events(piece({ content: 'Hello', annotations }), stop, reported),
      events(
        piece({ content: 'Hello' }),
        piece({ annotations: annotations.slice(0, 3) }),
        piece({ annotations: annotations.slice(3) }),
        stop,
        reported,
      ),
    ];
    for (const body of streams) {
      for (const { way, response } of await world.runEachWay({ answer: { body } })) {
        const [choice] = response.choices;
        expect([way, response.status, choice?.annotations.length]).toEqual([way, 'COMPLETED', 2]);
        expect(JSON.parse(choice?.extraJson ?? '')).toEqual({ annotations: kept });
      }
    }
  });

  it('are in the response of a whole answer without chunks, too', async () => {
    const body = JSON.stringify({ ...whole({ finish_reason: 'stop', stop_reason: 106 }), citations });
    for (const { response, chunks } of await world.runEachWay({
      answer: { body },
      request: { stream: false },
    })) {
      expect(JSON.parse(response.extraJson ?? '')).toEqual({ citations });
      expect(JSON.parse(response.choices[0]?.extraJson ?? '')).toEqual({ stop_reason: 106 });
      expect(chunks).toEqual([]);
    }
  });
});

describe('a complete answer stays complete', () => {
  const behind = events(...text, stop, reported);
  const beside = events(...text, { ...stop, usage });
  const before = events(...text, reported, stop);

  it.each<[string, string, ('end' | 'cut' | 'open')?]>([
    ['silence', '', 'open'],
    ['[DONE] and an open connection', 'data: [DONE]\n\n', 'open'],
    ['[DONE] with blanks', 'data:  [DONE] \t\n\n'],
    ['[DONE] with blanks and an open connection', 'data: [DONE] \n\n', 'open'],
    ['[DONE] as a JSON text', 'data: "[DONE]"\n\n'],
    ['a ping', 'event: ping\ndata: {"type":"ping"}\n\n'],
    ['a ping in words and an open connection', 'event: ping\ndata: pong\n\n: wait\n\n', 'open'],
    ['null', 'data: null\n\ndata: [DONE]\n\n'],
    ['empty data', 'data:\n\ndata:   \n\n'],
    ['junk', 'data: bye\n\nnonsense\n\ndata: [DONE]\n\n'],
    ['broken JSON', 'data: {"choices":[{"delta"\n\n'],
    ['broken JSON without an end', 'data: {"choices":[{"delta"'],
    ['a list that is no chunk', 'data: [1]\n\n', 'open'],
    ['an error', 'data: {"error":{"message":"too late","code":500}}\n\n'],
    ['a broken connection', '', 'cut'],
    ['nothing', ''],
  ])('before %s', async (_, rest, ending = 'end') => {
    for (const start of [behind, beside, before])
      await expectAnswer({ answer: { body: `${start}${rest}`, ending } });
  });

  it('when the provider reports no usage and falls silent', async () => {
    const answer = { body: events(...text, stop), ending: 'open' as const };
    for (const { way, response, calls } of await world.runEachWay({ answer })) {
      expect([way, response.status, calls.length]).toEqual([way, 'COMPLETED', 1]);
      expect(response.usage).toMatchObject({ confidence: 'ESTIMATED' });
    }
  });
});

describe('the first bytes decide the kind of answer', () => {
  const stream = events(...text, stop, reported, '[DONE]');
  const json = JSON.stringify(whole(), null, 2);
  const typed = (type: string) => ({ 'content-type': type });

  it.each<[string, Exchange['answer']]>([
    ['a stream called JSON', { body: stream, headers: typed('application/json') }],
    ['a stream called HTML', { body: `: hello\n\n${stream}`, headers: typed('text/html') }],
    ['a stream of an unknown type', { body: `\n\n${stream}`, headers: typed('application/octet-stream') }],
    ['JSON called a stream', { body: `\uFEFF\n ${json}`, headers: typed('text/event-stream') }],
    ['JSON called plain text', { body: json, headers: typed('text/plain') }],
    ['JSON behind which the connection stays open', { body: json, ending: 'open' }],
    ['JSON behind which the connection breaks', { body: `${json}\n`, ending: 'cut' }],
    [
      'chunks as lines of JSON',
      { body: [...text, stop, reported].map((chunk) => `${JSON.stringify(chunk)}\n`).join('') },
    ],
    ['chunks as a JSON list', { body: JSON.stringify([...text, stop, reported]) }],
    ['a compressed stream', { body: gzipSync(stream), headers: { 'content-encoding': 'gzip' } }],
    ['a compressed stream that does not say so', { body: gzipSync(stream) }],
    ['compressed JSON', { body: gzipSync(json), headers: typed('application/json') }],
    ['JSON called compressed', { body: json, headers: { 'content-encoding': 'gzip' } }],
    ['a deflated stream', { body: deflateSync(stream), headers: { 'content-encoding': 'deflate' } }],
    ['deflated JSON that does not say so', { body: deflateSync(json) }],
    ['a bare deflated stream', { body: deflateRawSync(stream), headers: { 'content-encoding': 'deflate' } }],
    ['a stream in Brotli', { body: brotliCompressSync(stream), headers: { 'content-encoding': 'br' } }],
    ['JSON in Brotli', { body: brotliCompressSync(json), headers: { 'content-encoding': 'br' } }],
    ['a stream in Zstandard', { body: zstdCompressSync(stream), headers: { 'content-encoding': 'zstd' } }],
    ['JSON in Zstandard that does not say so', { body: zstdCompressSync(json) }],
    ['a stream called Brotli', { body: stream, headers: { 'content-encoding': 'br' } }],
    ['JSON called deflated', { body: json, headers: { 'content-encoding': 'deflate' } }],
  ])('%s', async (_, answer) => {
    await expectAnswer({ answer });
  });

  it('and decompression has limits', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 'x'));
    const start = gzipSync(events(...text));
    const brotliBomb = brotliCompressSync(Buffer.alloc(16 * 1024 * 1024, 'x'));
    const answers: [Buffer, string][] = [
      [bomb, 'gzip'],
      [Buffer.concat([start, bomb]), 'gzip'],
      [gzipSync(`{"x":"${' '.repeat(9_000_000)}"}`), 'gzip'],
      [deflateSync(Buffer.alloc(16 * 1024 * 1024, 'x')), 'deflate'],
      [brotliBomb, 'br'],
    ];
    for (const [body, encoding] of answers) {
      const { response, calls } = await world.run({
        answer: { body, headers: { 'content-encoding': encoding } },
      });
      expect(response).toMatchObject({
        status: 'FAILED',
        error: { code: 'provider_error', retryable: false },
      });
      expect(response.error?.message).toContain('sent more than');
      expect(calls).toHaveLength(1);
    }
  });

  it.each([
    ['gzip', gzipSync(stream)],
    ['deflate', deflateSync(stream)],
    ['br', brotliCompressSync(stream)],
    ['zstd', zstdCompressSync(stream)],
  ])('and an answer truncated in %s is interrupted', async (encoding, body) => {
    const answer = { body: body.subarray(0, body.length / 2), headers: { 'content-encoding': encoding } };
    const { response } = await world.run({ answer });
    expect(response).toMatchObject({ status: 'FAILED', error: { code: 'stream_interrupted' } });
  });
});

describe('a whole answer', () => {
  it.each<[string, object]>([
    ['an empty', { finish_reason: '' }],
    ['a null', { finish_reason: null }],
    ['a missing', {}],
  ])('with %s finish reason is an answer', async (_, choice) => {
    await expectAnswer({ answer: { body: JSON.stringify(whole(choice)) } }, null);
  });
});

describe('an error in place of an answer, or of its end', () => {
  const error = { message: 'The server is busy.', code: 503 };
  const headers = { 'content-type': 'application/json' };
  const busy = { code: 'provider_unavailable', providerMessage: 'The server is busy.' };

  it.each<[string, Exchange['answer'], object]>([
    ['error, with status 200', { body: JSON.stringify({ error }) }, busy],
    [
      'error, with status 200, called a stream',
      { body: JSON.stringify({ error }), headers: { 'content-type': 'text/event-stream' } },
      busy,
    ],
    [
      'a list',
      { body: JSON.stringify([{ error }]), headers, status: 400 },
      { code: 'invalid_request', httpStatus: 400, providerMessage: 'The server is busy.' },
    ],
    ['a list with status 200', { body: JSON.stringify([{ error }]), headers }, busy],
    ['errors', { body: JSON.stringify({ errors: [error] }), headers }, busy],
    ['bare members', { body: JSON.stringify({ object: 'error', ...error }), headers }, busy],
    [
      'detail',
      { body: JSON.stringify({ detail: 'Not authenticated' }), headers, status: 401 },
      { code: 'invalid_credentials', providerMessage: 'Not authenticated' },
    ],
    [
      'a list as detail',
      {
        body: JSON.stringify({
          detail: [{ loc: ['body', 'messages', 0, 'role'], msg: 'field required', type: 'missing' }],
        }),
        headers,
        status: 422,
      },
      {
        code: 'invalid_request',
        param: 'messages.0.role',
        providerType: 'missing',
        providerMessage: 'field required',
      },
    ],
    [
      'detail with status 200',
      { body: JSON.stringify({ detail: 'Overloaded' }), headers },
      { code: 'provider_error' },
    ],
    [
      'HTML',
      {
        body: '<html><body>Bad gateway</body></html>',
        headers: { 'content-type': 'text/html' },
        status: 502,
      },
      { code: 'provider_unavailable', httpStatus: 502 },
    ],
    [
      'HTML with status 200',
      { body: '<html></html>', headers: { 'content-type': 'text/html' } },
      { code: 'provider_error' },
    ],
    ['nothing', { body: '', status: 503 }, { code: 'provider_unavailable', httpStatus: 503 }],
    ['nothing with status 200', { body: '', headers }, { code: 'stream_interrupted' }],
    [
      'compressed',
      {
        body: gzipSync(JSON.stringify({ error: { message: 'No.', code: 'model_not_found' } })),
        headers,
        status: 404,
      },
      { code: 'model_not_found', providerMessage: 'No.' },
    ],
  ])('as %s', async (_, answer, expected) => {
    for (const { way, response } of await world.runEachWay({ answer })) {
      expect([way, response.status, response.error]).toEqual([
        way,
        'FAILED',
        expect.objectContaining(expected),
      ]);
      expect(response.choices.map(({ content }) => content ?? '')).toEqual(response.choices.map(() => ''));
    }
  });

  it.each<[string, string, object]>([
    [
      'in a choice',
      events(piece({ content: '' }, { finish_reason: 'error', error }), reported, '[DONE]'),
      busy,
    ],
    [
      'as a finish reason alone',
      events(piece({}, { finish_reason: 'error' }), '[DONE]'),
      { code: 'provider_error' },
    ],
    [
      'beside a choice',
      events({ ...piece({ content: '' }, { finish_reason: 'error' }), error, usage }),
      busy,
    ],
    ['on a line of its own', `error: ${JSON.stringify(error)}\n\n`, busy],
    ['as an event of that name', `event: error\ndata: ${JSON.stringify(error)}\n\n`, busy],
    [
      'in words',
      'event: error\ndata: The server is busy.\n\n',
      { code: 'provider_error', providerMessage: 'The server is busy.' },
    ],
    ['in a list', events([{ error }]), busy],
    [
      'as detail',
      events({ detail: 'The server is busy.' }),
      { code: 'provider_error', providerMessage: 'The server is busy.' },
    ],
  ])('%s of a stream ends it, and the received part is kept and billed', async (_, end, expected) => {
    const answer = { body: `${events(...text, { ...reported, choices: [] })}${end}` };
    for (const { way, response, cost } of await world.runEachWay({
      answer,
      request: { restartOnBreak: false },
    })) {
      expect([way, response.status, response.error]).toEqual([
        way,
        'FAILED',
        expect.objectContaining(expected),
      ]);
      expect(response.choices).toMatchObject([{ content: 'Grüße 🗼' }]);
      expect(cost?.usage).toMatchObject({ inputTokens: 9, outputTokens: expect.any(Number) });
    }
  });

  it('is billed as the provider reported behind its last piece', async () => {
    const little = { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 };
    const long = piece({ content: 'one two three four five six seven eight' });
    const body = events(long, { ...reported, usage: little }, { error });
    for (const { way, response, cost } of await world.runEachWay({
      answer: { body },
      request: { restartOnBreak: false },
    })) {
      expect([way, response.status, cost?.usage.outputTokens]).toEqual([way, 'FAILED', 1]);
    }
  });

  it('is a missing choice, and a complete answer is not retried for it', async () => {
    const one = events(...text, stop, reported);
    for (const body of [`${one}data: [DONE]\n\n`, JSON.stringify(whole())]) {
      for (const { way, response, cost, calls } of await world.runEachWay({
        answer: { body },
        request: { n: 2 },
      })) {
        expect([way, response.status, calls.length]).toEqual([way, 'FAILED', 1]);
        expect(response.error).toMatchObject({ code: 'stream_interrupted', retryable: false });
        expect(response.choices).toMatchObject([{ index: 0, content: 'Grüße 🗼', finishReason: 'stop' }]);
        expect(cost).toMatchObject({ costStatus: 'PRICED', usage: { inputTokens: 9 } });
      }
    }
    const both = events(
      ...text,
      stop,
      piece({ content: 'x' }, { index: 1, finish_reason: 'stop' }),
      reported,
    );
    const { response } = await world.run({ answer: { body: both }, request: { n: 2 } });
    expect(response).toMatchObject({
      status: 'COMPLETED',
      choices: [{ index: 0 }, { index: 1, content: 'x' }],
    });
  });
});

describe('tool calls', () => {
  const tool = (name: string, schema: object) => ({
    type: 'function',
    name,
    parametersJson: JSON.stringify({ type: 'object', ...schema }),
  });
  const required = { properties: { x: { type: 'integer' } }, required: ['x'] };
  const request = { tools: [tool('f', required), tool('get_weather', {})] };
  const part = (call: object, called: object) => piece({ tool_calls: [{ ...call, function: called }] });
  const end = [piece({}, { finish_reason: 'tool_calls' }), reported, '[DONE]'];
  const stream = (...chunks: object[]) => ({ body: events(...chunks, ...end) });

  it.each<[string, object[]]>([
    ['without index', [{}, {}]],
    ['with index 0', [{ index: 0 }, { index: 0 }]],
    ['with index -1', [{ index: -1 }, { index: -1 }]],
    ['with a text as index', [{ index: 'first' }, { index: 'first' }]],
    ['with their own index', [{ index: 0 }, { index: 1 }]],
  ])('%s are distinguished by their ids', async (_, [one, other]) => {
    const answer = stream(
      part({ ...one, id: 'call_1', type: 'function' }, { name: 'f', arguments: '' }),
      part({ ...one }, { arguments: '{"x":' }),
      part({ ...one }, { arguments: '1}' }),
      part({ ...other, id: 'call_2', type: 'function' }, { name: 'f', arguments: { x: 2 } }),
    );
    for (const { way, response, chunks, calls } of await world.runEachWay({ request, answer })) {
      expect([way, response.status, calls.length]).toEqual([way, 'COMPLETED', 1]);
      expect(response.choices[0]?.toolCalls).toEqual([
        {
          id: 'call_1',
          type: 'function',
          name: 'f',
          arguments: '{"x":1}',
          valid: true,
          problems: [],
          extraJson: null,
        },
        {
          id: 'call_2',
          type: 'function',
          name: 'f',
          arguments: '{"x":2}',
          valid: true,
          problems: [],
          extraJson: null,
        },
      ]);
      const pieces = chunks.flatMap(({ toolCalls }) => toolCalls);
      const textAt = (index: number) =>
        pieces.map((call) => (call.index === index ? call.arguments : '')).join('');
      expect([textAt(0), textAt(1)]).toEqual(['{"x":1}', '{"x":2}']);
    }
  });

  it('with names in pieces, without ids and without arguments, are complete calls', async () => {
    const answer = stream(
      part({ index: 0 }, { name: 'get_', arguments: '' }),
      part({ index: 0 }, { name: 'weather', arguments: '' }),
      part({ index: 1 }, { name: 'get_weather', arguments: '{' }),
      part({ index: 1 }, { name: 'get_weather', arguments: '}' }),
      piece({ content: '', function_call: {}, audio: {}, tool_calls: [] }),
    );
    const id = expect.stringMatching(/^call_\w+$/);
    for (const { way, response, chunks } of await world.runEachWay({ request, answer })) {
      const [choice] = response.choices;
      expect([way, choice?.toolCalls]).toEqual([
        way,
        [
          {
            id,
            type: 'function',
            name: 'get_weather',
            arguments: '',
            valid: true,
            problems: [],
            extraJson: null,
          },
          {
            id,
            type: 'function',
            name: 'get_weather',
            arguments: '{}',
            valid: true,
            problems: [],
            extraJson: null,
          },
        ],
      ]);
      expect(choice?.audio).toBeNull();
      const ids = chunks.flatMap(({ toolCalls }) => toolCalls.flatMap((call) => call.id ?? []));
      expect(ids).toEqual(choice?.toolCalls.map((call) => call.id));
    }
  });

  it('of a whole answer may be an object with object arguments, and lack required fields', async () => {
    const tool_calls = { function: { name: 'f', arguments: {} } };
    const message = { role: 'assistant', content: null, tool_calls };
    const body = JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'tool_calls' }], usage });
    for (const { response } of await world.runEachWay({ request, answer: { body } }))
      expect(response.choices[0]?.toolCalls).toMatchObject([
        { name: 'f', arguments: '{}', valid: false, problems: [{ code: 'missing_required' }] },
      ]);
  });
});

it('an answer can be sent back as it came, in JSON and in Avro', async () => {
  const tool_calls = [
    {
      id: 'call_1',
      type: 'function',
      function: { name: 'f', arguments: '{}' },
      extra_content: { google: { thought_signature: 'c2ln' } },
    },
  ];
  const message = {
    role: 'assistant',
    content: 'Wait.',
    annotations: [],
    reasoning_content: 'hm',
    tool_calls,
  };
  const answer = { body: JSON.stringify({ choices: [{ message, finish_reason: 'tool_calls' }], usage }) };
  const user = { role: 'user', content: 'Hello' };
  const tools = [{ type: 'function', function: { name: 'f' } }];
  const result = { role: 'tool', tool_call_id: 'call_1', name: 'f', content: '1' };
  const { annotations: _, ...accepted } = message;
  const json = await world.run({
    body: { model: 'gpt-4o-mini', tools, messages: [user, { ...message, annotations: [{}] }, result] },
    answer,
  });
  expect(json.response.status).toBe('COMPLETED');
  expect(json.calls[0]?.body['messages']).toEqual([user, accepted, result]);

  const choice = json.response.choices[0];
  const avro = await world.run({
    request: {
      tools: [{ type: 'function', name: 'f' }],
      messages: [
        user,
        {
          role: 'assistant',
          content: choice?.content ?? null,
          toolCalls: choice?.toolCalls ?? [],
          extraJson: choice?.extraJson ?? null,
        },
        { role: 'tool', toolCallId: 'call_1', name: 'f', content: '1' },
      ],
    },
    answer,
  });
  expect(avro.response.status).toBe('COMPLETED');
  expect(avro.calls[0]?.body['messages']).toEqual([user, accepted, result]);
});
