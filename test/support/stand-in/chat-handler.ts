import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { planAnswer } from './answer.ts';
import { AnswerStream, contentHash, type Pace } from './answer-stream.ts';
import { answerBytes, type ByteAnswer } from './byte-answer.ts';
import type { Call, CallLog } from './call-log.ts';
import { BadRequest, type ChatRequest, parseChatRequest } from './chat-request.ts';
import { ChunkedWriter } from './chunked-writer.ts';
import { ChunkFormat, completionBody } from './completion-format.ts';
import { errorBody } from './error-body.ts';
import type { RateLimiter } from './rate-limits.ts';
import { type RawAnswer, writeRaw } from './raw-answer.ts';
import { type Script, ScriptError } from './script.ts';
import type { ScriptSource } from './script-source.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** What an unscripted answer takes, so that it looks alive in a terminal; scripts wait only where they say so. */
const UNSCRIPTED: Script = { firstTokenMs: 30, gapMs: 15 };

export interface ChatParts {
  log: CallLog;
  limiter: RateLimiter;
  scripts: ScriptSource;
  wheel: TimerWheel;
}

/** One call being answered. */
interface Exchange {
  call: Call;
  response: ServerResponse;
  /** When the request came, on the wheel's clock. */
  arrivedAt: number;
  id: string;
  headers: Record<string, string>;
}

const processTag = Date.now().toString(36);
let idCounter = 0;

/** Answers `POST /v1/chat/completions`, in the order in which the real service looks at a request. */
export async function handleChat(
  request: IncomingMessage,
  response: ServerResponse,
  parts: ChatParts,
): Promise<void> {
  const exchange = openExchange(request, response, parts.log);
  try {
    // 1. The key, 2. the body, 3. the limits, 4. the script.
    const keyError = checkKey(request.headers.authorization);
    if (keyError !== undefined) return sendError(exchange, parts.log, 401, keyError);
    const body = await text(request);
    const chat = parseChatRequest(body);
    Object.assign(exchange.call, {
      model: chat.model,
      stream: chat.stream === true,
      parameters: Object.keys(chat),
    });
    const admission = parts.limiter.admit(chat);
    Object.assign(exchange.headers, admission.headers);
    if (admission.refusal !== undefined) return sendError(exchange, parts.log, 429, admission.refusal);
    const script = parts.scripts.next(chat, exchange.call.requestId) ?? UNSCRIPTED;
    perform(exchange, chat, script, parts);
  } catch (error) {
    if (error instanceof BadRequest) {
      return sendError(exchange, parts.log, 400, { message: error.message, param: error.param });
    }
    if (error instanceof ScriptError) return sendError(exchange, parts.log, 400, { message: error.message });
    if (request.destroyed) return; // the client left while it was sending: the close listener has recorded it
    throw error;
  }
}

function openExchange(request: IncomingMessage, response: ServerResponse, log: CallLog): Exchange {
  const header = request.headers['x-client-request-id'];
  const call = log.begin(typeof header === 'string' ? header : null);
  response.on('close', () => log.end(call, 'client_closed'));
  idCounter += 1;
  const tag = `${processTag}${idCounter.toString(36).padStart(8, '0')}`;
  return {
    call,
    response,
    arrivedAt: performance.now(),
    id: `chatcmpl-${tag}`,
    headers: { 'x-request-id': `req_${tag}`, 'openai-version': '2020-10-01' },
  };
}

function perform(exchange: Exchange, chat: ChatRequest, script: Script, parts: ChatParts): void {
  Object.assign(exchange.headers, scriptedHeaders(script));
  const { call, response } = exchange;
  if (script.bytes !== undefined) {
    sendBytes(exchange, script.bytes, script, parts);
  } else if (script.status === 0) {
    parts.wheel.after(script.firstTokenMs ?? 0, () => {
      parts.log.end(call, 'cut');
      response.destroy();
    });
  } else if (script.raw !== undefined) {
    sendRaw(exchange, script.raw, parts.log);
  } else if (isHttpError(script)) {
    parts.wheel.after(script.firstTokenMs ?? 0, () => {
      sendError(exchange, parts.log, script.status ?? 200, script.error, script.body);
    });
  } else if (chat.stream) {
    parts.wheel.after(script.headersMs ?? 0, () => stream(exchange, chat, script, parts));
  } else {
    answerWhole(exchange, chat, script, parts);
  }
}

function sendBytes(exchange: Exchange, answer: ByteAnswer, script: Script, { wheel, log }: ChatParts): void {
  const { call, response } = exchange;
  const { status = 200, promptTokens = 0, firstTokenMs = 0 } = script;
  Object.assign(call, { completionId: exchange.id, promptTokens });
  wheel.after(firstTokenMs, () => {
    const headers = finalHeaders(exchange);
    answerBytes(answer, { call, log, response, status, headers }).catch(() => response.destroy());
  });
}

