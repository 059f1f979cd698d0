import type { ChatResponse } from '../../contract/record-types.ts';

/** What a client can fail with beside the codes of a response's `error` (docs/errors.md). */
export type ClientErrorCode =
  /** No broker answered within `connectTimeout`, or the login was refused. */
  | 'connect_failed'
  /** A topic of the service does not exist, or may not be read. */
  | 'topics_missing'
  /** `close()` was called. */
  | 'closed'
  /** Reading has ended for good: connect again. */
  | 'connection_lost'
  /** Nothing came for `idleTimeout`. */
  | 'idle_timeout'
  /** The request's `signal` has fired. */
  | 'aborted'
  /** The brokers refused the request's record, for example because of its size. */
  | 'record_refused'
  /** Too many requests wait for an answer already. */
  | 'too_many_requests'
  /** The answer is not of the form that `output` asks for. */
  | 'invalid_output'
  /** The model called tools in more turns than are allowed. */
  | 'too_many_turns'
  /** What was given is not a resume token. */
  | 'invalid_token';

export interface ChatBusErrorDetails {
  readonly retryable: boolean;
  readonly requestId?: string | null;
  readonly response?: ChatResponse | null;
  readonly wasSeen?: boolean | null;
  readonly workers?: number | null;
  readonly cause?: unknown;
}

/**
 * The one error of the client. Decide by `code` and `retryable`; the message is for people.
 *
 * @example
 * try {
 *   await bus.chat({ messages: 'Hello' });
 * } catch (error) {
 *   if (error instanceof ChatBusError && error.retryable) scheduleAgain();
 * }
 */
export class ChatBusError extends Error {
  override readonly name = 'ChatBusError';
  /** A `ClientErrorCode`, or the code of the response's error. New ones may come. */
  readonly code: string;
  /** Whether asking again can help. */
  readonly retryable: boolean;
  /** Null when it is about no request. */
  readonly requestId: string | null;
  /** The response that the service gave: what arrived and what it cost. Null when there was none. */
  readonly response: ChatResponse | null;
  /** Of a timeout: whether a provider was called for the request. Null when that is not known. */
  readonly wasSeen: boolean | null;
  /** Of a timeout: how many workers the service has. Null when that is not known. */
  readonly workers: number | null;

  constructor(code: ClientErrorCode | (string & {}), message: string, details: ChatBusErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retryable = details.retryable;
    this.requestId = details.requestId ?? null;
    this.response = details.response ?? null;
    this.wasSeen = details.wasSeen ?? null;
    this.workers = details.workers ?? null;
  }

  /** The provider's own words, as the service reports them. */
  get providerMessage(): string | null {
    return this.response?.error?.providerMessage ?? null;
  }
}
