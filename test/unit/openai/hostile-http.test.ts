import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOpenAiProvider, type OpenAiProvider } from '../../../src/adapters/openai/openai-provider.ts';
import { ChatFailure } from '../../../src/domain/failures/chat-failure.ts';
import type { ProviderEvents } from '../../../src/ports/provider.ts';
import { aCall } from './provider-call.ts';

const apiKey = 'sk-test-key-1234567890';

let answer: (socket: Socket) => void;
let provider: OpenAiProvider;
let closed: Promise<unknown>;
let calls = 0;
const server = createServer((socket) => {
  closed = new Promise((resolve) => socket.on('close', resolve));
  socket.on('error', () => undefined);
  socket.once('data', () => {
    calls += 1;
    answer(socket);
  });
});

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  provider = createOpenAiProvider({ apiKey, baseUrl: `http://127.0.0.1:${port}/v1` });
});
afterAll(async () => {
  await provider.close();
  server.close();
});

/** Answers with these bytes, and repeats the last one while the connection is open. */
const send = (head: string, ...repeated: string[]) => {
  answer = (socket) => {
    socket.write(head, 'latin1');
    const [more] = repeated;
    if (more === undefined) return socket.end();
    const write = (): void => {
      while (!socket.destroyed && socket.write(more, 'latin1'));
    };
    socket.on('drain', write);
    return write();
  };
};
const head = (status: string, headers: string, body = '') =>
  `HTTP/1.1 ${status}\r\nconnection: close\r\n${headers}\r\n${body}`;
const streamed = (body: string) => head('200 OK', 'content-type: text/event-stream\r\n', body);
const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

interface Outcome {
  readonly events: ProviderEvents[];
  readonly failure: ChatFailure | null;
  readonly requestId: string | null;
}

async function call(): Promise<Outcome> {
  const events: ProviderEvents[] = [];
  let requestId: string | null = null;
  try {
    const stream = await provider.stream(aCall(), new AbortController().signal);
    requestId = stream.served.providerRequestId;
    for await (const one of stream) events.push(one);
    return { events, failure: null, requestId };
  } catch (error) {
    expect(error).toBeInstanceOf(ChatFailure);
    return { events, failure: error as ChatFailure, requestId };
  }
}

const piece = (content: string) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;
const ending = `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\ndata: [DONE]\n\n`;

describe('an endless answer', () => {
  it.each([
    ['a line', 'x'.repeat(65_536)],
    ['an event', `data: ${'x'.repeat(1_000)}\n`],
    ['text', piece('x'.repeat(60_000))],
  ])('as %s is aborted at a limit, not retried, and its connection closed', async (_, repeated) => {
    send(streamed(piece('before')), repeated);
    const before = calls;
    const { events, failure } = await call();
    expect(failure).toMatchObject({ code: 'provider_error', retryable: false, httpStatus: null });
    expect(failure?.message).toContain('sent more than');
    expect(events[0]?.deltas[0]?.content).toBe('before');
    await closed;
    expect(calls - before).toBe(1);
  });

  it('that is not a stream is aborted at a limit', async () => {
    send(
      head('200 OK', 'content-type: application/json\r\n', '{"choices":[{"message":{"content":"'),
      'x'.repeat(65_536),
    );
    const { failure } = await call();
    expect(failure).toMatchObject({ code: 'provider_error', retryable: false });
    expect(failure?.message).toContain('bytes in one body');
    await closed;
  });

  it('that comes byte by byte is read to its end', async () => {
    const text = `${piece('Hello')}${ending}`;
    const bytes = [...text].map(chunked).join('');
    send(
      head(
        '200 OK',
        'content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n',
        `${bytes}0\r\n\r\n`,
      ),
    );
    const { events, failure } = await call();
    expect(failure).toBeNull();
    expect(events.flatMap(({ deltas }) => deltas.map(({ content }) => content)).join('')).toBe('Hello');
  });
});

