import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { ProviderError } from '../../../domain/failures/failure-classes.ts';
import { GatheredBytes } from '../../../domain/text/gathered-bytes.ts';
import { isObject } from '../../../domain/text/is-object.ts';
import { LimitExceeded } from '../wire/answer-limits.ts';
import { checkJson } from '../wire/check-json.ts';
import { findError } from '../wire/find-error.ts';
import { AnswerHeaders } from './answer-headers.ts';
import { type HttpBody, HttpExchange } from './http-exchange.ts';

/** No error body is longer; what is longer is not ours to hold in memory. */
const MAX_ERROR_BODY_BYTES = 65_536;

const LAST_STATUS = 599;

/** Statuses for which the fetch standard allows no body. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** The way out for https addresses. */
export interface HttpsProxy {
  readonly url: string;
  /** Hosts that are reached without the proxy, as in NO_PROXY. Null for no exceptions. */
  readonly except: string | null;
}

export interface HttpRequest {
  readonly method: Dispatcher.HttpMethod;
  readonly url: URL;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly body: string | null;
  /** Called when there is a connection, right before the request is written to it. */
  readonly onSent?: () => void;
}

/** An answer whose body is not read yet. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: HttpBody;
}

export interface HttpTransport {
  /**
   * Sends one request.
   *
   * @throws what kept it from being sent or answered, or the signal's reason
   */
  send(request: HttpRequest, signal: AbortSignal | null): Promise<HttpAnswer>;
  /** For the SDK: an answer of status 2xx comes without a body (see `bodyOf`), any other with its body as text. */
  readonly fetch: (url: string | URL | Request, init?: RequestInit) => Promise<Response>;
  /** The unread body of an answer of status 2xx. */
  bodyOf(response: Response): HttpBody;
  /** Closes all connections; calls in flight fail. */
  close(): Promise<void>;
}

/**
 * Connections to the provider: one per concurrent call, kept alive, without timeouts (the caller sets them) and redirects (they
 * would send the key elsewhere). The body bypasses the fetch standard's streams, which cost more than the rest of a streamed
 * answer.
 */
export function createHttpTransport(proxy: HttpsProxy | null = null): HttpTransport {
  const agent = createAgent(proxy);
  const bodies = new WeakMap<Response, HttpBody>();

  async function send(request: HttpRequest, signal: AbortSignal | null): Promise<HttpAnswer> {
    const { method, url, headers, body, onSent } = request;
    const exchange = new HttpExchange(signal, onSent);
    const { origin, pathname, search } = url;
    agent.dispatch({ origin, path: pathname + search, method, headers: headers as string[], body }, exchange);
    const head = await exchange.head;
    checkStatus(head.status, exchange);
    return { status: head.status, headers: new AnswerHeaders(head.headers), body: exchange };
  }

  async function fetch(url: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const method = (init.method ?? 'GET') as Dispatcher.HttpMethod;
    const body = typeof init.body === 'string' ? init.body : null;
    const headers = [...new Headers(init.headers)].flat();
    const answer = await send({ method, url: new URL(String(url)), headers, body }, init.signal ?? null);
    if (!isOk(answer)) return responseOf(answer, await readErrorText(answer.body));
    const response = responseOf(answer, null);
    bodies.set(response, answer.body);
    return response;
  }

  return {
    send,
    fetch,
    bodyOf(response) {
      const body = bodies.get(response);
      if (body === undefined) throw new Error('The response did not come from this transport.');
      return body;
    },
    close: () => agent.destroy(),
  };
}

function createAgent(proxy: HttpsProxy | null): Dispatcher {
  const options = {
    connections: null,
    pipelining: 1,
    // Over HTTP/2 all calls would share few connections, and one lost connection would break them all.
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  if (proxy === null) return new Agent(options);
  // Empty, not absent: undici would take absent values from the environment, in spite of the configuration.
  const from = { httpProxy: '', httpsProxy: proxy.url, noProxy: proxy.except ?? '' };
  return new EnvHttpProxyAgent({ ...options, ...from });
}

/** Whether the status is 2xx. */
export function isOk({ status }: HttpAnswer): boolean {
  return status >= 200 && status <= 299;
}

function responseOf({ status, headers }: HttpAnswer, body: string | null): Response {
  return new Response(WITHOUT_BODY.has(status) ? null : body, { status, headers: headers.entries() });
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

/** An error body, and what it says. */
export interface ErrorBody {
  readonly error: unknown;
  readonly text: string;
}

/**
 * The error of an error body, reduced to the four members that are read; compatible servers write them also without `error`
 * around them. What is too deep or too large is no error of the API, and is not taken apart.
 *
 * @returns text that is not JSON as it came
 */
export async function readError(body: HttpBody): Promise<ErrorBody> {
  const text = await readText(body, MAX_ERROR_BODY_BYTES);
  const error = errorOf(text);
  return { error: error === undefined ? text : error, text };
}

/** The same as the SDK takes it apart: as JSON, and what is no JSON as it came. */
async function readErrorText(body: HttpBody): Promise<string> {
  const text = await readText(body, MAX_ERROR_BODY_BYTES);
  const error = errorOf(text);
  return error === undefined ? text : JSON.stringify({ error });
}

function errorOf(text: string): unknown {
  let parsed: unknown;
  try {
    checkJson(text);
    parsed = JSON.parse(text);
  } catch (error) {
    return error instanceof LimitExceeded ? null : undefined;
  }
  const first: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  const error = isObject(first) ? findError(first, false) : first;
  if (!isObject(error)) return typeof error === 'string' ? error : null;
  const { message, type, code, param } = error;
  return { message, type, code, param };
}

/** Reads a body to its end, or up to a number of bytes; then the rest is not waited for and the connection is closed. */
export async function readText(body: HttpBody, maxBytes: number): Promise<string> {
  const bytes = new GatheredBytes();
  for (let piece = await body.read(); piece !== null; piece = await body.read()) {
    bytes.add(piece.subarray(0, maxBytes - bytes.length));
    if (bytes.length >= maxBytes) break;
  }
  body.close();
  const view = bytes.view();
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('utf8');
}
