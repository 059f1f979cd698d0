import { getEventListeners, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createOpenAiProvider, type OpenAiProvider } from '../../../src/adapters/openai/openai-provider.ts';
import type { ChatFailure } from '../../../src/domain/failures/chat-failure.ts';
import type { ProviderCall, ProviderEvents, ProviderStream } from '../../../src/ports/provider.ts';
import { aCall } from './provider-call.ts';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const apiKey = 'sk-test-key-1234567890';
const stream = { 'content-type': 'text/event-stream; charset=utf-8', 'x-request-id': 'req_1' };
const recording = (name: string) => readFileSync(new URL(`../../fixtures/openai/${name}`, import.meta.url));
const piece = (content: string) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;
const idle = new AbortController().signal;

let answer: Answer;
let requests: { request: IncomingMessage; body: string }[] = [];
let connections = 0;
const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (text: string) => {
    body += text;
  });
  request.on('end', () => {
    requests.push({ request, body });
    answer(response, request);
  });
});
server.on('connection', () => {
  connections += 1;
});

let provider: OpenAiProvider;
let baseUrl: string;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  provider = createOpenAiProvider({ apiKey, baseUrl, account: 'team' });
});
afterEach(() => {
  requests = [];
  vi.unstubAllEnvs();
});
afterAll(async () => {
  await provider.close();
  server.closeAllConnections();
  server.close();
});

