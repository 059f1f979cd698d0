import { metrics as openTelemetryMetrics } from '@opentelemetry/api';
import { afterAll, describe, expect, it } from 'vitest';
import { IsolatedSchemaChecker } from '../../../../src/adapters/json-schema/schema-checker.ts';
import type { ChatRequestInput, Choice, ToolCall } from '../../../../src/contract/record-types.ts';
import { type AnswerCheckOptions, checkAnswer } from '../../../../src/pipeline/handling/check-answer.ts';
import type { CheckResult, SchemaChecker, ValueToCheck } from '../../../../src/ports/schemas.ts';
import { createLogger } from '../../../../src/runtime/logger.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { chatRequest } from '../../../support/fakes/handling.ts';

const weather = {
  name: 'get_weather',
  parametersJson: JSON.stringify({
    type: 'object',
    properties: {
      location: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      days: { type: 'integer' },
    },
    required: ['location'],
    additionalProperties: false,
  }),
};
const now = { name: 'now' };
const query = { type: 'custom', name: 'query', grammarSyntax: 'lark', grammarDefinition: 'start: "x"' };
const tools = [weather, now, query];
const person = {
  type: 'json_schema',
  name: 'person',
  strict: true,
  schemaJson: '{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"]}',
};

function choice(members: Partial<Choice> = {}): Choice {
  return {
    index: 0,
    content: null,
    refusal: null,
    toolCalls: [],
    audio: null,
    annotations: [],
    finishReason: 'stop',
    logprobsJson: null,
    problems: [],
    extraJson: null,
    ...members,
  };
}

function call(name: string, text: string, members: Partial<ToolCall> = {}): ToolCall {
  return {
    id: 'call_1',
    type: 'function',
    name,
    arguments: text,
    valid: null,
    problems: [],
    extraJson: null,
    ...members,
  };
}

const schemas = new IsolatedSchemaChecker({ logger: createLogger({ level: 'silent' }) });
afterAll(() => schemas.close());

/** A checker that returns the same result for every value. */
function alwaysReturning(result: CheckResult, seen: ValueToCheck[] = []): SchemaChecker {
  return {
    verdicts: async () => [],
    check: async (values) => {
      seen.push(...values);
      return values.map(() => result);
    },
  };
}

/** The checks, and the counters that they increased. */
function checking(overrides: Partial<AnswerCheckOptions> = {}) {
  const counted: string[] = [];
  const metrics = {
    ...createMetrics(openTelemetryMetrics.getMeter('test')),
    toolCallChecked: (code: string | null) => void counted.push(`call ${code}`),
    structuredOutputChecked: (code: string | null) => void counted.push(`output ${code}`),
  };
  const options = { schemas, metrics, ...overrides };
  const check = (request: Partial<ChatRequestInput>, ...choices: Choice[]) =>
    checkAnswer(chatRequest(request), choices, options, new AbortController().signal);
  return { check, counted, options };
}

async function checkedCall(made: ToolCall, finishReason = 'tool_calls'): Promise<ToolCall> {
  const [checked] = await checking().check({ tools }, choice({ toolCalls: [made], finishReason }));
  if (checked?.toolCalls[0] === undefined) throw new Error('the call is missing');
  return checked.toolCalls[0];
}