describe('an answer without streaming', () => {
  const json = (body: object) =>
    send(head('200 OK', 'content-type: application/json\r\n', JSON.stringify(body)));

  it('above a limit is a failure, but its usage is billed', async () => {
    json({
      choices: Array.from({ length: 500 }, () => ({})),
      usage: { prompt_tokens: 7, completion_tokens: 8 },
    });
    const { events, failure } = await call();
    expect(failure).toMatchObject({ code: 'provider_error', retryable: false });
    expect(events[0]?.usage).toMatchObject({ inputTokens: 7, outputTokens: 8 });
  });

  it('of 4 MB is accepted', async () => {
    const message = { role: 'assistant', content: 'x'.repeat(4_000_000) };
    json({ choices: [{ index: 0.5, message, finish_reason: 'stop' }] });
    const { events, failure } = await call();
    expect(failure).toBeNull();
    expect(events[0]?.deltas[0]).toMatchObject({ choiceIndex: 0, finishReason: 'stop' });
  });
});

describe('headers', () => {
  it('that are endless are a failure that is not retried', async () => {
    send(head('200 OK', '').slice(0, -2), `x-more: ${'x'.repeat(1_000)}\r\n`);
    expect((await call()).failure).toMatchObject({
      code: 'provider_error',
      retryable: false,
      message: expect.stringContaining('bytes of headers'),
    });
  });

  it('with bytes that are not text are skipped', async () => {
    send(streamed(`${piece('Hi')}${ending}`).replace('connection', 'x-odd: \xe6\x97\xa5\xff\r\nconnection'));
    expect((await call()).failure).toBeNull();
  });

  it('that repeat the key or a long text leak neither', async () => {
    for (const echoed of [`Bearer ${apiKey}`, apiKey, `${'y'.repeat(300)} ${apiKey}`, 'y'.repeat(8_000)]) {
      for (const [status, body] of [
        ['200 OK', `${piece('Hi')}${ending}`],
        ['500 No', ''],
      ]) {
        send(head(status ?? '', `x-request-id: ${echoed}\r\ncontent-type: text/event-stream\r\n`, body));
        const { failure, requestId } = await call();
        const shown = `${requestId}${failure?.providerRequestId}`;
        expect(shown).not.toContain('1234567890');
        expect(shown.length).toBeLessThan(300);
      }
    }
  });

  it('that ask for an endless wait are limited to fit into a record', async () => {
    for (const header of [
      'retry-after: 1e308',
      'retry-after-ms: 9e99',
      `retry-after: ${'9'.repeat(5_000)}`,
    ]) {
      send(
        head(
          '429 Slow',
          `${header}\r\nx-ratelimit-limit-tokens: 9\r\nx-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: ${'9'.repeat(60)}h\r\n`,
        ),
      );
      const { failure } = await call();
      expect(failure?.code).toBe('rate_limited');
      expect(failure?.retryAfterMs ?? 0).toBeLessThanOrEqual(31 * 86_400_000);
      expect(failure?.rateLimits?.tokens?.resetMs).toBeLessThanOrEqual(31 * 86_400_000);
    }
  });
});

describe('an answer that is not HTTP', () => {
  it.each([
    'no HTTP at all\r\n\r\n',
    'HTTP/1.1 abc OK\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n',
  ])('such as %j is a failure of the provider', async (bytes) => {
    send(bytes);
    expect((await call()).failure).toMatchObject({ code: 'provider_unavailable' });
  });

  it('or has a status that does not exist is a failure of the provider', async () => {
    for (const status of [600, 999]) {
      send(head(`${status} Odd`, ''));
      expect((await call()).failure).toMatchObject({
        code: 'provider_error',
        retryable: false,
        httpStatus: status,
      });
    }
  });
});

describe('an error body', () => {
  it.each([
    ['deeply nested', `{"error":{"message":${'['.repeat(30_000)}${']'.repeat(30_000)}}}`],
    ['deeply nested at the top', `{"x":${'{"x":'.repeat(10_000)}1${'}'.repeat(10_000)}}`],
    [
      'of words that are slow to mask',
      JSON.stringify({ error: { message: `sk-${'.-'.repeat(32_000)}a`, code: 'invalid_api_key' } }),
    ],
    ['of members that are not text', '{"error":{"message":{"a":[1]},"code":{},"type":[],"param":0.5}}'],
    ['that is a list', '[[1]]'],
    ['that is too long', `{"error":{"message":"${'x'.repeat(70_000)}"}}`],
  ])('%s is reported by its status alone', async (_, body) => {
    send(head('401 No', 'content-type: application/json\r\n', body));
    const { failure } = await call();
    expect(failure).toMatchObject({ code: 'invalid_credentials', httpStatus: 401 });
    expect(failure?.message.length).toBeLessThan(1_500);
  });
});
