import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { answerBilling, Billing } from './billing.ts';
import { CallLog } from './call-log.ts';
import { type ChatParts, handleChat } from './chat-handler.ts';
import { type Controls, control, setDefault } from './control.ts';
import { errorBody } from './error-body.ts';
import { type ModelAnswer, ModelDirectory } from './models.ts';
import { RateLimiter } from './rate-limits.ts';
import { ScriptSource } from './script-source.ts';
import { TimerWheel } from './timer-wheel.ts';

export interface StandInServerOptions {
  /** A script, or a list with one per call, for requests that bring none. */
  defaultScript?: unknown;
  /** How many calls to keep for `/control/calls`; all unless set. */
  maxCalls?: number;
}

/**
 * The stand-in as an HTTP server that is not listening yet.
 *
 * @throws ScriptError when the default script is wrong
 */
export function createStandInServer(options: StandInServerOptions = {}): Server {
  const parts: ChatParts = {
    log: new CallLog(options.maxCalls),
    limiter: new RateLimiter(),
    scripts: new ScriptSource(),
    wheel: new TimerWheel(),
  };
  setDefault(parts.scripts, options.defaultScript);
  const models = new ModelDirectory();
  const controls: Controls = {
    ...parts,
    models,
    billing: new Billing(),
    initialDefault: options.defaultScript,
  };
  // A slow stream is the point here: the server itself never gives up on a connection.
  const server = createServer(
    { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 },
    (request, response) => {
      route(request, response, parts, controls).catch((error: unknown) => {
        console.error('stand-in: a request failed', error);
        response.destroy();
      });
    },
  );
  return server;
}

async function route(
  request: IncomingMessage,
  response: ServerResponse,
  parts: ChatParts,
  controls: Controls,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0] ?? '';
  const name = `${request.method} ${path}`;
  if (name === 'POST /v1/chat/completions') return handleChat(request, response, parts);
  if (name.startsWith('GET /v1/organization/')) {
    const { status, body } = answerBilling(request, controls.billing);
    return sendJson(response, status, body);
  }
  if (path.startsWith('/control/')) {
    const { status, body } = control(name, await text(request), controls);
    return sendJson(response, status, body === undefined ? '' : JSON.stringify(body));
  }
  if (name === 'GET /v1/models') return sendModels(response, await controls.models.list());
  if (name.startsWith('GET /v1/models/')) {
    return sendModels(response, controls.models.find(decodeURIComponent(path.slice('/v1/models/'.length))));
  }
  const message = `Unknown request URL: ${name}.`;
  return sendJson(response, 404, errorBody(404, { message, code: 'unknown_url' }));
}

function sendModels(response: ServerResponse, { status, body }: ModelAnswer): void {
  sendJson(response, status, body);
}

function sendJson(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body);
}