describe('a tool call', () => {
  it('that fits its tool is valid, and otherwise unchanged', async () => {
    const made = call('get_weather', '{"location":{"city":"Lisbon"},"days":2}');
    expect(await checkedCall(made)).toEqual({ ...made, valid: true });
  });

  it.each<[string, ToolCall, string, string]>([
    ['of an unknown tool', call('get_time', '{}'), 'unknown_tool', 'name'],
    ['of a function as a custom tool', call('now', '', { type: 'custom' }), 'unknown_tool', 'name'],
    ['of a custom tool as a function', call('query', '{}'), 'unknown_tool', 'name'],
    ['whose arguments are not JSON', call('get_weather', 'Lisbon'), 'unparsable_json', 'arguments'],
    ['without arguments', call('get_weather', ''), 'unparsable_json', 'arguments'],
    [
      'without a required member',
      call('get_weather', '{"location":{}}'),
      'missing_required',
      'arguments.location.city',
    ],
    [
      'with a wrong type',
      call('get_weather', '{"location":{"city":"x"},"days":"two"}'),
      'wrong_type',
      'arguments.days',
    ],
    [
      'with a member too many',
      call('get_weather', '{"location":{"city":"x"},"mood":1}'),
      'unexpected_property',
      'arguments.mood',
    ],
    ['without parameters, with a list', call('now', '[]'), 'wrong_type', 'arguments'],
    [
      'in the older form',
      call('get_weather', '{}', { type: 'function_call', id: null }),
      'missing_required',
      'arguments.location',
    ],
  ])('%s is invalid: %#', async (_what, made, code, path) => {
    const checked = await checkedCall(made);
    expect(checked).toMatchObject({ valid: false, problems: [{ code, path }], arguments: made.arguments });
  });

  it.each([
    ['a function without parameters', call('now', '{}')],
    ['a function without parameters or arguments', call('now', '')],
    ['a custom tool, whatever its text', call('query', 'not { JSON', { type: 'custom' })],
  ])('of %s is valid', async (_what, made) => {
    expect(await checkedCall(made)).toMatchObject({ valid: true, problems: [] });
  });

  it('names the kind of tool that the name belongs to', async () => {
    const asFunction = await checkedCall(call('query', '{}'));
    expect(asFunction.problems[0]?.message).toContain('a custom tool of this name, not a function');
  });

  it('is marked as cut only when it is the one that was cut', async () => {
    const cut = call('get_weather', '{"location":{"ci');
    expect((await checkedCall(cut, 'length')).problems).toMatchObject([
      { code: 'truncated', message: expect.stringContaining('token limit') },
    ]);
    expect((await checkedCall(cut, 'content_filter')).problems).toMatchObject([
      { code: 'truncated', message: expect.stringContaining('content filter') },
    ]);
    const toolCalls = [cut, cut];
    const [checked] = await checking().check({ tools }, choice({ toolCalls, finishReason: 'length' }));
    expect(checked?.toolCalls.map(({ problems }) => problems[0]?.code)).toEqual([
      'unparsable_json',
      'truncated',
    ]);
  });

  it('among others keeps its place and id', async () => {
    const { check, counted } = checking();
    const fits = '{"location":{"city":"x"}}';
    const toolCalls = [
      call('get_weather', fits, { id: 'a' }),
      call('get_weather', '{}', { id: 'b' }),
      call('now', '{}', { id: 'c' }),
    ];
    const other = choice({ index: 1, toolCalls: [call('nobody', '{}', { id: 'd' })] });
    const [first, second] = await check({ tools }, choice({ toolCalls, finishReason: 'tool_calls' }), other);
    expect(first?.toolCalls.map(({ id, valid }) => [id, valid])).toEqual([
      ['a', true],
      ['b', false],
      ['c', true],
    ]);
    expect(first?.finishReason).toBe('tool_calls');
    expect(second?.toolCalls).toMatchObject([{ id: 'd', valid: false }]);
    expect(counted).toEqual(['call null', 'call missing_required', 'call null', 'call unknown_tool']);
  });

  it('that could not be checked is neither valid nor invalid, and has a reason', async () => {
    const reason = 'the pattern at properties.a.pattern cannot be checked';
    const { check, counted } = checking({ schemas: alwaysReturning({ kind: 'not_checked', reason }) });
    const [checked] = await check({ tools }, choice({ toolCalls: [call('get_weather', '{}')] }));
    const problem = { code: 'not_checked', path: 'arguments', message: expect.stringContaining(reason) };
    expect(checked?.toolCalls).toMatchObject([{ valid: null, problems: [problem] }]);
    expect(counted).toEqual(['call not_checked']);
  });

  it('is checked together with all other calls of the answer', async () => {
    const seen: ValueToCheck[] = [];
    const { check } = checking({ schemas: alwaysReturning({ kind: 'checked', problems: [] }, seen) });
    const toolCalls = [call('get_weather', '{"n":1}'), call('now', '{}'), call('get_weather', '{"n":2}')];
    await check(
      { tools },
      choice({ toolCalls }),
      choice({ index: 1, toolCalls: [call('get_weather', '3')] }),
    );
    expect(seen.map(({ text }) => text)).toEqual(['{"n":1}', '{"n":2}', '3']);
  });

  it('without a schema is parsed off the main thread when it is long', async () => {
    const seen: ValueToCheck[] = [];
    const { check } = checking({ schemas: alwaysReturning({ kind: 'unparsable' }, seen) });
    const [checked] = await check({ tools }, choice({ toolCalls: [call('now', ' '.repeat(20_000))] }));
    expect(seen).toMatchObject([{ schemaJson: null, isObject: true, root: 'arguments' }]);
    expect(checked?.toolCalls[0]?.problems).toMatchObject([{ code: 'unparsable_json' }]);
  });

  it.each(['', ' \n'])('with arguments %j is checked as an empty object', async (text) => {
    const toolCalls = [call('get_weather', text)];
    const result = async (said: CheckResult) => {
      const seen: ValueToCheck[] = [];
      const { check } = checking({ schemas: alwaysReturning(said, seen) });
      const [checked] = await check({ tools }, choice({ toolCalls }));
      expect(seen.map((value) => value.text)).toEqual(['{}']);
      return checked?.toolCalls[0];
    };
    const missing = { path: 'arguments.city', code: 'missing_required', message: 'city' };
    expect(await result({ kind: 'checked', problems: [] })).toMatchObject({ valid: true, problems: [] });
    expect(await result({ kind: 'checked', problems: [missing] })).toMatchObject({
      arguments: text,
      valid: false,
      problems: [{ code: 'unparsable_json', path: 'arguments' }],
    });
    expect(await result({ kind: 'not_checked', reason: 'x' })).toMatchObject({
      valid: null,
      problems: [{ code: 'not_checked' }],
    });
  });

  it('waits no longer than its request does', async () => {
    const stop = new AbortController();
    const { promise } = Promise.withResolvers<never>();
    const waiting: SchemaChecker = {
      verdicts: () => promise,
      check: (_values, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    };
    const options = { ...checking().options, schemas: waiting };
    const toolCalls = [call('get_weather', '{}')];
    const checks = checkAnswer(chatRequest({ tools }), [choice({ toolCalls })], options, stop.signal);
    const reason = new Error('the worker stops');
    stop.abort(reason);
    await expect(checks).rejects.toBe(reason);
  });

  it('with many problems leaves room for those of other calls', async () => {
    const required = Array.from({ length: 50 }, (_, index) => `n${index}`);
    const greedy = { name: 'greedy', parametersJson: JSON.stringify({ required }) };
    const toolCalls = Array.from({ length: 20 }, () => call('greedy', '{}'));
    const [checked] = await checking().check({ tools: [greedy] }, choice({ toolCalls }));
    const counts = checked?.toolCalls.map(({ problems }) => problems.length) ?? [];
    expect(counts).toEqual([...Array(8).fill(8), ...Array(12).fill(1)]);
  });
});

describe('a structured output', () => {
  async function problemsOf(
    members: Partial<Choice>,
    responseFormat: ChatRequestInput['responseFormat'] = person,
  ) {
    const [checked] = await checking().check({ tools, responseFormat }, choice(members));
    return checked?.problems;
  }

  it('that fits its schema has no problems', async () => {
    expect(await problemsOf({ content: '{"age":7}' })).toEqual([]);
  });

  it.each<[string, Partial<Choice>, string, string]>([
    ['that is not JSON', { content: 'Sure!' }, 'unparsable_json', 'content'],
    ['that is missing', { content: null }, 'unparsable_json', 'content'],
    ['without a member', { content: '{}' }, 'missing_required', 'content.age'],
    ['with a wrong type', { content: '{"age":"7"}' }, 'wrong_type', 'content.age'],
    ['that was cut', { content: '{"age":', finishReason: 'length' }, 'truncated', 'content'],
  ])('%s is reported', async (_what, members, code, path) => {
    expect(await problemsOf(members)).toMatchObject([{ code, path }]);
  });

  it('that reached its limit but is complete has no problems', async () => {
    expect(await problemsOf({ content: '{"age":7}', finishReason: 'length' })).toEqual([]);
  });

  it.each<[string, Partial<Choice>]>([
    ['a refusal', { refusal: 'I will not say that.' }],
    ['a filtered answer', { content: '{"ag', finishReason: 'content_filter' }],
    [
      'a call of a tool',
      { content: 'Let me look.', toolCalls: [call('now', '{}')], finishReason: 'tool_calls' },
    ],
  ])('is not expected of %s', async (_what, members) => {
    expect(await problemsOf(members)).toEqual([]);
  });

  it('without a schema has to be an object', async () => {
    const format = { type: 'json_object' };
    expect(await problemsOf({ content: '{"any":1}' }, format)).toEqual([]);
    expect(await problemsOf({ content: '7' }, format)).toMatchObject([
      { code: 'wrong_type', path: 'content' },
    ]);
    expect(await problemsOf({ content: '7' }, { type: 'json_schema', name: 'free' })).toEqual([]);
  });

  it('is counted per choice, and not counted without an output', async () => {
    const { check, counted } = checking();
    const answers = ['{"age":1}', '{}', 'x'].map((content, index) => choice({ index, content }));
    await check({ responseFormat: person }, ...answers);
    expect(counted).toEqual(['output null', 'output missing_required', 'output unparsable_json']);
    const plain = choice({ content: 'x' });
    for (const responseFormat of [null, { type: 'text' }]) {
      expect(await check({ tools, responseFormat }, plain)).toEqual([plain]);
    }
    expect(counted).toHaveLength(3);
  });

  it('that could not be checked is marked so', async () => {
    const { check } = checking({ schemas: alwaysReturning({ kind: 'not_checked', reason: 'why not' }) });
    const [checked] = await check({ responseFormat: person }, choice({ content: '{}' }));
    expect(checked?.problems).toMatchObject([{ code: 'not_checked', path: 'content' }]);
  });
});
