import dns from 'node:dns';
import { once } from 'node:events';
import { type AddressInfo, createServer, connect as openSocket, type Server, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createOpenAiProvider, type OpenAiProvider } from '../../../src/adapters/openai/openai-provider.ts';
import { aCall } from './provider-call.ts';

/** Listens, and never accepts: once its queue is full, connecting never ends. */
const DEAF_LISTENER = `
  const { parentPort } = require('node:worker_threads');
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
  });
`;

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
  vi.restoreAllMocks();
});

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

function providerAt(baseUrl: string): OpenAiProvider {
  const provider = createOpenAiProvider({ apiKey: 'sk-test-key-1234567890', baseUrl });
  endings.push(() => provider.close());
  return provider;
}

/** Each creates a provider, and reports when its call has stalled. */
const stalls: Record<string, () => Promise<{ provider: OpenAiProvider; stalled: Promise<unknown> }>> = {
  'the name lookup': async () => {
    const stalled = Promise.withResolvers<void>();
    vi.spyOn(dns, 'lookup').mockImplementation((() => stalled.resolve()) as never);
    return { provider: providerAt('http://provider.invalid/v1'), stalled: stalled.promise };
  },
  'the TCP connection': async () => {
    const listener = new Worker(DEAF_LISTENER, { eval: true });
    endings.push(() => listener.terminate());
    const [port] = (await once(listener, 'message')) as [number];
    const fill = Array.from({ length: 2 }, () => openSocket(port, '127.0.0.1'));
    endings.push(() => fill.forEach((socket) => void socket.destroy()));
    await Promise.all(fill.map((socket) => once(socket, 'connect')));
    return { provider: providerAt(`http://127.0.0.1:${port}/v1`), stalled: Promise.resolve() };
  },
  'the TLS handshake': async () => {
    const stalled = Promise.withResolvers<void>();
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.once('data', () => stalled.resolve());
    });
    const port = await listening(server);
    endings.push(() => sockets.forEach((socket) => void socket.destroy()));
    return { provider: providerAt(`https://127.0.0.1:${port}/v1`), stalled: stalled.promise };
  },
};

describe.each(Object.entries(stalls))('while %s stalls', (_what, stall) => {
  it('an aborted call was never sent', async () => {
    const { provider, stalled } = await stall();
    const onSent = vi.fn();
    const ending = new AbortController();
    const failed = provider.stream(aCall({}, { onSent }), ending.signal).catch((error: unknown) => error);
    await stalled;
    const reason = new Error('the deadline has passed');
    ending.abort(reason);
    expect(await failed).toBe(reason);
    expect(onSent).not.toHaveBeenCalled();
  });

  it('a call that times out was never sent, and reports that there was no connection', async () => {
    const { provider } = await stall();
    const onSent = vi.fn();
    const call = aCall({}, { onSent, firstTokenTimeoutMs: 50 });
    await expect(provider.stream(call, new AbortController().signal)).rejects.toMatchObject({
      code: 'timeout',
      retryable: true,
      message: expect.stringContaining('no connection'),
    });
    expect(onSent).not.toHaveBeenCalled();
  });
});

describe('a call', () => {
  it('without a connection was never sent', async () => {
    const server = createServer();
    const port = await listening(server);
    server.close();
    await once(server, 'close');
    const onSent = vi.fn();
    const provider = providerAt(`http://127.0.0.1:${port}/v1`);
    await expect(provider.stream(aCall({}, { onSent }), new AbortController().signal)).rejects.toMatchObject({
      code: 'provider_unavailable',
    });
    expect(onSent).not.toHaveBeenCalled();
  });

  it('whose connection was reset within the TLS handshake was never sent', async () => {
    const port = await listening(
      createServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
    );
    const onSent = vi.fn();
    const provider = providerAt(`https://127.0.0.1:${port}/v1`);
    await expect(provider.stream(aCall({}, { onSent }), new AbortController().signal)).rejects.toMatchObject({
      code: 'provider_unavailable',
    });
    expect(onSent).not.toHaveBeenCalled();
  });

  it.each(['a new', 'a kept'])('on %s connection is sent once, however it ends', async (which) => {
    const arrived = Promise.withResolvers<void>();
    let calls = 0;
    const server = createServer((socket) => {
      endings.push(() => socket.destroy());
      socket.on('error', () => undefined);
      socket.on('data', () => {
        calls += 1;
        if (which === 'a kept' && calls === 1)
          socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
        else arrived.resolve();
      });
    });
    const provider = providerAt(`http://127.0.0.1:${await listening(server)}/v1`);
    if (which === 'a kept')
      await provider.stream(aCall(), new AbortController().signal).catch(() => undefined);
    const onSent = vi.fn();
    const ending = new AbortController();
    const failed = provider.stream(aCall({}, { onSent }), ending.signal).catch((error: unknown) => error);
    await arrived.promise;
    ending.abort(new Error('the service stops'));
    await failed;
    expect(onSent).toHaveBeenCalledTimes(1);
  });
});