function sendRaw({ call, response, headers }: Exchange, raw: RawAnswer, log: CallLog): void {
  call.status = 200;
  response.writeHead(200, { 'content-type': raw.contentType, ...headers });
  writeRaw(response, raw, () => log.end(call, 'completed'));
}

/** `status` and `error` next to `errorAfterTokens` describe the error event in the stream, not the answer. */
function isHttpError(script: Script): boolean {
  if (script.errorAfterTokens !== undefined) return false;
  return (script.status ?? 200) !== 200 || script.error !== undefined || script.body !== undefined;
}

function stream(exchange: Exchange, chat: ChatRequest, script: Script, parts: ChatParts): void {
  const { call, response } = exchange;
  if (call.endedAt !== null || response.socket === null) return;
  const answer = planAnswer(chat, script, exchange.id);
  Object.assign(call, { completionId: exchange.id, status: 200, promptTokens: answer.promptTokens });
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'transfer-encoding': 'chunked',
    ...finalHeaders(exchange),
  });
  response.flushHeaders();
  new AnswerStream({
    answer,
    script,
    format: new ChunkFormat(chat, script, answer, exchange.id),
    writer: new ChunkedWriter(response, response.socket, script.splitBytes),
    wheel: parts.wheel,
    log: parts.log,
    call,
    pace: paceOf(exchange, script),
  }).start();
}

/** An unstreamed answer comes when its last token would have come; faults show as a whole response can show them. */
function answerWhole(exchange: Exchange, chat: ChatRequest, script: Script, parts: ChatParts): void {
  const { call, response } = exchange;
  const { log, wheel } = parts;
  const answer = planAnswer(chat, script, exchange.id);
  Object.assign(call, { completionId: exchange.id, promptTokens: answer.promptTokens });
  const { firstTokenAt, gapMs } = paceOf(exchange, script);
  const doneInMs = firstTokenAt + answer.steps * gapMs - performance.now();
  wheel.after(doneInMs, () => {
    if (call.endedAt !== null) return;
    if (script.stallAfterTokens !== undefined) {
      call.outcome = 'stalled';
      return;
    }
    if (script.cutAfterTokens !== undefined || script.endAfterTokens !== undefined) {
      log.end(call, 'cut');
      response.destroy();
      return;
    }
    if (script.errorAfterTokens !== undefined) {
      return sendError(exchange, log, script.status ?? 500, script.error, script.body);
    }
    const body = completionBody(chat, script, answer, exchange.id);
    const isMalformed = script.malformedAfterTokens !== undefined;
    call.completionTokens = script.completionTokens ?? answer.steps * answer.choices;
    call.contentHash = contentHash(script.stamp ? null : answer.contentOf(0));
    send(
      exchange,
      log,
      200,
      isMalformed ? body.slice(0, -20) : body,
      isMalformed ? 'malformed' : 'completed',
    );
  });
}

function paceOf(exchange: Exchange, script: Script): Pace {
  return { firstTokenAt: exchange.arrivedAt + (script.firstTokenMs ?? 0), gapMs: script.gapMs ?? 0 };
}

function scriptedHeaders(script: Script): Record<string, string> {
  const headers: Record<string, string> = {};
  if (script.retryAfterMs !== undefined) {
    headers['retry-after-ms'] = String(script.retryAfterMs);
    headers['retry-after'] = String(Math.ceil(script.retryAfterMs / 1000));
  }
  if (script.retryAfter !== undefined) headers['retry-after'] = script.retryAfter;
  return { ...headers, ...script.headers };
}

/** @returns what is wrong with the Authorization header; keys that begin with `sk-invalid` are refused, all others taken */
function checkKey(authorization: string | undefined): Script['error'] | undefined {
  const key = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1];
  if (key === undefined) {
    return {
      message: "You didn't provide an API key in an Authorization header (Authorization: Bearer KEY).",
      code: null,
    };
  }
  if (!key.startsWith('sk-invalid')) return undefined;
  return { message: `Incorrect API key provided: ${key.slice(0, 7)}***${key.slice(-4)}.` };
}

function sendError(
  exchange: Exchange,
  log: CallLog,
  status: number,
  error?: Script['error'],
  body = errorBody(status, error),
): void {
  send(exchange, log, status, body, 'error');
}

function send(
  exchange: Exchange,
  log: CallLog,
  status: number,
  body: string,
  outcome: 'completed' | 'error' | 'malformed',
): void {
  const { call, response } = exchange;
  if (call.endedAt !== null) return;
  call.status = status;
  log.end(call, outcome);
  const type = body.startsWith('<') ? 'text/html' : 'application/json';
  const headers = {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    ...finalHeaders(exchange),
  };
  response.writeHead(status, headers).end(body);
}

function finalHeaders(exchange: Exchange): Record<string, string> {
  const processingMs = Math.round(performance.now() - exchange.arrivedAt);
  return { 'openai-processing-ms': String(processingMs), ...exchange.headers };
}