async function collect(events: ProviderStream): Promise<ProviderEvents[]> {
  const all: ProviderEvents[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const textOf = (events: readonly ProviderEvents[]) =>
  events.flatMap((event) => event.deltas.map((delta) => delta.content)).join('');

async function failureOf(call: ProviderCall, signal = idle): Promise<ChatFailure> {
  return provider
    .stream(call, signal)
    .then(collect)
    .then(
      () => expect.fail('the call succeeded'),
      (error: unknown) => error as ChatFailure,
    );
}

const answerWith =
  (status: number, headers: Record<string, string>, body: string | Buffer): Answer =>
  (response) =>
    void response.writeHead(status, headers).end(body);

describe('a call', () => {
  it('is one streaming request with key and client request id, and nothing from the environment', async () => {
    vi.stubEnv('OPENAI_ORG_ID', 'org-of-the-environment');
    vi.stubEnv('OPENAI_PROJECT_ID', 'proj-of-the-environment');
    const own = createOpenAiProvider({ apiKey, baseUrl });
    answer = answerWith(200, stream, recording('text.sse'));
    await collect(await own.stream(aCall({}, { clientRequestId: 'réq 1/2' }), idle));
    await own.close();
    expect(requests).toHaveLength(1);
    const [{ request, body } = expect.fail('no request')] = requests;
    expect(request.method).toBe('POST');
    expect(request.url).toBe('/v1/chat/completions');
    expect(request.headers).toMatchObject({
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      'x-client-request-id': 'r_q_1/2',
    });
    expect(request.headers).not.toHaveProperty('openai-organization');
    expect(request.headers).not.toHaveProperty('openai-project');
    expect(JSON.parse(body)).toEqual({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: 'Hello' }],
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it('names organization and project when they are configured', async () => {
    const own = createOpenAiProvider({
      apiKey,
      baseUrl,
      organization: 'org-1',
      project: 'proj-1',
      name: 'mine',
    });
    answer = answerWith(200, stream, recording('text.sse'));
    await collect(await own.stream(aCall(), idle));
    await own.close();
    expect(requests[0]?.request.headers).toMatchObject({
      'openai-organization': 'org-1',
      'openai-project': 'proj-1',
    });
    expect(own).toMatchObject({ name: 'mine', account: null });
    expect(provider).toMatchObject({ name: 'openai', account: 'team' });
  });

  it('returns the answer, its usage, and the model and tier that served it', async () => {
    answer = answerWith(200, stream, recording('text.sse'));
    const answered = await provider.stream(aCall(), idle);
    const events = await collect(answered);
    expect(textOf(events)).toBe('Grüße aus 東京 🗼!\n“Zeile”');
    expect(events.at(-1)?.usage?.inputTokens).toBe(12);
    expect(answered.served).toMatchObject({ responseId: 'chatcmpl-Fx1', providerRequestId: 'req_1' });
  });

  it('yields each read at once, and no empty read', async () => {
    const said = recording('text.sse').toString();
    const [role = '', first = '', ...rest] = said.split(/(?<=\n\n)/);
    const moves: (() => void)[] = [];
    answer = (response) => {
      response.writeHead(200, stream).write(role);
      moves.push(() => response.write(': keep-alive\n\n'));
      moves.push(() => response.write(first));
      moves.push(() => response.end(rest.join('')));
    };
    const contents: string[] = [];
    for await (const event of await provider.stream(aCall(), idle)) {
      contents.push(textOf([event]));
      for (const move of moves.splice(0, moves.length === 3 ? 2 : 1)) move();
    }
    expect(contents.slice(0, 2)).toEqual(['', 'Grüße']);
  });

  it('leaves its connection to the next call, even when the end of the body comes late', async () => {
    const own = createOpenAiProvider({ apiKey, baseUrl });
    const before = connections;
    for (let round = 0; round < 10; round += 1) {
      let end: () => Promise<unknown> = () => Promise.resolve();
      answer = (response) => {
        response.writeHead(200, stream).write(recording('text.sse'));
        end = () => {
          response.end();
          return once(response, 'close');
        };
      };
      await collect(await own.stream(aCall(), idle));
      await end();
    }
    // A connection becomes free shortly after its answer, so that others may be opened in between.
    expect(connections - before).toBeLessThanOrEqual(3);
    await own.close();
  });

  it('keeps no reference to its caller afterwards', async () => {
    answer = answerWith(200, stream, recording('text.sse'));
    const caller = new AbortController();
    await collect(await provider.stream(aCall(), caller.signal));
    await vi.waitFor(() => expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0));
  });

  it('does not wait for the end of the body after [DONE], and closes the connection when it never comes', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    answer = (response) => {
      closed = once(response, 'close');
      response.writeHead(200, stream).write(recording('text.sse'));
    };
    const events = await collect(await provider.stream(aCall({}, { idleTimeoutMs: 25 }), idle));
    expect(events.at(-1)?.usage?.outputTokens).toBe(6);
    await closed;
  });

  it('accepts a complete answer from a server that does not stream', async () => {
    const choices = [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }];
    const headers = { 'content-type': 'application/json' };
    answer = answerWith(200, headers, JSON.stringify({ id: 'c1', model: 'm', choices }));
    const answered = await provider.stream(aCall(), idle);
    expect(textOf(await collect(answered))).toBe('Hi');
    expect(answered.served).toMatchObject({ responseId: 'c1', model: 'm', providerRequestId: null });
  });

  it('that cannot be mapped to the provider’s API is not made', async () => {
    await expect(provider.stream(aCall({ extraJson: '{' }), idle)).rejects.toMatchObject({
      code: 'invalid_request',
    });
    expect(requests).toHaveLength(0);
  });
});

describe('a failed call', () => {
  const json = { 'content-type': 'application/json', 'x-request-id': 'req_2' };

  it("is reported with the provider's message, without the key, and made only once", async () => {
    const error = { message: `Incorrect API key provided: ${apiKey}.`, type: 'x', code: 'invalid_api_key' };
    answer = answerWith(401, json, JSON.stringify({ error }));
    const failure = await failureOf(aCall());
    expect(failure).toMatchObject({
      code: 'invalid_credentials',
      httpStatus: 401,
      providerRequestId: 'req_2',
    });
    expect(failure.providerMessage).toBe('Incorrect API key provided: sk-…7890.');
    expect(failure.message).not.toContain(apiKey);
    expect(requests).toHaveLength(1);
  });

  it.each([
    ['a retryable error', 503, json, '{"error":{"code":"server_is_overloaded"}}', 'provider_unavailable'],
    ['an error outside `error`', 422, json, '{"object":"error","message":"m","code":422}', 'invalid_request'],
    ['an error that is only text', 404, json, '{"error":"model not found"}', 'model_not_found'],
    ['a page of HTML', 502, { 'content-type': 'text/html' }, '<html>', 'provider_unavailable'],
    ['an empty body', 500, {}, '', 'provider_error'],
    ['a redirect', 307, { location: 'http://127.0.0.1:1/', 'set-cookie': 'a=1' }, '', 'provider_error'],
    ['nothing new', 304, {}, '', 'provider_error'],
    ['an error with status 200', 200, json, '{"error":{"code":"rate_limit_exceeded"}}', 'rate_limited'],
    ['HTML with status 200', 200, { 'content-type': 'text/html' }, '<html>', 'provider_error'],
    ['an empty answer', 204, {}, '', 'stream_interrupted'],
  ])('with %s is reported by its code, and made only once', async (_, status, headers, body, code) => {
    answer = answerWith(status, headers as Record<string, string>, body);
    expect(await failureOf(aCall())).toMatchObject({ code });
    expect(requests).toHaveLength(1);
  });

  it('leaks no key that cannot be a header', async () => {
    const own = createOpenAiProvider({ apiKey: 'sk-line-one\nline-two-secret', baseUrl });
    const failure: ChatFailure = await own.stream(aCall(), idle).then(
      () => expect.fail('the call succeeded'),
      (error: unknown) => error as ChatFailure,
    );
    await own.close();
    expect(failure.code).toBe('internal');
    expect(`${failure.stack} ${(failure.cause as Error).stack}`).not.toMatch(/line-(one|two)/);
  });

  it('does not read an endless error body', async () => {
    answer = (response) => {
      response.on('error', () => undefined);
      const write = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', write);
      response.writeHead(500);
      write();
    };
    expect(await failureOf(aCall())).toMatchObject({ code: 'provider_error', httpStatus: 500 });
  });

  it('is unavailable when no server listens or the connection ends before the answer', async () => {
    const unreachable = createOpenAiProvider({ apiKey, baseUrl: 'http://127.0.0.1:1/v1' });
    await expect(unreachable.stream(aCall(), idle)).rejects.toMatchObject({
      code: 'provider_unavailable',
      retryable: true,
      message: expect.stringContaining('ECONNREFUSED'),
    });
    await unreachable.close();
    answer = (response) => void response.destroy();
    expect(await failureOf(aCall())).toMatchObject({ code: 'provider_unavailable', retryable: true });
  });

  it('is interrupted when the connection breaks in mid-stream, after everything that had arrived', async () => {
    // The first bytes identify a stream, regardless of the content type.
    for (const type of ['text/event-stream', 'application/json']) {
      let texts = '';
      answer = (response) => {
        response.writeHead(200, { ...stream, 'content-type': type });
        response.write(piece('Hel'), () => setImmediate(() => response.destroy()));
      };
      const reading = async (): Promise<void> => {
        for await (const event of await provider.stream(aCall(), idle)) texts += textOf([event]);
      };
      await expect(reading()).rejects.toMatchObject({ code: 'stream_interrupted', retryable: true });
      expect(texts).toBe('Hel');
    }
  });

  it('is complete when the connection breaks after the finish reason and the usage', async () => {
    const said = recording('text.sse').toString();
    const breakAfter = async (text: string): Promise<ProviderEvents[]> => {
      answer = (response) => {
        response.writeHead(200, stream);
        response.write(text, () => setImmediate(() => response.destroy()));
      };
      return collect(await provider.stream(aCall(), idle));
    };
    const events = await breakAfter(said.replace('data: [DONE]\n\n', ''));
    expect(textOf(events)).toContain('Zeile');
    expect(events.at(-1)?.usage?.outputTokens).toBe(6);
    const beforeUsage = said.slice(0, said.lastIndexOf('data: {'));
    await expect(breakAfter(beforeUsage)).rejects.toMatchObject({ code: 'stream_interrupted' });
    const besideChoices = recording('text-usage-with-choices.sse').toString().replace('data: [DONE]\n\n', '');
    expect((await breakAfter(besideChoices)).at(-1)?.usage?.outputTokens).toBe(6);
  });

  it('yields what came before an error event in the same read', async () => {
    answer = answerWith(200, stream, recording('error-event.sse'));
    const events: ProviderEvents[] = [];
    const reading = async (): Promise<void> => {
      for await (const event of await provider.stream(aCall(), idle)) events.push(event);
    };
    await expect(reading()).rejects.toMatchObject({ code: 'provider_error', providerRequestId: 'req_1' });
    expect(textOf(events)).toBe('Grüße aus');
  });
});

describe('what the operator adds to each call', () => {
  it('is in its headers and its address', async () => {
    const added = createOpenAiProvider({
      apiKey,
      baseUrl,
      headers: { 'api-key': 'other', 'X-Team': 'blue' },
      query: { 'api-version': '2024-10-21', tier: 'a b' },
    });
    answer = answerWith(200, stream, recording('text.sse'));
    await collect(await added.stream(aCall(), idle));
    const { request } = requests[0] as { request: IncomingMessage };
    expect(request.url).toBe('/v1/chat/completions?api-version=2024-10-21&tier=a%20b');
    expect(request.headers).toMatchObject({
      'api-key': 'other',
      'x-team': 'blue',
      authorization: `Bearer ${apiKey}`,
      'x-client-request-id': 'req-1/1',
    });
    await added.close();
  });
});

describe('silence of the provider', () => {
  it('before the status, before the first piece, or as comments alone, is a timeout', async () => {
    const silent: Answer[] = [
      () => undefined,
      (response) => void response.writeHead(200, stream).flushHeaders(),
      (response) => void response.writeHead(200, stream).write(': wait\n\n'),
    ];
    for (const one of silent) {
      answer = one;
      const failure = await failureOf(aCall({}, { firstTokenTimeoutMs: 25 }));
      expect(failure).toMatchObject({ code: 'timeout', retryable: true });
      expect(failure.message).toContain('did not begin');
    }
  });

  it.each([
    ['nothing else', {}],
    ["the gateway's name", { provider: 'Example' }],
  ])('after a piece with a role and %s is still the wait for the first one', async (_, members) => {
    answer = (response) => {
      const opening = { ...members, choices: [{ index: 0, delta: { role: 'assistant', content: '' } }] };
      response.writeHead(200, stream).write(`data: ${JSON.stringify(opening)}\n\n`);
      setTimeout(() => response.end(recording('text.sse')), 120);
    };
    const limits = { firstTokenTimeoutMs: 10_000, idleTimeoutMs: 30 };
    const events = await collect(await provider.stream(aCall({}, limits), idle));
    expect(textOf(events)).not.toBe('');
  });

  it('of an answer in one piece has a limit of its own', async () => {
    answer = (response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
      const message = { role: 'assistant', content: 'Hi' };
      const body = JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }] });
      setTimeout(() => response.end(body), 120);
    };
    const whole = (limits: Partial<ProviderCall>) => {
      const call = aCall({}, limits);
      return { ...call, model: { ...call.model, streams: false } };
    };
    const limits = { firstTokenTimeoutMs: 30, idleTimeoutMs: 30, unstreamedTimeoutMs: 10_000 };
    expect(textOf(await collect(await provider.stream(whole(limits), idle)))).toBe('Hi');
    const failure = await failureOf(
      whole({ ...limits, firstTokenTimeoutMs: 10_000, unstreamedTimeoutMs: 30 }),
    );
    expect(failure).toMatchObject({ code: 'timeout', outwaited: true });
    expect(failure.message).toContain('AI_OPENAI_UNSTREAMED_TIMEOUT');
  });

  it('between two pieces is a timeout that closes the connection', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    answer = (response) => {
      closed = once(response, 'close');
      response.writeHead(200, stream).write(piece('Hel'));
    };
    const failure = await failureOf(aCall({}, { idleTimeoutMs: 25 }));
    expect(failure).toMatchObject({ code: 'timeout', retryable: true, providerRequestId: 'req_1' });
    expect(failure.message).toContain('sent nothing for 25 ms');
    await closed;
  });
});

