import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Script } from '../../support/stand-in/script.ts';
import { type StandIn, startStandIn } from '../../support/stand-in/start-stand-in.ts';

let standIn: StandIn;

beforeAll(async () => {
  standIn = await startStandIn();
});
beforeEach(() => standIn.reset());
afterAll(() => standIn.close());

function post(script: Script, more: Record<string, unknown> = {}, signal?: AbortSignal): Promise<Response> {
  const content = JSON.stringify({ standIn: script });
  return fetch(`${standIn.url}/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk-test' },
    body: JSON.stringify({ model: 'gpt-4o', stream: true, messages: [{ role: 'user', content }], ...more }),
    ...(signal && { signal }),
  });
}

/** Reads until the body ends or breaks. */
async function read(response: Response): Promise<{ text: string; error: unknown }> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const piece of response.body ?? []) {
      text += decoder.decode(piece, { stream: true });
    }
    return { text, error: undefined };
  } catch (error) {
    return { text, error };
  }
}

/** Reads with `node:http`, which returns each piece as it came; `fetch` joins waiting pieces. */
async function readPieces(script: Script): Promise<Buffer[]> {
  const outgoing = httpRequest(`${standIn.url}/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk-test' },
  });
  const content = JSON.stringify({ standIn: script });
  outgoing.end(JSON.stringify({ model: 'gpt-4o', stream: true, messages: [{ role: 'user', content }] }));
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const pieces: Buffer[] = [];
  response.on('data', (piece: Buffer) => pieces.push(piece));
  await once(response, 'end');
  return pieces;
}

