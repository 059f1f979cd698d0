import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** One HTTP answer, byte for byte. */
export interface ScriptedAnswer {
  /** Default 200. */
  readonly status?: number;
  /** Over the default `content-type`: JSON for a body that begins with `{` or `[`, else that of an event stream. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
  /** Bytes of each write; all of them at once unless set. */
  readonly sliceBytes?: number;
  /** What follows the body: its end, a broken connection, or an open connection until the client leaves. */
  readonly ending?: 'end' | 'cut' | 'open';
}

/** A call as the service sent it. */
export interface ReceivedCall {
  readonly attempt: number;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
}

/** An HTTP server that answers the calls of each request with the given bytes. */
export class ScriptedProvider {
  readonly #answers = new Map<string, readonly ScriptedAnswer[]>();
  readonly #calls = new Map<string, ReceivedCall[]>();
  readonly #server = createServer((request, response) => {
    this.#handle(request, response).catch(() => response.destroy());
  });

  static async start(): Promise<ScriptedProvider> {
    const provider = new ScriptedProvider();
    await new Promise<void>((resolve) => provider.#server.listen(0, '127.0.0.1', resolve));
    return provider;
  }

  /** Its base URL, with `/v1`. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** What the calls of a request are answered with, in turn; the last answer repeats. */
  script(requestId: string, answers: readonly ScriptedAnswer[]): void {
    this.#answers.set(requestId, answers);
  }

  /** The calls of a request, in the order in which they came. */
  callsOf(requestId: string): readonly ReceivedCall[] {
    return this.#calls.get(requestId) ?? [];
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = String(request.headers['x-client-request-id']);
    const requestId = id.slice(0, id.lastIndexOf('/'));
    const body = (await json(request)) as ReceivedCall['body'];
    const calls = this.#calls.get(requestId) ?? [];
    this.#calls.set(requestId, calls);
    const { url = '', headers } = request;
    calls.push({ attempt: Number(id.slice(id.lastIndexOf('/') + 1)), url, headers, body });
    const answers = this.#answers.get(requestId) ?? [];
    const answer = answers[Math.min(calls.length, answers.length) - 1];
    if (answer === undefined) throw new Error(`no answer is scripted for ${requestId}`);
    await write(answer, response);
  }
}

async function write(answer: ScriptedAnswer, response: ServerResponse): Promise<void> {
  const { status = 200, headers, ending = 'end' } = answer;
  const bytes = Buffer.from(answer.body);
  const isJson = bytes[0] === 0x7b || bytes[0] === 0x5b;
  response.writeHead(status, {
    'content-type': isJson ? 'application/json' : 'text/event-stream; charset=utf-8',
    ...headers,
  });
  response.flushHeaders();
  response.socket?.setNoDelay(true);
  const { sliceBytes = Math.max(1, bytes.length) } = answer;
  for (let start = 0; start < bytes.length && !response.destroyed; start += sliceBytes) {
    response.write(bytes.subarray(start, start + sliceBytes));
    await nextTurn();
  }
  if (ending === 'end') response.end();
  if (ending === 'cut') response.socket?.end(() => response.destroy());
}
