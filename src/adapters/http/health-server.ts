import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One thing that must be right for the process to be alive or ready. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What is wrong and what happens meanwhile, or what the answer rests on. */
  readonly why?: string;
  /** Since when it is as it is, ISO 8601. */
  readonly since?: string;
  /** Reported, but without effect on the status. */
  readonly advisory?: true;
}

export interface HealthServerOptions {
  /** 0 takes a free port. */
  readonly port: number;
  readonly host: string;
  /** Asked on every request; they must answer at once. */
  readonly checks: {
    /** Whether the process still works at all: if not, it should be started again. */
    live(): readonly Check[];
    /** Whether it does its work now. */
    ready(): readonly Check[];
  };
  /** Answers `/metrics`. */
  readonly metricsHandler: (request: IncomingMessage, response: ServerResponse) => void;
}

export interface HealthServer {
  readonly port: number;
  /** Stops listening and closes all connections. */
  close(): Promise<void>;
}

/**
 * Serves `/livez`, `/readyz` and `/metrics`. The first two answer 200 or 503 with the checks as JSON.
 *
 * @throws the system's error when the address cannot be listened on
 */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const { checks, metricsHandler } = options;
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return answer(response, 405, { error: 'Only GET and HEAD are supported.' });
    }
    if (path === '/livez') return answerChecks(response, checks.live);
    if (path === '/readyz') return answerChecks(response, checks.ready);
    if (path === '/metrics') return metricsHandler(request, response);
    answer(response, 404, { error: 'Not found. Use /livez, /readyz or /metrics.' });
  });
  await listen(server, options.port, options.host);
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

function answerChecks(response: ServerResponse, read: () => readonly Check[]): void {
  const results = readChecks(read);
  const ok = results.every((check) => check.ok || check.advisory === true);
  answer(response, ok ? 200 : 503, { ok, checks: results });
}

/** A check that throws is a check that failed; it must not take the process down. */
function readChecks(read: () => readonly Check[]): readonly Check[] {
  try {
    return read();
  } catch (error) {
    return [{ name: 'checks', ok: false, why: error instanceof Error ? error.message : String(error) }];
  }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}

function listen(server: Server, port: number, host: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, host, () => {
    server.off('error', reject);
    resolve();
  });
  return promise;
}

function close(server: Server): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.close((error) => (error ? reject(error) : resolve()));
  server.closeAllConnections();
  return promise;
}
