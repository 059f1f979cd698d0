import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHttpTransport, readText } from '../../../../src/adapters/openai/http/http-transport.ts';

const transport = createHttpTransport();
const server = createServer((request, response) => {
  response.setHeader('set-cookie', ['a=1', 'b=2']);
  response.writeHead(request.method === 'GET' ? 200 : 400).end(`${request.method} ${request.url}`);
});
let url: string;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
});
afterAll(async () => {
  await transport.close();
  server.close();
});

describe('the transport', () => {
  it('returns the body of a successful answer unread, separate from the response', async () => {
    const response = await transport.fetch(url);
    expect(response.body).toBeNull();
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(await readText(transport.bodyOf(response), 1000)).toBe('GET /x');
  });

  it('returns the body of an error as text in the response', async () => {
    const response = await transport.fetch(new URL(url), { method: 'POST', body: 'x' });
    expect(response.status).toBe(400);
    expect(await response.text()).toBe('POST /x');
    expect(() => transport.bodyOf(response)).toThrow('did not come from this transport');
  });
});

describe('a proxy', () => {
  const asked: string[] = [];
  const proxy = createServer();
  let proxyUrl: string;

  beforeAll(async () => {
    proxy.on('connect', (request, socket) => {
      asked.push(String(request.url));
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    proxy.close();
  });

  it('is asked for a way to https addresses, and to no others', async () => {
    const proxied = createHttpTransport({ url: proxyUrl, except: null });
    await expect(proxied.fetch('https://provider.invalid/v1')).rejects.toThrow();
    expect(asked).toEqual(['provider.invalid:443']);
    expect((await proxied.fetch(url)).status).toBe(200);
    expect(asked).toHaveLength(1);
    await proxied.close();
  });

  it('is left out for the hosts that are excepted', async () => {
    asked.length = 0;
    const proxied = createHttpTransport({ url: proxyUrl, except: 'other.invalid,127.0.0.1' });
    const { port } = new URL(url);
    await expect(proxied.fetch(`https://127.0.0.1:${port}/v1`)).rejects.toThrow();
    expect(asked).toEqual([]);
    await proxied.close();
  });
});
