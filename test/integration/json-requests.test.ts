import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

const user = (script: object) => ({ role: 'user', content: JSON.stringify({ standIn: script }) });
const publish = (requestId: string, body: object, headers: Record<string, string> = {}) =>
  world.publishRaw(Buffer.from(JSON.stringify(body)), {
    key: requestId,
    headers: { 'request-id': requestId, ...headers },
  });
const callsOf = async (id: string) =>
  (await world.standIn.calls()).filter(({ requestId }) => requestId === id);

test('a JSON object is answered like any request, with our fields from its headers', async () => {
  const body = {
    model: 'gpt-4',
    messages: [user({ text: 'one two three', promptTokens: 100 })],
    temperature: 0,
  };
  await publish('json-plain', body, { 'conversation-id': 'c-1', 'label-team': 'search', 'max-cost': '1' });
  const response = await history.untilAnswerTo('json-plain');

  expect(response).toMatchObject({
    status: 'COMPLETED',
    conversationId: 'c-1',
    labels: { team: 'search' },
    choices: [{ content: 'one two three' }],
  });
  expect(history.textOf('json-plain')).toBe('one two three');
  expect(await callsOf('json-plain')).toMatchObject([{ promptTokens: 100 }]);
});

test('a JSON object with tools gets its call, and the follow-up with the result its answer', async () => {
  const tools = [{ type: 'function', function: { name: 'get_weather', parameters: { type: 'object' } } }];
  const asked = user({ toolCalls: [{ name: 'get_weather', arguments: { city: 'Rome' } }] });
  await publish('json-tools', { model: 'gpt-4', messages: [asked], tools, tool_choice: 'auto' });
  const response = await history.untilAnswerTo('json-tools');
  const [call] = response.choices[0]?.toolCalls ?? [];
  expect(response.choices[0]).toMatchObject({ finishReason: 'tool_calls' });
  expect(call).toMatchObject({ name: 'get_weather', arguments: '{"city":"Rome"}' });

  const messages = [
    user({ text: 'sunny' }),
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        { id: call?.id, type: 'function', function: { name: call?.name, arguments: call?.arguments } },
      ],
    },
    { role: 'tool', tool_call_id: call?.id, content: '{"sky":"clear"}' },
  ];
  await publish('json-result', { model: 'gpt-4', messages, tools });
  expect(await history.untilAnswerTo('json-result')).toMatchObject({ status: 'COMPLETED' });
});

test('a JSON object with invalid members is refused with all their paths, without a call', async () => {
  const body = { model: 'gpt-4', messages: [{ role: 'user', content: 7 }], temperature: 'hot', seed: 1e17 };
  await publish('json-bad', body, { deadline: 'soon' });
  const response = await history.untilAnswerTo('json-bad');

  expect(response).toMatchObject({
    status: 'FAILED',
    error: { code: 'invalid_request', param: 'headers.deadline', retryable: false },
  });
  for (const path of ['headers.deadline: ', 'messages[0].content: ', 'temperature: ', 'seed: '])
    expect(response.error?.message).toContain(path);
  expect(await callsOf('json-bad')).toEqual([]);
});

test('a JSON object without any header is a separate request', async () => {
  const marker = `headless ${randomUUID()}`;
  await world.publishRaw(Buffer.from(JSON.stringify({ messages: [user({ text: marker })] })));
  const isIt = ({ choices }: (typeof history.originals)[number]) => choices[0]?.content === marker;
  await history.until(({ originals }) => originals.some(isIt));
  const response = history.originals.find(isIt);
  expect(response?.requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5/);
  expect(await callsOf(response?.requestId ?? '')).toHaveLength(1);
});

test('a record that only begins like a JSON object is dead-lettered with its bytes', async () => {
  const value = Buffer.from('{"messages": [');
  await world.publishRaw(value, { key: 'broken' });
  await history.until(({ dead }) => dead.some(({ key }) => key?.toString() === 'broken'));
  const letter = history.dead.find(({ key }) => key?.toString() === 'broken');
  expect(letter?.value).toEqual(value);
  expect(String(letter?.headers['dead-code'])).toBe('invalid_json');
});
