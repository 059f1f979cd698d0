import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOpenAiProvider, type OpenAiProvider } from '../../src/adapters/openai/openai-provider.ts';
import type { ChatRequest, Message } from '../../src/contract/record-types.ts';
import { CompletionFold, type FoldedChoice } from '../../src/domain/completion/fold-completion.ts';
import type { ReportedUsage } from '../../src/domain/cost/usage.ts';
import { ChatFailure } from '../../src/domain/failures/chat-failure.ts';
import {
  InvalidCredentials,
  ProviderError,
  RateLimited,
  StreamInterrupted,
} from '../../src/domain/failures/failure-classes.ts';
import type { ServedBy } from '../../src/ports/provider.ts';
import type { Fault, RunningServer } from '../support/foreign-servers/foreign-server.ts';
import { foreignServers } from '../support/foreign-servers/foreign-servers.ts';
import { aCall, aMessage, aToolCall } from '../unit/openai/provider-call.ts';

const never = new AbortController().signal;

interface Answer {
  readonly choice: FoldedChoice | undefined;
  readonly usage: ReportedUsage | null;
  readonly served: ServedBy | null;
  readonly failure: unknown;
}

const tool = (name: string, description: string): ChatRequest['tools'][number] => ({
  type: 'function',
  name,
  description,
  parametersJson: JSON.stringify({
    type: 'object',
    properties: { city: { type: 'string', description: 'A city, for example Lisbon' } },
    required: ['city'],
  }),
  strict: null,
  grammarSyntax: null,
  grammarDefinition: null,
  extraJson: null,
});
const tools = [tool('get_weather', 'The weather in a city now'), tool('get_time', 'The time in a city now')];
const weather = aMessage({ content: 'What are the weather and the time in Lisbon? Use your tools.' });

it('the list includes the server of AI_TEST_BASE_URL only when it is set', () => {
  const names = (env: Record<string, string>) => foreignServers(env).map(({ name }) => name);
  expect(names({})).toEqual(['@copilotkit/aimock', 'llmock']);
  expect(names({ AI_TEST_BASE_URL: '' })).toHaveLength(2);
  expect(names({ AI_TEST_BASE_URL: 'https://example.org/v1' })).toContain('https://example.org/v1');
});

