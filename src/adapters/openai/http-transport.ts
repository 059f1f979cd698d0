import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { isObject } from './wire.ts';

/** No error body is longer; what is longer is not ours to hold in memory. */
const MAX_ERROR_BODY_BYTES = 65_536;

/** Statuses for which the fetch standard allows no body. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

export interface HttpTransport {
  /** For the SDK: an answer of status 2xx comes without a body (see `bodyOf`), any other with its body as text. */
  readonly fetch: (url: string | URL | Request, init?: RequestInit) => Promise<Response>;
  /** The unread body of an answer of status 2xx. */
  bodyOf(response: Response): Readable;
  /** Closes all connections; calls under way fail. */
  close(): Promise<void>;
}

/**
 * The way to the provider: as many connections to one host as there are calls, kept alive, no timeouts (the caller's
 * rule), no redirects (they would carry the key elsewhere). The body goes past the fetch standard's streams, which
 * cost more than all the rest of a streamed answer together.
 */
export function createHttpTransport(): HttpTransport {
  const agent = new Agent({
    connections: null,
    pipelining: 1,
    // Over HTTP/2 all calls would share few connections, and one lost connection would break them all.
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const bodies = new WeakMap<Response, Readable>();

  async function fetch(url: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const answer = await request(String(url), {
      dispatcher: agent,
      method: init.method ?? 'GET',
      headers: new Headers(init.headers),
      body: typeof init.body === 'string' ? init.body : null,
      signal: init.signal ?? null,
    });
    const status = answer.statusCode;
    const headers = mapHeaders(answer.headers);
    if (status < 200 || status > 299) {
      const text = await readError(answer.body);
      return new Response(WITHOUT_BODY.has(status) ? null : text, { status, headers });
    }
    const response = new Response(null, { status, headers });
    bodies.set(response, answer.body);
    return response;
  }

  return {
    fetch,
    bodyOf(response) {
      const body = bodies.get(response);
      if (body === undefined) throw new Error('The response did not come from this transport.');
      return body;
    },
    close: () => agent.destroy(),
  };
}

function mapHeaders(headers: Record<string, string | string[] | undefined>): Headers {
  const mapped = new Headers();
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string') mapped.append(name, value);
    else for (const one of value ?? []) mapped.append(name, one);
  }
  return mapped;
}

/** Compatible servers that write an error's members without `error` around them are brought into its form. */
async function readError(body: Readable): Promise<string> {
  const text = await readText(body, MAX_ERROR_BODY_BYTES);
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) && !('error' in parsed) ? JSON.stringify({ error: parsed }) : text;
  } catch {
    return text;
  }
}

/** Reads a body to its end, or up to a number of bytes; then the rest is not waited for. */
export async function readText(body: Readable, maxBytes: number): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= maxBytes) break;
  }
  return Buffer.concat(pieces).toString('utf8');
}
