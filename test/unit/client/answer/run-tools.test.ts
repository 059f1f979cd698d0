import { describe, expect, test } from 'vitest';
import { runTools, type ToolHandlers } from '../../../../src/client/answer/run-tools.ts';
import type { ChatResult } from '../../../../src/client/result/chat-result.ts';
import type { MessageInput, ToolCall } from '../../../../src/contract/record-types.ts';

const call = (id: string | null, name: string, args: unknown, fields: Partial<ToolCall> = {}): ToolCall => ({
  id,
  type: 'function',
  name,
  arguments: typeof args === 'string' ? args : JSON.stringify(args),
  valid: true,
  problems: [],
  extraJson: null,
  ...fields,
});

function resultOf(text: string | null, toolCalls: ToolCall[] = []): ChatResult {
  const response = { choices: [{ content: text, toolCalls }] };
  return { id: 'id', text: text ?? '', refusal: null, toolCalls, response } as unknown as ChatResult;
}

/** Answers in order, and records the requests. */
function scripted(...results: ChatResult[]) {
  const asked: (readonly MessageInput[])[] = [];
  const [first, ...rest] = results;
  return {
    asked,
    first: Promise.resolve(first as ChatResult),
    ask: async (messages: readonly MessageInput[]) => {
      asked.push([...messages]);
      return rest.shift() as ChatResult;
    },
  };
}

const question: MessageInput[] = [{ role: 'user', content: 'What is the weather?' }];

async function run(handlers: ToolHandlers, script: ReturnType<typeof scripted>, maxTurns?: number) {
  return runTools(script.first, question, script.ask, handlers, maxTurns === undefined ? {} : { maxTurns });
}

/** The result that the model receives for one call. */
async function contentFor(toolCall: ToolCall, handlers: ToolHandlers) {
  const script = scripted(resultOf(null, [toolCall]), resultOf('done'));
  await run(handlers, script);
  return script.asked[0]?.at(-1);
}

test('calls of a turn run in parallel, and their results are sent under their ids', async () => {
  const both = Promise.withResolvers<void>();
  let running = 0;
  const slow = async ({ city }: { city: string }) => {
    running += 1;
    if (running === 2) both.resolve();
    await both.promise;
    return { city, degrees: 21 };
  };
  const calls = [call('a', 'get_weather', { city: 'Rome' }), call('b', 'get_weather', { city: 'Oslo' })];
  const script = scripted(resultOf(null, calls), resultOf('Both are fine.'));
  const end = await run({ get_weather: slow }, script);
  expect(end.text).toBe('Both are fine.');
  expect(end.turns).toHaveLength(2);
  expect(script.asked).toEqual([
    [
      ...question,
      { role: 'assistant', content: null, refusal: null, toolCalls: calls },
      { role: 'tool', toolCallId: 'a', content: '{"city":"Rome","degrees":21}' },
      { role: 'tool', toolCallId: 'b', content: '{"city":"Oslo","degrees":21}' },
    ],
  ]);
  expect(end.messages.at(-1)).toMatchObject({ role: 'assistant', content: 'Both are fine.' });
});

describe('the model receives', () => {
  const handlers: ToolHandlers = {
    text: () => 'as it is',
    nothing: () => undefined,
    broken: () => {
      throw new Error('out of order');
    },
    late: () => Promise.reject(new Error('too late')),
    custom: (input) => input,
  };

  test.each([
    ['text as it is', call('a', 'text', {}), 'as it is'],
    ['nothing as null', call('a', 'nothing', {}), 'null'],
    ['empty arguments as an empty object', call('a', 'text', ''), 'as it is'],
    ['the error that a tool throws', call('a', 'broken', {}), '{"error":"out of order"}'],
    ['the error that a tool rejects with', call('a', 'late', {}), '{"error":"too late"}'],
    ['an error for an unknown tool', call('a', 'other', {}), '{"error":"there is no tool other"}'],
    [
      'an error for a tool named like an inherited property',
      call('a', 'toString', {}),
      '{"error":"there is no tool toString"}',
    ],
    [
      'the reason why its arguments are invalid',
      call(
        'a',
        'text',
        {},
        { valid: false, problems: [{ path: 'city', code: 'missing_required', message: 'city is missing' }] },
      ),
      '{"error":"city is missing"}',
    ],
    ['the free text of a custom tool', call('a', 'custom', 'free text', { type: 'custom' }), 'free text'],
  ])('%s', async (_, toolCall, content) => {
    expect(await contentFor(toolCall, handlers)).toEqual({ role: 'tool', toolCallId: 'a', content });
  });

  test('a result by the name of the function in the older form', async () => {
    const answer = await contentFor(call(null, 'text', {}, { type: 'function_call' }), handlers);
    expect(answer).toEqual({ role: 'function', name: 'text', content: 'as it is' });
  });

  test('an error when arguments are not JSON', async () => {
    const answer = await contentFor(call('a', 'text', '{"city":', { valid: null }), handlers);
    expect(String(answer?.content)).toContain('"error"');
  });
});

test('turns are limited', async () => {
  const endless = Array.from({ length: 9 }, () => resultOf(null, [call('a', 'text', {})]));
  const script = scripted(...endless);
  await expect(run({ text: () => 'x' }, script, 2)).rejects.toMatchObject({ code: 'too_many_turns' });
  expect(script.asked).toHaveLength(2);
});

test('a signal reaches the tools, and ends the loop even if a tool continues', async () => {
  const ending = new AbortController();
  const reached = Promise.withResolvers<unknown>();
  const script = scripted(resultOf(null, [call('a', 'wait', {})]), resultOf('never'));
  const waits = (_: unknown, { signal }: { signal: AbortSignal }) => {
    signal.addEventListener('abort', () => reached.resolve(signal.reason));
    ending.abort(new Error('enough'));
    return new Promise(() => undefined);
  };
  const running = runTools(script.first, question, script.ask, { wait: waits }, { signal: ending.signal });
  await expect(running).rejects.toThrow('enough');
  expect(await reached.promise).toBe(ending.signal.reason);
  expect(script.asked).toEqual([]);
});

test('no tool runs after the signal has fired', async () => {
  const script = scripted(resultOf(null, [call('a', 'wait', {})]));
  let runs = 0;
  const handlers = { wait: () => (runs += 1) };
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(runTools(script.first, question, script.ask, handlers, { signal })).rejects.toThrow('enough');
  expect(runs).toBe(0);
});

test('the failure of a request ends the loop', async () => {
  const failure = new Error('the model is gone');
  const first = Promise.reject(failure);
  await expect(runTools(first, question, async () => resultOf('x'), {}, {})).rejects.toBe(failure);
});