describe.each(foreignServers(process.env))('the driver against $name', (server) => {
  let running: RunningServer;
  const providers: OpenAiProvider[] = [];
  let usual: OpenAiProvider;

  function providerWith(apiKey: string): OpenAiProvider {
    const provider = createOpenAiProvider({ apiKey, baseUrl: running.baseUrl });
    providers.push(provider);
    return provider;
  }

  beforeAll(async () => {
    running = await server.start();
    usual = providerWith(running.apiKey);
  });
  afterAll(async () => {
    await Promise.all(providers.map((provider) => provider.close()));
    await running?.close();
  });

  function callFor(request: Partial<ChatRequest>) {
    const call = aCall(request);
    return { ...call, model: { ...call.model, id: running.model }, firstTokenTimeoutMs: 60_000 };
  }

  async function ask(
    request: Partial<ChatRequest>,
    provider = usual,
    maxOutputTokens = 200,
  ): Promise<Answer> {
    const fold = new CompletionFold();
    let usage: ReportedUsage | null = null;
    let served: ServedBy | null = null;
    let failure: unknown = null;
    try {
      const stream = await provider.stream({ ...callFor(request), maxOutputTokens }, never);
      served = stream.served;
      for await (const events of stream) {
        for (const delta of events.deltas) fold.add(delta);
        usage = events.usage ?? usage;
      }
    } catch (error) {
      failure = error;
    }
    return { choice: fold.result()[0], usage, served, failure };
  }

  const say = (content: string): { messages: Message[] } => ({ messages: [aMessage({ content })] });

  it('streams a text with its finish reason, its usage and the model that answered', async () => {
    const { choice, usage, served, failure } = await ask(say('Say something kind.'));
    expect(failure).toBeNull();
    expect(choice?.content).toMatch(/\w/);
    expect(choice?.finishReason).toBe('stop');
    expect(usage).toMatchObject({ confidence: 'PROVIDER' });
    expect(usage?.inputTokens).toBeGreaterThan(0);
    expect(usage?.outputTokens).toBeGreaterThan(0);
    expect(served?.responseId).toMatch(/./);
    expect(served?.model).toContain(running.model);
  });

  it('gets tool calls with JSON arguments, and an answer to their results', async () => {
    const { choice, failure } = await ask({ messages: [weather], tools });
    expect(failure).toBeNull();
    expect(choice?.finishReason).toBe('tool_calls');
    const calls = choice?.toolCalls ?? [];
    expect(calls.length).toBeGreaterThanOrEqual(server.callsInParallel ? 2 : 1);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length);
    for (const call of calls) {
      expect(['get_weather', 'get_time']).toContain(call.name);
      expect(JSON.parse(call.arguments)).toMatchObject({ city: expect.any(String) });
    }

    const asked = aMessage({ role: 'assistant', toolCalls: calls.map((call) => aToolCall(call)) });
    const results = calls.map(({ id }) =>
      aMessage({ role: 'tool', toolCallId: id, content: '{"temperatureCelsius":21,"time":"15:00"}' }),
    );
    const answer = await ask({ messages: [weather, asked, ...results.toReversed()], tools });
    expect(answer.failure).toBeNull();
    expect(answer.choice).toMatchObject({ finishReason: 'stop', content: expect.stringMatching(/\w/) });
  });

  it('serves many calls at once', async () => {
    const all = await Promise.all(
      Array.from({ length: server.concurrency }, () => ask(say('Say something kind.'))),
    );
    expect(all.filter(({ failure }) => failure !== null)).toEqual([]);
    expect(all.every(({ choice, usage }) => choice?.finishReason === 'stop' && usage !== null)).toBe(true);
  });

  it('stops at once when aborted in mid-stream, and accepts the next call', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const reading = (async () => {
      for await (const _ of await usual.stream(callFor(say('Count to a hundred.')), stop.signal))
        stop.abort(reason);
    })();
    await expect(reading).rejects.toBe(reason);
    expect((await ask(say('Say something kind.'))).failure).toBeNull();
  });

  const failures: Readonly<Record<Fault, readonly [new (...args: never[]) => ChatFailure, object]>> = {
    '401': [InvalidCredentials, { retryable: false, httpStatus: 401 }],
    '429': [RateLimited, { retryable: true, httpStatus: 429, retryAfterMs: 2_000 }],
    '500': [ProviderError, { retryable: true, httpStatus: 500 }],
    'broken connection': [StreamInterrupted, { retryable: true }],
    'cut answer': [StreamInterrupted, { retryable: true }],
  };

  it.each(server.faults)('reports the right failure: %s', async (fault) => {
    const { apiKey, prompt } = await running.provoke(fault);
    const { failure, choice } = await ask(say(prompt), providerWith(apiKey));
    const [kind, fields] = failures[fault];
    expect(failure).toBeInstanceOf(kind);
    expect(failure).toBeInstanceOf(ChatFailure);
    expect(failure).toMatchObject(fields);
    expect(String(failure)).not.toContain(apiKey);
    if (fault === 'broken connection' || fault === 'cut answer') expect(choice?.content).toMatch(/\w/);
    expect((await ask(say('Say something kind.'))).failure).toBeNull();
  });

  if (server.tokensPerMinute !== null) {
    const tokens = server.tokensPerMinute;

    it('learns how long to wait when it exceeds the limit', async () => {
      const limited = providerWith('sk-of-a-limit-of-its-own');
      expect((await ask(say('Say something kind.'), limited, Math.floor(tokens * 0.9))).failure).toBeNull();
      const { failure } = await ask(say('Say something kind.'), limited, Math.floor(tokens * 0.9));
      expect(failure).toBeInstanceOf(RateLimited);
      expect((failure as ChatFailure).retryAfterMs).toBeGreaterThan(0);
    });
  }
});
