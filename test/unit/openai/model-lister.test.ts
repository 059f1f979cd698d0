import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createModelLister, type OpenAiModelLister } from '../../../src/adapters/openai/model-lister.ts';

const never = new AbortController().signal;
let server: Server;
let answer: RequestListener;
let lister: OpenAiModelLister;

beforeEach(async () => {
  server = createServer((request, response) => answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  lister = createModelLister({ apiKey: 'sk-secret', organization: 'org-1', baseUrl }, 500);
});
afterEach(async () => {
  await lister.close();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const json =
  (body: unknown, status = 200): RequestListener =>
  (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

describe('the list of models', () => {
  it('is requested once, with the account’s key, and read by its ids', async () => {
    const asked: string[] = [];
    answer = (request, response) => {
      const { authorization, 'openai-organization': organization } = request.headers;
      asked.push(`${request.method} ${request.url} ${authorization} ${organization}`);
      json({ object: 'list', data: [{ id: 'a', created: 1 }, { id: 'b' }] })(request, response);
    };
    expect(await lister.list(never)).toEqual(['a', 'b']);
    expect(asked).toEqual(['GET /v1/models Bearer sk-secret org-1']);
  });

  it.each<[string, RequestListener]>([
    ['a page', (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')],
    ['not an object', json([])],
    ['an object without models', json({ data: 'none' })],
    ['a model without an id', json({ data: [{ id: 'a' }, {}] })],
  ])('is refused when it is %s, with the setting that is wrong', async (_what, listener) => {
    answer = listener;
    await expect(lister.list(never)).rejects.toMatchObject({
      code: 'provider_error',
      retryable: true,
      message: expect.stringContaining('AI_OPENAI_BASE_URL'),
    });
  });

  it('fails with the provider’s message, without the key, and is not requested again', async () => {
    let calls = 0;
    answer = (request, response) => {
      calls += 1;
      json({ error: { message: 'Incorrect API key: sk-secret', code: 'invalid_api_key' } }, 401)(
        request,
        response,
      );
    };
    const failure = await lister.list(never).catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({ code: 'invalid_credentials' });
    expect(String(failure)).not.toContain('sk-secret');
    answer = json({ error: { message: 'overloaded' } }, 503);
    await expect(lister.list(never)).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect(calls).toBe(1);
  });

  it('ends at its timeout and when the process stops', async () => {
    answer = (_, response) => response.writeHead(200).write('{');
    await expect(lister.list(never)).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('within 500 ms'),
    });
    const stop = new AbortController();
    answer = () => stop.abort(new Error('stopping'));
    await expect(lister.list(stop.signal)).rejects.toThrow('stopping');
  });
});
