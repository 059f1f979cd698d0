import type { ContentPartInput, MessageInput } from '../contract/record-types.ts';
import type { ChatAnswer } from './answer/chat-answer.ts';
import type { RunToolsOptions, ToolHandlers } from './answer/run-tools.ts';
import type { ChatOptions, FunctionTool } from './request/chat-request.ts';
import type { Duration } from './request/durations.ts';
import { ChatBusError } from './result/chat-bus-error.ts';
import { type ChatResult, toMessage } from './result/chat-result.ts';

/** An answer by the names of the specification. */
export interface Reply {
  readonly content: string;
  /** Input and output; 0 when the provider reported none and none was estimated. */
  readonly tokensUsed: number;
  /** Exact decimal text; null when no price is known or nothing was used. */
  readonly cost: string | null;
  readonly currency: string | null;
  readonly finishReason: string | null;
  readonly toolCalls: ChatResult['toolCalls'];
  readonly isStreamed: boolean;
  /** Everything else. */
  readonly result: ChatResult;
}

/** A piece of an answer. */
export interface ReplyChunk {
  /** Text to append; empty where the provider is asked again. */
  readonly content: string;
  /** All text so far. It is shorter than before only when the provider is asked again. */
  readonly fullContent: string;
  readonly isChunk: true;
}

type Ask = (options: ChatOptions) => ChatAnswer;

/**
 * A conversation, one call for each thing that is set. Messages and answers are kept here; a message that failed is sent again
 * with the next `send`. Requests of one conversation are answered in order.
 *
 * @example
 * const reply = await bus.conversation().model('gpt-4').system('Be brief.').message('Hello, world!').send();
 */
export class Conversation {
  /** The key of its requests. */
  readonly id: string;
  private readonly ask: Ask;
  private options: Partial<ChatOptions> = {};
  private history: MessageInput[] = [];
  private waiting: MessageInput[] = [];
  private systemText: string | null = null;
  private isStreamed = false;
  private isAsking = false;
  private onText: ((chunk: ReplyChunk) => void) | null = null;

  /** For `ChatBus` alone. */
  constructor(ask: Ask, id: string) {
    this.ask = ask;
    this.id = id;
  }

  /** What was said and answered so far. */
  get messages(): readonly MessageInput[] {
    return this.history;
  }

  /** A provider that the service has configured. */
  provider(name: string): this {
    return this.set({ provider: name });
  }

  model(id: string): this {
    return this.set({ model: id });
  }

  /** 0 to 2. */
  temperature(value: number): this {
    return this.set({ temperature: value });
  }

  /** Of an answer. */
  maxTokens(count: number): this {
    return this.set({ maxOutputTokens: count });
  }

  /** What the model is to keep to. */
  system(text: string): this {
    this.systemText = text;
    return this;
  }

  /** What the user says: text, or parts such as images. */
  message(content: string | readonly ContentPartInput[]): this {
    const said = typeof content === 'string' ? { content } : { parts: [...content] };
    this.waiting.push({ role: 'user', ...said });
    return this;
  }

  /** Functions that the model may call. */
  functions(tools: readonly FunctionTool[]): this {
    return this.set({ tools });
  }

  /** Pairs for reports: they are in every output, and are never sent to the provider. */
  labels(labels: Readonly<Record<string, string>>): this {
    return this.set({ labels: { ...this.options.labels, ...labels } });
  }

  /** Latest time for each answer, from its `send` on. */
  deadline(time: Duration): this {
    return this.set({ deadline: time });
  }

  /** Everything else of a request. */
  with(options: Omit<Partial<ChatOptions>, 'messages' | 'id' | 'conversationId'>): this {
    return this.set(options);
  }

  /** Whether answers come in pieces. */
  stream(isStreamed = true): this {
    this.isStreamed = isStreamed;
    return this;
  }

  /** Gets the pieces of answers; `stream` is then on. */
  onChunk(callback: (chunk: ReplyChunk) => void): this {
    this.onText = callback;
    return this.stream();
  }

  /** Sends what was said. @throws ChatBusError what the request failed with */
  async send(): Promise<Reply> {
    return this.exchange(async (answer) => {
      await this.follow(answer);
      const result = await answer;
      return { result, said: [toMessage(result)] };
    });
  }

  /** Sends what was said, and runs the functions that the model calls until it answers in words. */
  async runTools(handlers: ToolHandlers, options: RunToolsOptions = {}): Promise<Reply> {
    return this.exchange(async (answer, asked) => {
      const run = await answer.runTools(handlers, options);
      return { result: run, said: run.messages.slice(asked.length) };
    });
  }

  private set(options: Partial<ChatOptions>): this {
    this.options = { ...this.options, ...options };
    return this;
  }

  private async exchange(
    read: (
      answer: ChatAnswer,
      asked: readonly MessageInput[],
    ) => Promise<{ readonly result: ChatResult; readonly said: readonly MessageInput[] }>,
  ): Promise<Reply> {
    if (this.isAsking)
      throw new ChatBusError('invalid_request', 'the last message is not answered yet: await it first', {
        retryable: false,
      });
    this.isAsking = true;
    const said = [...this.waiting];
    const system = this.systemText === null ? [] : [{ role: 'system', content: this.systemText }];
    const asked: MessageInput[] = [...system, ...this.history, ...said];
    try {
      const answer = this.ask({
        ...this.options,
        stream: this.isStreamed,
        conversationId: this.id,
        messages: asked,
      });
      const end = await read(answer, asked);
      this.history = [...this.history, ...said, ...end.said];
      this.waiting = this.waiting.slice(said.length);
      return toReply(end.result, this.isStreamed);
    } finally {
      this.isAsking = false;
    }
  }

  private async follow(answer: ChatAnswer): Promise<void> {
    if (this.onText === null) return;
    let fullContent = '';
    for await (const event of answer.events) {
      if (event.type === 'restart') fullContent = '';
      else if (event.type !== 'text' || event.choice !== 0) continue;
      const content = event.type === 'text' ? event.text : '';
      fullContent += content;
      this.onText({ content, fullContent, isChunk: true });
    }
  }
}

function toReply(result: ChatResult, isStreamed: boolean): Reply {
  const { text, usage, cost, currency, finishReason, toolCalls } = result;
  return {
    content: text,
    tokensUsed: usage?.totalTokens ?? 0,
    cost,
    currency,
    finishReason,
    toolCalls,
    isStreamed,
    result,
  };
}
