import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ChatRequestInput } from '../../src/contract/record-types.ts';
import type { History } from '../support/history.ts';
import { World } from '../support/world.ts';

let world: World;
let history: History;

beforeAll(async () => {
  world = await World.create();
  await world.startWorker();
  history = await world.readHistory();
});

afterAll(() => world?.close());

const user = { role: 'user', content: 'Hello' };
const data = Buffer.from('bytes');
const parts = (...list: NonNullable<NonNullable<ChatRequestInput['messages']>[number]['parts']>) => ({
  messages: [{ role: 'user', parts: list }],
});
const tool = { name: 'weather' };
const call = { id: 'call_1', name: 'weather', arguments: '{}' };
const calls = { role: 'assistant', toolCalls: [call] };
const result = { role: 'tool', toolCallId: 'call_1', content: '{}' };

/** The mistake, the reported paths, and the code when it is not invalid_request. */
const bad: readonly [string, string[], Partial<ChatRequestInput>, string?][] = [
  ['no messages', ['messages'], { messages: [] }],
  [
    'content and parts at once',
    ['messages[0]'],
    { messages: [{ ...user, parts: [{ type: 'text', text: 'x' }] }] },
  ],
  ['neither content nor parts', ['messages[0]'], { messages: [{ role: 'user' }] }],
  ['a part without its payload', ['messages[0].parts[0].url'], parts({ type: 'image_url' })],
  ['a part with two payloads', ['messages[0].parts[0].data'], parts({ type: 'file', fileId: 'f', data })],
  ['a part of an unknown type', ['messages[0].parts[0].type'], parts({ type: 'video' })],
  [
    'a part that its role may not have',
    ['messages[0].parts[0].type'],
    { messages: [{ role: 'system', parts: [{ type: 'image_url', url: 'https://a.example' }] }] },
  ],
  ['NaN', ['temperature'], { temperature: Number.NaN }],
  ['infinity', ['topP'], { topP: Number.POSITIVE_INFINITY }],
  [
    'numbers out of range',
    ['temperature', 'presencePenalty', 'n'],
    { temperature: 3, presencePenalty: 3, n: 0 },
  ],
  ['top log probabilities alone', ['topLogprobs'], { topLogprobs: 3 }],
  ['a bias of a word', ['logitBias'], { logitBias: { hello: 1 } }],
  ['five stops', ['stop'], { stop: ['a', 'b', 'c', 'd', 'e'] }],
  ['a seed too large', ['seed'], { seed: Number.MAX_SAFE_INTEGER }],
  ['a negative limit', ['maxOutputTokens'], { maxOutputTokens: -1 }],
  ['duplicate tool names', ['tools[1].name'], { tools: [tool, tool] }],
  ['a choice without tools', ['toolChoice'], { toolChoice: { mode: 'auto' } }],
  [
    'a choice of a tool that is not there',
    ['toolChoice.tools[0]'],
    { tools: [tool], toolChoice: { mode: 'tool', tools: [{ name: 'other' }] } },
  ],
  ['a result without its call', ['messages[1].toolCallId'], { messages: [user, result] }],
  ['a call without its result', ['messages[0].toolCalls[0]'], { messages: [calls, user] }],
  [
    'a custom tool in the older form',
    ['tools[0].type'],
    { legacyFunctions: true, tools: [{ type: 'custom', name: 'sql' }] },
  ],
  [
    'a grammar without definition',
    ['tools[0].grammarDefinition'],
    { tools: [{ type: 'custom', name: 'sql', grammarSyntax: 'lark' }] },
  ],
  ['stored history without a conversation', ['history', 'conversationId'], { history: 'STORED' }],
  ['metadata beyond the limits', ['providerMetadata'], { providerMetadata: { key: 'v'.repeat(513) } }],
  ['audio without modalities', ['modalities'], { audio: { format: 'wav', voice: 'alloy' } }],
  ['a schema without name', ['responseFormat.name'], { responseFormat: { type: 'json_schema' } }],
  ['extra parameters that override', ['extraJson.temperature'], { extraJson: '{"temperature":1}' }],
  ['extra parameters that are no object', ['extraJson'], { extraJson: '[]' }],
  ['nesting over the limit', ['extraJson'], { extraJson: `{"a":${'['.repeat(64)}${']'.repeat(64)}}` }],
  ['counts over the limit', ['messages'], { messages: Array.from({ length: 4_097 }, () => user) }],
  ['a negative maxCost', ['maxCost'], { maxCost: '-1' }],
  ['a foreign currency', ['maxCostCurrency'], { maxCost: '1', maxCostCurrency: 'EUR' }],
  [
    'a parameter that the model refuses',
    ['temperature', 'topP'],
    { model: 'o3', temperature: 0.5, topP: 0.5 },
  ],
  [
    'a parameter for another effort',
    ['temperature'],
    { model: 'gpt-5.1', temperature: 0.5, reasoningEffort: 'low' },
  ],
  ['a deadline that has passed', ['deadline'], { deadline: 1 }, 'deadline_exceeded'],
];

