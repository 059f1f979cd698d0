import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPriceSource, PriceSourceFailed } from '../../src/adapters/http/price-source.ts';

let server: Server;
let answer: RequestListener;
let url: string;

beforeEach(async () => {
  server = createServer((request, response) => answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/prices.json`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const never = new AbortController().signal;
const failure = (read: Promise<unknown>) => expect(read).rejects;

describe('a price source', () => {
  it('is read from a URL with its credentials, and named without them', async () => {
    answer = (request, response) => response.end(request.headers.authorization);
    const file = await createPriceSource(`${url.replace('//', '//us%20er:pass@')}?token=1`)(never);
    expect(file).toEqual({
      name: url,
      text: `Basic ${Buffer.from('us er:pass').toString('base64')}`,
    });
  });

  it('is read from a file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'prices-'));
    const path = join(directory, 'prices.json');
    writeFileSync(path, '[]');
    expect(await createPriceSource(path)(never)).toEqual({ name: path, text: '[]' });
    await failure(createPriceSource(path, { maxBytes: 1 })(never)).toThrow(/larger than 1 bytes/);
    rmSync(directory, { recursive: true });
    await failure(createPriceSource(path)(never)).toThrow(/ENOENT.*stay unchanged/);
  });

  it.each<[string, RequestListener, RegExp]>([
    ['that fails', (_, response) => response.writeHead(503).end(), /status 503/],
    [
      'that leads elsewhere',
      (_, response) => response.writeHead(302, { location: 'https://example.com' }).end(),
      /status 302: redirects are not followed/,
    ],
    ['that is too large', (_, response) => response.end('x'.repeat(101)), /larger than 100 bytes/],
    ['that does not come to an end', (_, response) => response.write('x'), /within 200 ms/],
    ['that breaks off', (_, response) => response.write('x', () => response.destroy()), /cannot be read \(/],
  ])('%s is refused', async (_what, listener, message) => {
    answer = listener;
    const read = createPriceSource(url, { timeoutMs: 200, maxBytes: 100 })(never);
    await failure(read).toThrow(message);
    await failure(read).toBeInstanceOf(PriceSourceFailed);
  });

  it('does not delay the stop of the process', async () => {
    const stop = new AbortController();
    answer = () => stop.abort(new Error('stopping'));
    await failure(createPriceSource(url)(stop.signal)).toThrow('stopping');
  });
});
