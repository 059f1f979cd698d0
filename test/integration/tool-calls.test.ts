import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChatRequestInput, ChatResponse } from '../../src/contract/record-types.ts';
import type { History } from '../support/history.ts';
import type { Script } from '../support/stand-in/script.ts';
import type { Worker } from '../support/worker.ts';
import { request, World } from '../support/world.ts';

let world: World;
let worker: Worker;
let history: History;

beforeAll(async () => {
  // Built into the stand-in: it calls the tools that the user mentions, and answers from their results.
  world = await World.create({ partitions: 2, defaultScript: { gapMs: 0 } });
  worker = await world.startWorker();
  history = await world.readHistory();
});
afterAll(() => world?.close());

async function answerTo(
  requestId: string,
  fields: Partial<ChatRequestInput> & { key?: string; script?: Script },
): Promise<ChatResponse> {
  await world.publish([request(requestId, fields)]);
  return history.untilAnswerTo(requestId);
}

async function metric(name: string, label: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${worker.httpPort}/metrics`);
  const lines = (await answer.text()).split('\n').filter((line) => line.startsWith(`${name}{`));
  return Number(lines.find((line) => line.includes(label))?.split(' ')[1] ?? 0);
}

const cityOnly = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};
const getWeather = { name: 'get_weather', parametersJson: JSON.stringify(cityOnly) };
const getTime = { name: 'get_time', parametersJson: JSON.stringify(cityOnly) };
const person = {
  type: 'json_schema',
  name: 'person',
  strict: true,
  schemaJson: '{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"]}',
};

describe('the example in docs/', () => {
  it('asks, runs both tools, and prints the answer built from their results', async () => {
    const child = spawn(process.execPath, ['scripts/run.mjs', '--no-install', 'docs/examples/tool-loop.ts'], {
      env: { ...process.env, ...world.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const [exitCode] = await once(child, 'close');
    expect({ exitCode, output }).toEqual({
      exitCode: 0,
      output: expect.stringMatching(
        /→ get_weather {"city":"Lisbon"}\n→ get_time {"city":"Lisbon"}\n← .*\n← /,
      ),
    });
    expect(output).toMatch(/^Here is what I found for Lisbon: .*celsius is 21.*time is 14:05/m);
    await history.untilAnswered(2);
    const [first, second] = history.originals;
    expect(first?.choices[0]).toMatchObject({
      finishReason: 'tool_calls',
      toolCalls: [{ valid: true }, { valid: true }],
    });
    expect(second?.choices[0]).toMatchObject({ finishReason: 'stop', toolCalls: [] });
    expect(second?.conversationId).toBe(first?.conversationId);
  });
});

describe('tool calls', () => {
  it('are reported with their own problems, in order, with their ids', async () => {
    const unknownBefore = await metric('completionbus_tool_calls_total', 'unknown_tool');
    const { status, choices } = await answerTo('kinds', {
      tools: [getWeather, getTime],
      script: {
        toolCalls: [
          { name: 'get_time', arguments: { city: 'Lisbon' } },
          { name: 'get_weather', arguments: {} },
          { name: 'get_moon', arguments: {} },
          { name: 'get_weather', arguments: '{"city": Lisbon}' },
          { name: 'get_weather', arguments: { city: 7, mood: 'fine' } },
        ],
      },
    });
    expect(status).toBe('COMPLETED');
    const calls = choices[0]?.toolCalls ?? [];
    expect(choices[0]?.finishReason).toBe('tool_calls');
    expect(new Set(calls.map(({ id }) => id)).size).toBe(5);
    expect(
      calls.map(({ name, valid, problems }) => [
        name,
        valid,
        problems.map(({ path, code }) => `${path} ${code}`),
      ]),
    ).toEqual([
      ['get_time', true, []],
      ['get_weather', false, ['arguments.city missing_required']],
      ['get_moon', false, ['name unknown_tool']],
      ['get_weather', false, ['arguments unparsable_json']],
      ['get_weather', false, ['arguments.mood unexpected_property', 'arguments.city wrong_type']],
    ]);
    expect(await metric('completionbus_tool_calls_total', 'unknown_tool')).toBe(unknownBefore + 1);
  });

  it('that reach the token limit are marked as truncated', async () => {
    const { choices } = await answerTo('cut', {
      tools: [getWeather],
      script: { toolCalls: [{ name: 'get_weather', arguments: '{"city":"Lis' }], finishReason: 'length' },
    });
    expect(choices[0]).toMatchObject({
      finishReason: 'length',
      toolCalls: [{ valid: false, problems: [{ code: 'truncated' }] }],
    });
  });

  it('in the older form keep their finish reason and are checked against their function', async () => {
    const { choices } = await answerTo('older', {
      tools: [getWeather],
      legacyFunctions: true,
      script: {
        chunks: [
          { role: 'assistant', function_call: { name: 'get_weather', arguments: '' } },
          { function_call: { arguments: '{"city":' } },
          { function_call: { arguments: '"Lisbon"}' } },
        ],
        finishReason: 'function_call',
      },
    });
    expect(choices[0]).toMatchObject({
      finishReason: 'function_call',
      toolCalls: [{ id: null, type: 'function_call', name: 'get_weather', valid: true }],
    });
  });

  it('of custom tools are checked only by name', async () => {
    const head = { id: 'call_1', index: 0, type: 'custom', custom: { name: 'query', input: 'select' } };
    const { choices } = await answerTo('custom', {
      tools: [{ type: 'custom', name: 'query' }],
      script: {
        chunks: [{ tool_calls: [head] }, { tool_calls: [{ index: 0, custom: { input: ' 1' } }] }],
        finishReason: 'tool_calls',
      },
    });
    expect(choices[0]?.toolCalls).toMatchObject([
      { type: 'custom', name: 'query', arguments: 'select 1', valid: true, problems: [] },
    ]);
  });

  it('are answered by results in any order', async () => {
    const tools = [getWeather, getTime];
    const question = { role: 'user', content: 'What is the weather in Lisbon, and the time?' };
    const first = await answerTo('rounds-1', { key: 'rounds', tools, messages: [question] });
    const [choice] = first.choices;
    const calls = choice?.toolCalls ?? [];
    expect(calls.map(({ name }) => name)).toEqual(['get_weather', 'get_time']);
    const results = calls
      .map(({ id, name }) => ({ role: 'tool', toolCallId: id, content: `the result of ${name}` }))
      .reverse();
    const copied = { role: 'assistant', content: choice?.content ?? null, toolCalls: calls };
    const second = await answerTo('rounds-2', {
      key: 'rounds',
      tools,
      messages: [question, copied, ...results],
    });
    expect(second.choices[0]?.content).toContain('the result of get_time; and the result of get_weather');
    expect(second.choices[0]).toMatchObject({ finishReason: 'stop', toolCalls: [] });
  });

  it('whose definition is not a JSON Schema are refused before any claim or call', async () => {
    const { calls: before } = await world.standIn.summary();
    const response = await answerTo('definitions', {
      tools: [getWeather, { name: 'broken', parametersJson: '{"type":"thing"}' }],
    });
    expect(response).toMatchObject({
      status: 'FAILED',
      attempts: 0,
      error: {
        code: 'invalid_request',
        param: 'tools[1].parametersJson',
        message: expect.stringContaining('type must be'),
      },
    });
    expect((await world.standIn.summary()).calls).toBe(before);
    const rowsOf = (name: RegExp) => world.ledgerRows().countDocuments({ _id: name });
    expect([await rowsOf(/definitions/), await rowsOf(/kinds/)]).toEqual([0, 1]);
  });

  it('with a pattern that causes catastrophic backtracking elsewhere are checked against it', async () => {
    const parametersJson = '{"type":"object","properties":{"name":{"pattern":"^(a+)+$"}}}';
    const name = `${'a'.repeat(200)}!`;
    const hostile = await answerTo('hostile', {
      tools: [{ name: 'trap', parametersJson }],
      script: { toolCalls: [{ name: 'trap', arguments: { name } }] },
    });
    expect(hostile.choices[0]?.toolCalls).toMatchObject([
      { valid: false, problems: [{ path: 'arguments.name', code: 'wrong_format' }] },
    ]);
  });

  it.each([
    [
      'nested look-behinds',
      { pattern: `${'(?<='.repeat(10_000)}a${')'.repeat(10_000)}` },
      /pattern at properties\.name/,
    ],
    [
      'a class of 64 kB',
      { pattern: `[${'\\u3400-\\u4dff'.repeat(4_000)}]{1,1000}x` },
      /pattern at properties\.name/,
    ],
    [
      'a reference to elsewhere',
      { $ref: 'https://example.com/name.json' },
      /refers to something that is not in it/,
    ],
    ['a reference to itself', { $ref: '#/properties/name' }, /the schema/],
  ])('whose definition has %s are sent, and not checked', async (what, schema, reason) => {
    const parametersJson = JSON.stringify({ type: 'object', properties: { name: schema } });
    const response = await answerTo(`odd-${what.replaceAll(' ', '-')}`, {
      tools: [{ name: 'trap', parametersJson }],
      script: { toolCalls: [{ name: 'trap', arguments: { name: 'b' } }] },
    });
    expect(response).toMatchObject({ status: 'COMPLETED', error: null });
    const message = expect.stringMatching(reason);
    expect(response.choices[0]?.toolCalls).toMatchObject([
      { valid: null, problems: [{ path: 'arguments', code: 'not_checked', message }] },
    ]);
    expect(
      await answerTo(`after-${what.replaceAll(' ', '-')}`, { script: { text: 'Still here.' } }),
    ).toMatchObject({
      status: 'COMPLETED',
    });
  });
});

describe('structured output', () => {
  it('is reported where it does not match the schema, and is still returned', async () => {
    const answer = async (requestId: string, script: Script) => {
      const { status, choices } = await answerTo(requestId, { responseFormat: person, script });
      expect(status).toBe('COMPLETED');
      return choices[0]?.problems.map(({ path, code }) => `${path} ${code}`);
    };
    expect(await answer('fits', { text: '{"age":7}' })).toEqual([]);
    expect(await answer('misfits', { text: '{"age":"seven"}' })).toEqual(['content.age wrong_type']);
    expect(await answer('prose', { text: 'He is seven.' })).toEqual(['content unparsable_json']);
    expect(await answer('cut-output', { text: '{"age":', finishReason: 'length' })).toEqual([
      'content truncated',
    ]);
    expect(await metric('completionbus_structured_outputs_total', 'truncated')).toBe(1);
  });

  it('differs from a refusal, and both are answers', async () => {
    const refused = await answerTo('refusal', {
      responseFormat: person,
      script: { chunks: [{ role: 'assistant', refusal: 'I will not say that.' }], finishReason: 'stop' },
    });
    expect(refused).toMatchObject({
      status: 'COMPLETED',
      error: null,
      choices: [{ content: null, refusal: 'I will not say that.', problems: [], finishReason: 'stop' }],
    });
  });

  it('is an answer when a filter truncated it, but a failure when a policy refused the prompt', async () => {
    const filtered = await answerTo('filtered', {
      responseFormat: person,
      script: { text: '{"age":', finishReason: 'content_filter' },
    });
    expect(filtered).toMatchObject({
      status: 'COMPLETED',
      choices: [{ finishReason: 'content_filter', content: '{"age":', problems: [] }],
    });
    const refused = await answerTo('policy', {
      script: { status: 400, error: { code: 'content_policy_violation', type: 'invalid_request_error' } },
    });
    expect(refused).toMatchObject({
      status: 'FAILED',
      choices: [],
      error: { code: 'content_filtered', httpStatus: 400 },
    });
  });
});
