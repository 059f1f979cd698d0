import type { ChatChunk, ChatResponse, ToolCall } from '../../contract/record-types.ts';
import { ChatBusError } from '../result/chat-bus-error.ts';
import type { ChatResult } from '../result/chat-result.ts';
import { AnswerLog, type LogEntry } from './answer-log.ts';
import type { RunToolsOptions, ToolHandlers, ToolRun } from './run-tools.ts';

/** What happens to an answer, in order. */
export type AnswerEvent<Data = unknown> =
  /** Text to append. A slow reader gets several chunks as one. */
  | { readonly type: 'text'; readonly text: string; readonly choice: number }
  /** A whole call; `valid` says whether its arguments fit the tool's schema. */
  | { readonly type: 'tool-call'; readonly call: ToolCall; readonly choice: number }
  /** The provider is asked again: all text so far is void. */
  | { readonly type: 'restart'; readonly attempt: number }
  /** The last one. */
  | { readonly type: 'finish'; readonly result: ChatResult<Data> };

/** What an answer needs of its bus. */
export interface AnswerHost<Data> {
  /** Publishes a cancellation. */
  cancel(reason: string | null): Promise<void>;
  runTools(handlers: ToolHandlers, options: RunToolsOptions): Promise<ToolRun<Data>>;
  toResult(response: ChatResponse, streamed: string): ChatResult<Data>;
  /** Nothing more is needed for this answer. */
  settled(): void;
  /** Looks for the response where every response is. Null when it is not there. Never rejects. */
  findResponse(): Promise<ChatResponse | null>;
  /** Why nothing may have come. Never rejects. */
  silent(): Promise<ChatBusError>;
}

export interface AnswerSettings {
  readonly id: string;
  readonly resumeToken: string;
  readonly idleTimeoutMs: number;
  readonly cancelOnBreak: boolean;
}

/** From the last chunk on. */
const RESPONSE_PATIENCE_MS = 3_000;

/** A response that comes late, after the client has given up, changes nothing. */
type Outcome<Data> = { readonly result: ChatResult<Data> } | { readonly error: ChatBusError };

/**
 * An answer as it arrives. Loop over it for its text, over `events` for everything, await it for the result; all of it as often
 * as you like, also later. Text ends with the last chunk; the result comes with the response, which has the cost.
 *
 * @example
 * const answer = bus.chat({ model: 'gpt-4o-mini', messages: 'Say hello.' });
 * for await (const text of answer) process.stdout.write(text);
 * const { usage, cost } = await answer;
 */
export class ChatAnswer<Data = unknown> implements PromiseLike<ChatResult<Data>>, AsyncIterable<string> {
  /** The request's id. */
  readonly id: string;
  /** By this, another process finds the answer: `bus.attach(resumeToken)`. */
  readonly resumeToken: string;
  private readonly host: AnswerHost<Data>;
  private readonly settings: AnswerSettings;
  private readonly log = new AnswerLog();
  private readonly result = Promise.withResolvers<ChatResult<Data>>();
  private outcome: Outcome<Data> | null = null;
  private idleTimer: NodeJS.Timeout | null = null;
  private responseTimer: NodeJS.Timeout | null = null;

  /** For `ChatBus` alone. */
  constructor(host: AnswerHost<Data>, settings: AnswerSettings) {
    this.host = host;
    this.settings = settings;
    this.id = settings.id;
    this.resumeToken = settings.resumeToken;
    // Nobody has to wait for it.
    this.result.promise.catch(() => undefined);
    this.hear();
  }

  /** Text, tool calls, restarts and the end, in order. Each loop begins at the beginning. Throws what the request failed with. */
  get events(): AsyncIterable<AnswerEvent<Data>> {
    return { [Symbol.asyncIterator]: () => this.readEvents() };
  }

  /** The text of the first choice. Each loop begins at the beginning. Throws what the request failed with. */
  [Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    return this.readText();
  }