describe('an abort by the caller', () => {
  const reason = { because: 'cancelled' };

  /** Returns rejections that are not errors unchanged. */
  const thrownBy = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => expect.fail('the call succeeded'),
      (error: unknown) => error,
    );

  it('before the call makes no call', async () => {
    expect(await thrownBy(provider.stream(aCall(), AbortSignal.abort(reason)))).toBe(reason);
    expect(requests).toHaveLength(0);
  });

  it('while the answer is awaited closes the connection and throws its reason', async () => {
    const caller = new AbortController();
    let closed: Promise<unknown> = Promise.resolve();
    answer = (response) => {
      closed = once(response, 'close');
      caller.abort(reason);
    };
    expect(await thrownBy(provider.stream(aCall(), caller.signal))).toBe(reason);
    await closed;
  });

  it('in mid-stream closes the connection at once, even without reads, and throws its reason', async () => {
    for (const abortWhile of ['reading', 'between reads'] as const) {
      const caller = new AbortController();
      let closed: Promise<unknown> = Promise.resolve();
      answer = (response) => {
        closed = once(response, 'close');
        response.writeHead(200, stream).write(piece('Hel'));
      };
      const iterator = (await provider.stream(aCall(), caller.signal))[Symbol.asyncIterator]();
      await iterator.next();
      const next = abortWhile === 'reading' ? thrownBy(iterator.next()) : null;
      caller.abort(reason);
      await closed;
      expect(await (next ?? thrownBy(iterator.next()))).toBe(reason);
    }
  });

  it('before the first read does not leave the connection open', async () => {
    const caller = new AbortController();
    let closed: Promise<unknown> = Promise.resolve();
    answer = (response) => {
      closed = once(response, 'close');
      response.writeHead(200, stream).write(piece('Hel'));
    };
    const answered = await provider.stream(aCall(), caller.signal);
    caller.abort(reason);
    await closed;
    expect(await thrownBy(collect(answered))).toBe(reason);
  });

  it('after the last events changes nothing', async () => {
    const caller = new AbortController();
    let closed: Promise<unknown> = Promise.resolve();
    answer = (response, request) => {
      closed = once(request.socket, 'close');
      response.writeHead(200, stream).write(recording('text.sse'));
    };
    const events: ProviderEvents[] = [];
    for await (const event of await provider.stream(aCall(), caller.signal)) {
      events.push(event);
      caller.abort(reason);
      await closed;
    }
    expect(events.at(-1)?.usage?.outputTokens).toBe(6);
  });

  it('or leaving the iteration early closes the connection', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    answer = (response) => {
      closed = once(response, 'close');
      response.writeHead(200, stream).write(piece('Hel'));
    };
    for await (const event of await provider.stream(aCall(), idle)) {
      expect(textOf([event])).toBe('Hel');
      break;
    }
    await closed;
  });
});