const tokensIn = (text: string) => text.match(/"delta":\{"content":"[^"]+"\}/g)?.length ?? 0;
const outcome = async () => (await standIn.calls()).at(-1)?.outcome;

it('cuts the connection after the scripted tokens, all of them delivered', async () => {
  const { text, error } = await read(await post({ tokens: 5, cutAfterTokens: 3 }));
  expect(error).toBeInstanceOf(TypeError);
  expect(tokensIn(text)).toBe(3);
  expect((await standIn.calls())[0]).toMatchObject({
    outcome: 'cut',
    completionTokens: 3,
    contentHash: null,
  });
});

it('cuts the connection before any answer at status 0', async () => {
  await expect(post({ status: 0 })).rejects.toThrow('fetch failed');
  expect(await standIn.calls()).toMatchObject([{ outcome: 'cut', status: null }]);
});

it('stalls with the connection open until the client gives up', async () => {
  const abort = new AbortController();
  const response = await post({ tokens: 5, stallAfterTokens: 2, splitBytes: 1_000_000 }, {}, abort.signal);
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = '';
  while (tokensIn(text) < 2) text += decoder.decode((await reader?.read())?.value, { stream: true });
  expect(await standIn.summary()).toMatchObject({ open: 1, byOutcome: {} });
  expect((await standIn.calls())[0]).toMatchObject({ outcome: 'stalled', endedAt: null });
  abort.abort();
  await vi.waitFor(async () =>
    expect(await standIn.summary()).toMatchObject({ open: 0, byOutcome: { stalled: 1 } }),
  );
});

it('ends cleanly without finish reason and [DONE]', async () => {
  const { text, error } = await read(await post({ tokens: 5, endAfterTokens: 2 }));
  expect(error).toBeUndefined();
  expect(tokensIn(text)).toBe(2);
  expect(text).not.toMatch(/\[DONE\]|"finish_reason":"/);
  expect(await outcome()).toBe('ended_early');
});

it('sends broken JSON in the middle and continues after it', async () => {
  const { text } = await read(await post({ tokens: 4, malformedAfterTokens: 2 }));
  const broken = text.split('\n\n').filter((event) => {
    try {
      return event !== '' && event !== 'data: [DONE]' && !JSON.parse(event.slice('data: '.length));
    } catch {
      return true;
    }
  });
  expect(broken).toHaveLength(1);
  expect(tokensIn(text)).toBe(4);
  expect(await outcome()).toBe('malformed');
});

it('sends an error event in the middle, which the openai client throws', async () => {
  const error = { type: 'server_error', code: 'overloaded', message: 'Out of breath.' };
  const content = JSON.stringify({ standIn: { tokens: 4, errorAfterTokens: 1, error } });
  const client = new OpenAI({ apiKey: 'sk-test', baseURL: standIn.url, maxRetries: 0 });
  const stream = await client.chat.completions.create({
    model: 'm',
    stream: true,
    messages: [{ role: 'user', content }],
  });
  const reading = (async () => {
    for await (const chunk of stream) expect(chunk.choices).toHaveLength(1);
  })();
  await expect(reading).rejects.toMatchObject({
    code: 'overloaded',
    message: 'Out of breath.',
  });
  expect(await outcome()).toBe('error_event');
});

it('delivers the same bytes in pieces of any size, characters cut in the middle', async () => {
  const text = 'Größe 🏔️ passt';
  const whole = (await read(await post({ text }))).text;
  const pieces = await readPieces({ text, splitBytes: 1 });
  const normal = (body: string) => body.replace(/"id":"[^"]+"|"created":\d+/g, '');
  expect(normal(Buffer.concat(pieces).toString())).toBe(normal(whole));
  expect(pieces.every(({ length }) => length === 1)).toBe(true);
});

it('writes CRLF line ends and keep-alive comments', async () => {
  const { text } = await read(await post({ tokens: 2, crlf: true, comments: true }));
  expect(text.match(/: keep-alive\r\n\r\n/g)).toHaveLength(2);
  expect(text.replaceAll('\r\n', '')).not.toContain('\n');
  expect(text.endsWith('data: [DONE]\r\n\r\n')).toBe(true);
});

it('sends gateway bodies, and errors with status 200, as scripted', async () => {
  const html = await post({ status: 502, body: '<html>Bad Gateway</html>' });
  expect(html.status).toBe(502);
  expect(html.headers.get('content-type')).toBe('text/html');
  expect(await html.text()).toBe('<html>Bad Gateway</html>');
  const error = await post({ status: 200, error: { code: 7, message: 'no' } });
  expect(error.status).toBe(200);
  expect(await error.json()).toMatchObject({ error: { code: 7, message: 'no' } });
});

it('delays headers and the first token as scripted', async () => {
  const startedAt = performance.now();
  const response = await post({ tokens: 1, headersMs: 30, firstTokenMs: 60 });
  expect(performance.now() - startedAt).toBeGreaterThan(28);
  await read(response);
  expect(performance.now() - startedAt).toBeGreaterThan(58);
});

it('shows the same faults on an unstreamed answer', async () => {
  const unstreamed = { stream: false };
  await expect(post({ tokens: 1, cutAfterTokens: 0 }, unstreamed)).rejects.toThrow('fetch failed');
  const malformed = await post({ tokens: 1, malformedAfterTokens: 0 }, unstreamed);
  await expect(malformed.json()).rejects.toThrow(SyntaxError);
  expect((await post({ tokens: 1, errorAfterTokens: 0 }, unstreamed)).status).toBe(500);
  const abort = new AbortController();
  const stalled = post({ tokens: 1, stallAfterTokens: 0 }, unstreamed, abort.signal);
  await vi.waitFor(async () => expect(await outcome()).toBe('stalled'));
  abort.abort();
  await expect(stalled).rejects.toThrow('aborted');
});

it('records a client that disconnects, and writes no more to it', async () => {
  const abort = new AbortController();
  const response = await post({ tokens: 1000, gapMs: 5 }, {}, abort.signal);
  await response.body?.getReader().read();
  abort.abort();
  await vi.waitFor(async () => expect(await outcome()).toBe('client_closed'));
  const [call] = await standIn.calls();
  expect(call?.completionTokens).toBeLessThan(1000);
  expect(await standIn.summary()).toMatchObject({ open: 0, maxOpen: 1, byOutcome: { client_closed: 1 } });
});

it('waits for a slow reader of a long answer', async () => {
  const response = await post({ text: 'word '.repeat(100_000).trim() });
  await vi.waitFor(async () => expect((await standIn.calls())[0]?.completionTokens).toBeGreaterThan(0));
  const written = (await standIn.calls())[0]?.completionTokens ?? 0;
  expect(written).toBeLessThan(100_000);
  const { text } = await read(response);
  expect(tokensIn(text)).toBe(100_000);
  expect(await outcome()).toBe('completed');
});
