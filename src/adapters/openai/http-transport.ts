import { Agent, type Dispatcher } from 'undici';
import { ProviderError } from '../../domain/failure-classes.ts';
import { GatheredBytes } from '../../domain/gathered-bytes.ts';
import { LimitExceeded } from './answer-limits.ts';
import { checkJson } from './check-json.ts';
import { type HttpBody, HttpExchange, type HttpHead } from './http-exchange.ts';
import { isObject } from './wire.ts';

/** No error body is longer; what is longer is not ours to hold in memory. */
const MAX_ERROR_BODY_BYTES = 65_536;

/** In place of an error body that nobody should take apart: text is never shown. */
const NOT_READABLE = 'an error whose JSON is too deep or too large';

const LAST_STATUS = 599;

/** Statuses for which the fetch standard allows no body. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** What the SDK hands on to the transport as it is, beside what the fetch standard knows. */
export interface SendingOptions {
  /** Called when there is a connection, right before the request is written to it. */
  readonly onSent?: () => void;
}

export interface HttpTransport {
  /** For the SDK: an answer of status 2xx comes without a body (see `bodyOf`), any other with its body as text. */
  readonly fetch: (url: string | URL | Request, init?: RequestInit & SendingOptions) => Promise<Response>;
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

  async function fetch(
    url: string | URL | Request,
    init: RequestInit & SendingOptions = {},
  ): Promise<Response> {
    const exchange = new HttpExchange(init.signal ?? null, init.onSent);
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
    checkStatus(head.status, exchange);
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
  for (const [name, value] of Object.entries(headers)) {
    for (const one of typeof value === 'string' ? [value] : (value ?? []))
      append(response.headers, name, one);
  }
  return response;
}

/** The HTTP parser lets through what the fetch standard does not: such a header counts as not sent. */
function append(headers: Headers, name: string, value: string): void {
  try {
    headers.append(name, value);
  } catch {
    // Not a header that anything here reads.
  }
}

/** The fetch standard knows no other status, and neither does HTTP. */
function checkStatus(status: number, exchange: HttpExchange): void {
  if (status <= LAST_STATUS) return;
  exchange.close();
  throw new ProviderError(
    `The provider answered with HTTP status ${status}, which does not exist. The call is not repeated; check that AI_OPENAI_BASE_URL speaks the Chat Completions API.`,
    false,
    { httpStatus: status },
  );
}

/**
 * An error body as the SDK takes it apart: the four members that are read, under `error` also where a compatible server
 * writes them without it. What is too deep or too large is no error of the API; the SDK would walk it recursively.
 */
async function readError(body: HttpBody): Promise<string> {
  const text = await readText(body, MAX_ERROR_BODY_BYTES);
  let parsed: unknown;
  try {
    checkJson(text);
    parsed = JSON.parse(text);
  } catch (error) {
    return error instanceof LimitExceeded ? NOT_READABLE : text;
  }
  const error = isObject(parsed) && 'error' in parsed ? parsed['error'] : parsed;
  if (!isObject(error)) return JSON.stringify({ error: typeof error === 'string' ? error : null });
  const { message, type, code, param } = error;
  return JSON.stringify({ error: { message, type, code, param } });
}

/** A body as far as it was read. */
export interface BodyText {
  readonly text: string;
  /** False when it has more bytes than were asked for. */
  readonly isWhole: boolean;
}

/**
 * Reads a body to its end, or up to a number of bytes; then the rest is not waited for and the connection is closed.
 *
 * @param onGrown called with the bytes so far; may make it wait before more is read
 */
export async function readBody(
  body: HttpBody,
  maxBytes: number,
  onGrown?: (bytes: number) => Promise<void> | undefined,
): Promise<BodyText> {
  const bytes = new GatheredBytes();
  let isWhole = true;
  for (let piece = await body.read(); piece !== null; piece = await body.read()) {
    isWhole = bytes.length + piece.length <= maxBytes;
    bytes.add(isWhole ? piece : piece.subarray(0, maxBytes - bytes.length));
    if (!isWhole) break;
    const short = onGrown?.(bytes.length);
    if (short !== undefined) await short;
  }
  body.close();
  const view = bytes.view();
  return { text: Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('utf8'), isWhole };
}

/** The same, for bodies whose rest does not matter. */
export async function readText(body: HttpBody, maxBytes: number): Promise<string> {
  return (await readBody(body, maxBytes)).text;
}
