import { Agent, type Dispatcher } from 'undici';
import { type HttpBody, HttpExchange, type HttpHead } from './http-exchange.ts';
import { isObject } from './wire.ts';

/** No error body is longer; what is longer is not ours to hold in memory. */
const MAX_ERROR_BODY_BYTES = 65_536;

/** Statuses for which the fetch standard allows no body. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

export interface HttpTransport {
  /** For the SDK: an answer of status 2xx comes without a body (see `bodyOf`), any other with its body as text. */
  readonly fetch: (url: string | URL | Request, init?: RequestInit) => Promise<Response>;
  /** The unread body of an answer of status 2xx. */
  bodyOf(response: Response): HttpBody;
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
  const bodies = new WeakMap<Response, HttpBody>();

  async function fetch(url: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const exchange = new HttpExchange(init.signal ?? null);
    const { origin, pathname, search } = new URL(String(url));
    agent.dispatch(
      {
        origin,
        path: pathname + search,
        method: (init.method ?? 'GET') as Dispatcher.HttpMethod,
        headers: new Headers(init.headers),
        body: typeof init.body === 'string' ? init.body : null,
      },
      exchange,
    );
    const head = await exchange.head;
    if (head.status < 200 || head.status > 299) return responseOf(head, await readError(exchange));
    const response = responseOf(head, null);
    bodies.set(response, exchange);
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

function responseOf({ status, headers }: HttpHead, body: string | null): Response {
  const response = new Response(WITHOUT_BODY.has(status) ? null : body, { status });
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string') response.headers.append(name, value);
    else for (const one of value ?? []) response.headers.append(name, one);
  }
  return response;
}

/** Compatible servers that write an error's members without `error` around them are brought into its form. */
async function readError(body: HttpBody): Promise<string> {
  const text = await readText(body, MAX_ERROR_BODY_BYTES);
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) && !('error' in parsed) ? JSON.stringify({ error: parsed }) : text;
  } catch {
    return text;
  }
}

/** Reads a body to its end, or up to a number of bytes; then the rest is not waited for. */
export async function readText(body: HttpBody, maxBytes: number): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  while (bytes < maxBytes) {
    const piece = await body.read();
    if (piece === null) break;
    pieces.push(piece);
    bytes += piece.length;
  }
  body.close();
  return Buffer.concat(pieces).toString('utf8');
}
