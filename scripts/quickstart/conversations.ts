import type {
  ChatChunk,
  ChatRequestInput,
  ChatResponse,
  MessageInput,
} from '../../src/contract/record-types.ts';
import type { Answered, Exchange } from './exchange.ts';
import { getWeather, weatherNow } from './weather-tool.ts';

/** Displays one conversation while it runs. */
export interface Speaker {
  asks(question: string): void;
  /** A tool's result. */
  returns(result: string): void;
  /** A piece of the answer. */
  says(text: string): void;
  /** A piece of a tool call: its name first, then its arguments. */
  calls(text: string): void;
  /** The answer is complete, or starts again from scratch. */
  pauses(): void;
}

export interface Conversation {
  readonly name: string;
  readonly model: string;
  hold(talk: Talk): Promise<void>;
}

/** Sends all messages so far. The last of them are new. */
type Talk = (messages: MessageInput[], options?: Partial<ChatRequestInput>) => Promise<ChatResponse>;

/** A question and a follow-up that needs the first answer. Each request carries the whole conversation. */
const story: Conversation = {
  name: 'story',
  model: 'gpt-4.1-mini',
  async hold(talk) {
    const question = {
      role: 'user',
      content: 'Tell me in two sentences why a log is a good way to share work.',
    };
    const first = await talk([question]);
    if (first.status !== 'COMPLETED') return;
    const answer = { role: 'assistant', content: first.choices[0]?.content ?? '' };
    await talk([
      question,
      answer,
      { role: 'user', content: 'And now for a five-year-old, in one sentence?' },
    ]);
  },
};

/** A question that needs a tool. The model calls it, and the quickstart sends the result in another request. */
const weather: Conversation = {
  name: 'weather',
  model: 'gpt-4o-mini',
  async hold(talk) {
    const tools = [getWeather];
    const question = { role: 'user', content: 'What is the weather like in Lisbon right now?' };
    const first = await talk([question], { tools });
    const choice = first.choices[0];
    if (choice === undefined || choice.toolCalls.length === 0) return;
    const results = choice.toolCalls.map(({ id }) => ({
      role: 'tool',
      toolCallId: id,
      content: JSON.stringify(weatherNow()),
    }));
    const call = { role: 'assistant', content: choice.content, toolCalls: choice.toolCalls };
    await talk([question, call, ...results], { tools });
  },
};

export const conversations: readonly Conversation[] = [story, weather];

/**
 * Holds a conversation through Kafka.
 *
 * @param run makes the ids of this run unique
 * @param model replaces the conversation's own model
 * @returns the outcome of each request, in order
 */
export async function hold(
  { name, model: ownModel, hold }: Conversation,
  exchange: Exchange,
  speaker: Speaker,
  run: string,
  model: string | undefined,
): Promise<Answered[]> {
  const conversationId = `${name}-${run}`;
  const outcomes: Answered[] = [];
  await hold(async (messages, options) => {
    const lastAnswer = messages.findLastIndex(({ role }) => role === 'assistant');
    for (const { role, content } of messages.slice(lastAnswer + 1)) {
      speaker[role === 'tool' ? 'returns' : 'asks'](content ?? '');
    }
    const request: ChatRequestInput = {
      requestId: `${conversationId}-${outcomes.length + 1}`,
      conversationId,
      model: model ?? ownModel,
      messages,
      maxOutputTokens: 120,
      labels: { origin: 'quickstart' },
      ...options,
    };
    let attempt = 0;
    const outcome = await exchange.ask(request, (chunk) => {
      if (chunk.attempt !== attempt) speaker.pauses();
      attempt = chunk.attempt;
      pass(chunk, speaker);
    });
    speaker.pauses();
    outcomes.push(outcome);
    return outcome.response;
  });
  return outcomes;
}

function pass({ content, toolCalls }: ChatChunk, speaker: Speaker): void {
  if (content !== '') speaker.says(content);
  for (const { name, arguments: input } of toolCalls) {
    if (name !== null) speaker.pauses();
    speaker.calls(name === null ? input : `${name} ${input}`);
  }
}