test('every kind of bad request gets one response that reports every problem, and no call', async () => {
  await world.publish(
    bad.map(([, , fields], index) => ({
      key: `bad-${index}`,
      request: { requestId: `bad-${index}`, model: 'gpt-4', messages: [user], ...fields },
    })),
  );
  await history.untilAnswered(bad.length);

  expect(history.responses).toHaveLength(bad.length);
  const reported = bad.map(([what], index) => {
    const response = history.originals.find(({ requestId }) => requestId === `bad-${index}`);
    return { what, status: response?.status, error: response?.error };
  });
  expect(reported).toEqual(
    bad.map(([what, [first], , code = 'invalid_request']) => ({
      what,
      status: 'FAILED',
      error: expect.objectContaining({ code, param: first, retryable: false }),
    })),
  );
  for (const [index, [, paths, , code]] of bad.entries()) {
    const message = reported[index]?.error?.message ?? '';
    // These two concern one field only, and their messages name it.
    if (code !== undefined || paths[0] === 'maxCostCurrency') continue;
    expect(
      message
        .split('; ')
        .filter((part) => /^[a-zA-Z]+[.[:]/.test(part))
        .map((part) => part.split(': ')[0]),
    ).toEqual(paths);
  }
  expect(await world.standIn.calls()).toEqual([]);
  expect(history.costs).toEqual([]);
});

test('a seed that exceeds a safe integer is refused, and is not a dead letter', async () => {
  const request = { requestId: 'seed', messages: [user], seed: 9_007_199_254_740_990 };
  const whole = world.codec.encode('ChatRequest', request);
  const seedAt = whole.indexOf(Buffer.from('fcffffffffffff1f', 'hex'));
  // More than 2^53.
  whole.write('8280808080808020', seedAt, 'hex');
  await world.publishRaw(whole, { key: 'seed' });
  const response = await history.untilAnswerTo('seed');

  expect(response).toMatchObject({ status: 'FAILED', error: { code: 'invalid_request', param: 'seed' } });
  expect(history.dead).toEqual([]);
});

test('a default that the model refuses is omitted, and sent to a model that accepts it without reasoning', async () => {
  const ask = (requestId: string, fields: Partial<ChatRequestInput>) => ({
    key: requestId,
    request: { requestId, messages: [user], model: 'gpt-5.1', ...fields },
  });
  await world.publish([
    ask('reasoning', { reasoningEffort: 'low', maxOutputTokens: 9 }),
    ask('unlimited', { reasoningEffort: 'low' }),
    // Its default effort is `none`.
    ask('quick', {}),
  ]);
  await history.untilAnswerTo('reasoning');
  await history.untilAnswerTo('unlimited');
  await history.untilAnswerTo('quick');

  const parametersOf = async (id: string) =>
    (await world.standIn.calls()).find(({ requestId }) => requestId === id)?.parameters;
  expect(await parametersOf('reasoning')).not.toContain('temperature');
  expect(await parametersOf('reasoning')).toContain('max_completion_tokens');
  expect(await parametersOf('unlimited')).not.toContain('max_completion_tokens');
  expect(await parametersOf('quick')).toEqual(
    expect.arrayContaining(['temperature', 'max_completion_tokens']),
  );
});

test('an answer that cannot be streamed arrives whole, and is published and billed like any other', async () => {
  const script = { text: 'all of it at once', promptTokens: 7 };
  const request = {
    requestId: 'whole',
    model: 'gpt-4',
    messages: [{ role: 'user', content: JSON.stringify({ standIn: script }) }],
    modalities: ['text', 'audio'],
    audio: { format: 'wav', voice: 'alloy' },
  };
  await world.publish([{ key: 'whole', request }]);
  const response = await history.untilAnswerTo('whole');

  expect((await world.standIn.calls()).find(({ requestId }) => requestId === 'whole')?.stream).toBe(false);
  expect(response).toMatchObject({ status: 'COMPLETED', choices: [{ content: 'all of it at once' }] });
  expect(history.textOf('whole')).toBe('all of it at once');
  expect(history.costs.find(({ value }) => value.requestId === 'whole')?.value.calls).toMatchObject([
    { usage: { inputTokens: 7, confidence: 'PROVIDER' } },
  ]);
});
