import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  createOpenAiProvider,
  type OpenAiProvider,
} from '../../../../src/adapters/openai/openai-provider.ts';
import { aCall } from '../provider-call.ts';

const PIECE = 'x'.repeat(16_384);
const PIECES = 200;
const HELD_BYTES = 500_000;
const FIRST_TOKEN_MS = 1_000;

let provider: OpenAiProvider;
let head = '';
const server = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.once('data', async () => {
    socket.write(head);
    for (let piece = 0; piece < PIECES && !socket.destroyed; piece += 1) {
      if (!socket.write(PIECE)) await once(socket, 'drain').catch(() => undefined);
    }
    socket.end();
  });
});

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  provider = createOpenAiProvider({
    apiKey: 'sk-test-key-1234567890',
    baseUrl: `http://127.0.0.1:${port}/v1`,
  });
});
afterAll(async () => {
  await provider.close();
  server.close();
});

const answers = {
  'a body that is not streamed':
    'content-type: application/json\r\n\r\n{"choices":[{"index":0,"message":{"content":"',
  'an event': 'content-type: text/event-stream\r\n\r\ndata: {"choices":[{"index":0,"delta":{"content":"',
};

describe('the bytes of an answer that are read but not yet passed on', () => {
  it.each(Object.entries(answers))(
    'are reported while they grow, and no more of %s is read while memory is short',
    async (_, start) => {
      head = `HTTP/1.1 200 OK\r\nconnection: close\r\n${start}`;
      const reported: number[] = [];
      const released = Promise.withResolvers<void>();
      const hold = (bytes: number) => {
        reported.push(bytes);
        return bytes < HELD_BYTES ? undefined : released.promise;
      };
      const call = { ...aCall(), firstTokenTimeoutMs: FIRST_TOKEN_MS, hold };
      const failed = (async () => {
        for await (const _ of await provider.stream(call, new AbortController().signal));
      })().catch((error: unknown) => error);
      await vi.waitUntil(() => reported.some((bytes) => bytes >= HELD_BYTES), { timeout: 20_000 });
      // Longer than the silence timeout: the provider is not silent, the service does not read.
      await wait(2 * FIRST_TOKEN_MS);
      expect(reported.filter((bytes) => bytes >= HELD_BYTES)).toHaveLength(1);
      expect(Math.max(...reported)).toBeLessThan(HELD_BYTES + 400_000);
      released.resolve();
      expect(await failed).toMatchObject({ code: expect.not.stringMatching('timeout') });
      expect(Math.max(...reported)).toBeGreaterThan(PIECES * PIECE.length * 0.9);
    },
  );
});
