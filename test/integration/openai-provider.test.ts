import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createOpenAiProvider, type OpenAiProvider } from '../../src/adapters/openai/openai-provider.ts';
import { CompletionFold, type FoldedChoice } from '../../src/domain/completion/fold-completion.ts';
import type { ReportedUsage } from '../../src/domain/cost/usage.ts';
import type { ChatFailure, ErrorCode } from '../../src/domain/failures/chat-failure.ts';
import { failureClasses } from '../../src/domain/failures/failure-classes.ts';
import type { ProviderCall } from '../../src/ports/provider.ts';
import type { Script } from '../support/stand-in/script.ts';
import { type StandIn, startStandIn } from '../support/stand-in/start-stand-in.ts';
import { aCall, aMessage } from '../unit/openai/provider-call.ts';

let standIn: StandIn;
let provider: OpenAiProvider;
let callCount = 0;

beforeAll(async () => {
  standIn = await startStandIn();
  provider = createOpenAiProvider({ apiKey: 'sk-test-1234', baseUrl: standIn.url });
});
beforeEach(() => standIn.reset());
afterAll(async () => {
  await provider.close();
  await standIn.close();
});

interface Answer {
  choices: FoldedChoice[];
  usage: ReportedUsage | null;
  failure: ChatFailure | null;
}

const silence = new AbortController().signal;

function scripted(script: Script, members: Partial<ProviderCall> = {}): ProviderCall {
  callCount += 1;
  const content = JSON.stringify({ standIn: script });
  return aCall({ messages: [aMessage({ content })] }, { clientRequestId: `call-${callCount}/1`, ...members });
}

async function ask(call: ProviderCall): Promise<Answer> {
  const fold = new CompletionFold();
  let usage: ReportedUsage | null = null;
  try {
    for await (const events of await provider.stream(call, silence)) {
      for (const delta of events.deltas) fold.add(delta);
      usage = events.usage ?? usage;
    }
    return { choices: fold.result(), usage, failure: null };
  } catch (error) {
    return { choices: fold.result(), usage, failure: error as ChatFailure };
  }
}

describe('against the stand-in', () => {
  it('an answer arrives whole, with its usage, in every format', async () => {
    const text = 'Grüße aus 東京 🗼 und weiter';
    for (const way of [{}, { splitBytes: 1 }, { crlf: true, comments: true }, { gapMs: 1 }]) {
      const { choices, usage, failure } = await ask(scripted({ text, ...way }));
      expect(failure).toBeNull();
      expect(choices).toMatchObject([{ index: 0, content: text, finishReason: 'stop' }]);
      expect(usage).toMatchObject({ outputTokens: 6, confidence: 'PROVIDER' });
    }
    expect((await standIn.summary()).byOutcome).toEqual({ completed: 4 });
  });

  it('tool calls arrive with joined arguments', async () => {
    const toolCalls = [
      { name: 'get_weather', arguments: { city: 'München', days: 3 } },
      { name: 'get_time', arguments: { zone: 'Europe/Berlin' } },
    ];
    const [choice] = (await ask(scripted({ toolCalls }))).choices;
    expect(choice?.finishReason).toBe('tool_calls');
    expect(choice?.toolCalls.map((call) => [call.name, JSON.parse(call.arguments)])).toEqual(
      toolCalls.map((call) => [call.name, call.arguments]),
    );
  });

  it('usage may be missing', async () => {
    expect(await ask(scripted({ text: 'Hi', usage: 'missing' }))).toMatchObject({
      usage: null,
      failure: null,
    });
  });

  it.each<[Script, ErrorCode, boolean]>([
    [{ status: 401 }, 'invalid_credentials', false],
    [{ status: 403 }, 'permission_denied', false],
    [{ status: 404 }, 'model_not_found', false],
    [{ status: 429 }, 'rate_limited', true],
    [
      { status: 429, error: { type: 'insufficient_quota', code: 'insufficient_quota' } },
      'quota_exceeded',
      false,
    ],
    [{ status: 400, error: { code: 'context_length_exceeded' } }, 'context_length_exceeded', false],
    [{ status: 500 }, 'provider_error', true],
    [{ status: 503 }, 'provider_unavailable', true],
    [{ status: 502, body: '<html>Bad gateway</html>' }, 'provider_unavailable', true],
    [{ status: 0 }, 'provider_unavailable', true],
    [{ error: { type: 'server_error' } }, 'provider_error', true],
    [{ tokens: 5, cutAfterTokens: 2 }, 'stream_interrupted', true],
    [{ tokens: 5, endAfterTokens: 2 }, 'stream_interrupted', true],
    [{ tokens: 5, malformedAfterTokens: 2 }, 'provider_error', true],
    [
      { tokens: 5, errorAfterTokens: 2, error: { code: 'server_is_overloaded' } },
      'provider_unavailable',
      true,
    ],
  ])('%j is %s, and one call', async (script, code, retryable) => {
    const { failure } = await ask(scripted(script));
    expect(failure).toBeInstanceOf(failureClasses[code]);
    expect(failure).toMatchObject({ code, retryable });
    expect((await standIn.summary()).calls).toBe(1);
  });

  it('text received before a break is kept', async () => {
    const { choices } = await ask(scripted({ text: 'one two three', cutAfterTokens: 2, gapMs: 1 }));
    expect(choices).toMatchObject([{ content: 'one two', finishReason: null }]);
  });

  it('the wait that the provider asks for is reported', async () => {
    const { failure } = await ask(scripted({ status: 429, retryAfterMs: 1200 }));
    expect(failure?.retryAfterMs).toBe(1200);
  });

  it('a stall is a timeout, before the first token and after it', async () => {
    const late = await ask(scripted({ tokens: 3, firstTokenMs: 60_000 }, { firstTokenTimeoutMs: 30 }));
    expect(late.failure).toMatchObject({ code: 'timeout', retryable: true });
    const stalled = await ask(scripted({ tokens: 3, stallAfterTokens: 1 }, { idleTimeoutMs: 30 }));
    expect(stalled.failure).toMatchObject({ code: 'timeout', retryable: true });
    expect(stalled.choices[0]?.content).not.toBeNull();
  });

  it('a thousand answers stream concurrently', async () => {
    const answers = await Promise.all(
      Array.from({ length: 1000 }, () => ask(scripted({ tokens: 5, firstTokenMs: 300, gapMs: 5 }))),
    );
    expect(
      answers.filter(({ failure, usage }) => failure === null && usage?.outputTokens === 5),
    ).toHaveLength(1000);
    expect((await standIn.summary()).maxOpen).toBeGreaterThan(200);
  });
});
