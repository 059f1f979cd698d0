import type { Dispatcher } from 'undici';
import { describe, expect, it } from 'vitest';
import { HttpExchange } from '../../../../src/adapters/openai/http/http-exchange.ts';

class Connection implements Dispatcher.DispatchController {
  aborted = false;
  paused = false;
  reason: Error | null = null;

  abort(reason: Error): void {
    this.aborted = true;
    this.reason = reason;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }
}

function begin(signal: AbortSignal | null = null) {
  const connection = new Connection();
  const exchange = new HttpExchange(signal);
  exchange.onRequestStart(connection);
  const receive = (text: string) => exchange.onResponseData(connection, Buffer.from(text));
  return { connection, exchange, receive };
}

describe('an HTTP exchange', () => {
  it('returns the headers of the final answer, not of interim ones', async () => {
    const { connection, exchange } = begin();
    exchange.onResponseStart(connection, 103, { link: '</a>' });
    exchange.onResponseStart(connection, 200, { server: 'x' });
    expect(await exchange.head).toEqual({ status: 200, headers: { server: 'x' } });
  });

  it('returns buffered data in one piece, then each piece as it comes, then the end', async () => {
    const { exchange, receive } = begin();
    receive('a');
    receive('b');
    expect(String(await exchange.read())).toBe('ab');
    const next = exchange.read();
    receive('c');
    receive('d');
    expect(String(await next)).toBe('c');
    expect(String(await exchange.read())).toBe('d');
    const last = exchange.read();
    exchange.onResponseEnd();
    expect(await last).toBeNull();
    expect(await exchange.read()).toBeNull();
  });

  it('pauses the connection at 64 KiB of unread data until it is read', async () => {
    const { connection, exchange, receive } = begin();
    receive('x'.repeat(65_535));
    expect(connection.paused).toBe(false);
    receive('x');
    expect(connection.paused).toBe(true);
    expect((await exchange.read())?.length).toBe(65_536);
    expect(connection.paused).toBe(false);
    receive('y');
    expect(connection.paused).toBe(false);
  });

  it('also pauses it at many small pieces', async () => {
    const { connection, exchange, receive } = begin();
    for (let count = 0; count < 1_024; count += 1) {
      expect(connection.paused).toBe(false);
      receive('x');
    }
    expect(connection.paused).toBe(true);
    expect((await exchange.read())?.length).toBe(1_024);
    expect(connection.paused).toBe(false);
  });

  it('returns the data that came before it breaks off', async () => {
    const { connection, exchange, receive } = begin();
    exchange.onResponseStart(connection, 200, {});
    receive('usage');
    exchange.onResponseError(connection, new Error('other side closed'));
    expect(String(await exchange.read())).toBe('usage');
    await expect(exchange.read()).rejects.toThrow('other side closed');
    exchange.close();
    await expect(exchange.read()).rejects.toThrow('other side closed');
  });

  it('rejects callers that wait for the headers or for a piece', async () => {
    const { connection, exchange } = begin();
    const piece = exchange.read();
    exchange.onResponseError(connection, new Error('connect ECONNREFUSED'));
    await expect(piece).rejects.toThrow('ECONNREFUSED');
    await expect(exchange.head).rejects.toThrow('ECONNREFUSED');
  });

  it('keeps the first reason for which it ended', async () => {
    const abort = new AbortController();
    const { connection, exchange } = begin(abort.signal);
    abort.abort(new Error('the caller has disconnected'));
    exchange.onResponseError(connection, new Error('the request was aborted'));
    await expect(exchange.head).rejects.toThrow('the caller has disconnected');
    await expect(exchange.read()).rejects.toThrow('the caller has disconnected');
  });

  it('ends with the reason of its signal, before, during and after the connection is made', async () => {
    const reason = new Error('the caller has disconnected');
    const early = begin(AbortSignal.abort(reason));
    expect(early.connection.reason).toBe(reason);
    await expect(early.exchange.head).rejects.toBe(reason);

    const abort = new AbortController();
    const waiting = new HttpExchange(abort.signal);
    const running = begin(abort.signal);
    const done = begin(abort.signal);
    done.exchange.onResponseEnd();
    abort.abort(reason);
    await expect(waiting.head).rejects.toBe(reason);
    await expect(running.exchange.head).rejects.toBe(reason);
    expect(running.connection.reason).toBe(reason);
    expect(done.connection.aborted).toBe(false);

    const late = new Connection();
    waiting.onRequestStart(late);
    expect(late.reason).toBe(reason);
  });

  it('closes the connection of an abandoned body, but not of one that ended', async () => {
    const unwanted = begin();
    unwanted.exchange.onResponseStart(unwanted.connection, 200, {});
    unwanted.exchange.close();
    expect(unwanted.connection.aborted).toBe(true);
    await expect(unwanted.exchange.read()).rejects.toThrow('no longer needed');

    const ended = begin();
    ended.exchange.onResponseEnd();
    ended.exchange.close();
    expect(ended.connection.aborted).toBe(false);
  });
});