  /** Resolves with the result. @throws ChatBusError what the request failed with */
  // biome-ignore lint/suspicious/noThenProperty: an answer is awaited.
  then<Resolved = ChatResult<Data>, Rejected = never>(
    onFulfilled?: ((result: ChatResult<Data>) => Resolved | PromiseLike<Resolved>) | null,
    onRejected?: ((error: ChatBusError) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Resolved | Rejected> {
    return this.result.promise.then(onFulfilled, onRejected);
  }

  catch<Rejected = never>(
    onRejected?: ((error: ChatBusError) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<ChatResult<Data> | Rejected> {
    return this.result.promise.catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<ChatResult<Data>> {
    return this.result.promise.finally(onFinally);
  }

  /**
   * Asks the service to cancel the request. Resolves when the brokers have the cancellation; the answer then fails with
   * `cancelled`, or ends as it would have if it was finished before.
   *
   * @param reason for people; it is in the response
   */
  async cancel(reason: string | null = null): Promise<void> {
    if (this.outcome === null) await this.host.cancel(reason);
  }

  /**
   * Runs what the model calls, sends the results, and goes on until it answers in words. Calls of one turn run side by side.
   *
   * @example
   * const { text } = await bus.chat({ messages, tools }).runTools({
   *   get_weather: async ({ city }, { signal }) => fetchWeather(city, signal),
   * });
   */
  runTools(handlers: ToolHandlers, options: RunToolsOptions = {}): Promise<ToolRun<Data>> {
    return this.host.runTools(handlers, options);
  }

  /** For `ChatBus` alone. */
  takeChunk(chunk: ChatChunk): void {
    if (this.outcome !== null) return;
    this.hear();
    this.log.add(chunk);
    if (this.log.isComplete) this.expectResponse();
  }

  /** For `ChatBus` alone. */
  takeResponse(response: ChatResponse): void {
    if (this.outcome !== null) return;
    this.log.complete(response);
    this.settle(this.outcomeOf(response));
  }

  /** For `ChatBus` alone. */
  fail(error: ChatBusError): void {
    if (this.outcome !== null) return;
    this.settle({ error });
  }

  private outcomeOf(response: ChatResponse): Outcome<Data> {
    const { status, error, requestId } = response;
    if (status !== 'COMPLETED')
      return {
        error: new ChatBusError(
          error?.code ?? 'internal',
          error?.message ?? `the request ended as ${status}`,
          { retryable: error?.retryable ?? false, requestId, response },
        ),
      };
    try {
      return { result: this.host.toResult(response, this.log.textOf(0)) };
    } catch (cause) {
      if (cause instanceof ChatBusError) return { error: cause };
      const details = { retryable: false, requestId, response, cause };
      return { error: new ChatBusError('invalid_output', 'the answer could not be read', details) };
    }
  }

  private settle(outcome: Outcome<Data>): void {
    this.outcome = outcome;
    for (const timer of [this.idleTimer, this.responseTimer]) if (timer !== null) clearTimeout(timer);
    this.host.settled();
    if ('error' in outcome) this.result.reject(outcome.error);
    else this.result.resolve(outcome.result);
    this.log.end();
  }

  private hear(): void {
    if (this.idleTimer !== null) this.idleTimer.refresh();
    else this.idleTimer = setTimeout(() => void this.silent(), this.settings.idleTimeoutMs);
  }

  private async silent(): Promise<void> {
    if (await this.isFound()) return;
    this.fail(await this.host.silent());
  }

  /** It comes once the service has committed it. A copy may be lost when a worker dies. */
  private expectResponse(): void {
    if (this.responseTimer !== null) return;
    this.responseTimer = setTimeout(() => {
      this.responseTimer = null;
      void this.isFound().then((isFound) => {
        if (!isFound && this.outcome === null) this.expectResponse();
      });
    }, RESPONSE_PATIENCE_MS);
  }

  private async isFound(): Promise<boolean> {
    const response = await this.host.findResponse();
    if (response !== null) this.takeResponse(response);
    return response !== null;
  }

  private async *readText(): AsyncGenerator<string, void, undefined> {
    for await (const entry of this.entries('text'))
      if (entry.kind === 'text' && entry.choice === 0) yield entry.text;
  }

  private async *readEvents(): AsyncGenerator<AnswerEvent<Data>, void, undefined> {
    for await (const entry of this.entries('outcome')) {
      if (entry.kind === 'restart') yield { type: 'restart', attempt: entry.attempt };
      else yield { type: 'text', text: entry.text, choice: entry.choice };
    }
    const result = await this.result.promise;
    for (const { index, toolCalls } of result.response.choices)
      for (const call of toolCalls) yield { type: 'tool-call', call, choice: index };
    yield { type: 'finish', result };
  }

  /** @param end the last chunk, or the response, after which nothing can be void */
  private async *entries(end: 'text' | 'outcome'): AsyncGenerator<LogEntry, void, undefined> {
    const cursor = this.log.start();
    let isRead = false;
    try {
      for (;;) {
        // Before the look, so that nothing that comes meanwhile is missed.
        const change = this.log.change();
        const { outcome } = this;
        const isComplete = end === 'text' ? this.log.isComplete : outcome !== null;
        const entry = this.log.read(cursor);
        if (entry !== null) yield entry;
        else if (outcome !== null && 'error' in outcome) throw outcome.error;
        else if (isComplete) break;
        else await change;
      }
      isRead = true;
    } finally {
      if (!isRead && this.settings.cancelOnBreak) void this.cancel('the reader left').catch(() => undefined);
    }
  }
}
