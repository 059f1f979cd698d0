import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Exchange, ExchangeWorld, events } from '../support/exchanges/exchange-world.ts';

let world: ExchangeWorld;

beforeAll(async () => {
  world = await ExchangeWorld.start();
});
afterAll(() => world?.close());

const usage = { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 };
const piece = (delta: object, choice: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  model: 'gpt-4o-mini-2024-07-18',
  choices: [{ index: 0, delta, finish_reason: null, ...choice }],
});
const stop = piece({}, { finish_reason: 'stop' });
const reported = { id: 'chatcmpl-1', object: 'chat.completion.chunk', choices: [], usage };

describe('a usual answer', () => {
  const stream: Exchange = {
    answer: {
      body: events(
        piece({ role: 'assistant', content: 'Grüße' }),
        piece({ content: ' 🗼' }),
        stop,
        reported,
        '[DONE]',
      ),
    },
  };
  const whole: Exchange = {
    body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }] },
    answer: {
      body: JSON.stringify(
        {
          id: 'chatcmpl-1',
          model: 'gpt-4o-mini-2024-07-18',
          choices: [{ index: 0, message: { role: 'assistant', content: 'Grüße 🗼' }, finish_reason: 'stop' }],
          usage,
        },
        null,
        1,
      ),
    },
  };
  it.each([
    ['as a stream', stream],
    ['not streamed', whole],
  ])('arrives %s', async (_, exchange) => {
    for (const { way, response, text, cost, calls } of await world.runEachWay(exchange)) {
      expect([way, response.status, text, calls.length]).toEqual([way, 'COMPLETED', 'Grüße 🗼', 1]);
      expect(response.choices).toMatchObject([{ content: 'Grüße 🗼', finishReason: 'stop' }]);
      expect(response.usage).toMatchObject({ inputTokens: 9, outputTokens: 2, confidence: 'PROVIDER' });
      expect(cost).toMatchObject({ costStatus: 'PRICED', calls: [{ attempt: 1 }] });
      expect(calls[0]?.body).toMatchObject({ model: 'gpt-4o-mini', stream: true });
    }
  });
});

describe('tool calls', () => {
  const tool = (name: string, schema: object) => ({
    type: 'function',
    name,
    parametersJson: JSON.stringify({ type: 'object', ...schema }),
  });
  const required = { properties: { x: { type: 'integer' } }, required: ['x'] };
  const request = { tools: [tool('f', required), tool('get_weather', {})] };
  const part = (call: object, called: object) => piece({ tool_calls: [{ ...call, function: called }] });
  const end = [piece({}, { finish_reason: 'tool_calls' }), reported, '[DONE]'];
  const stream = (...chunks: object[]) => ({ body: events(...chunks, ...end) });

  it.each<[string, object[]]>([
    ['without index', [{}, {}]],
    ['with index 0', [{ index: 0 }, { index: 0 }]],
    ['with index -1', [{ index: -1 }, { index: -1 }]],
    ['with a text as index', [{ index: 'first' }, { index: 'first' }]],
    ['with their own index', [{ index: 0 }, { index: 1 }]],
  ])('%s are told apart by their ids', async (_, [one, other]) => {
    const answer = stream(
      part({ ...one, id: 'call_1', type: 'function' }, { name: 'f', arguments: '' }),
      part({ ...one }, { arguments: '{"x":' }),
      part({ ...one }, { arguments: '1}' }),
      part({ ...other, id: 'call_2', type: 'function' }, { name: 'f', arguments: { x: 2 } }),
    );
    for (const { way, response, chunks, calls } of await world.runEachWay({ request, answer })) {
      expect([way, response.status, calls.length]).toEqual([way, 'COMPLETED', 1]);
      expect(response.choices[0]?.toolCalls).toEqual([
        { id: 'call_1', type: 'function', name: 'f', arguments: '{"x":1}', valid: true, problems: [] },
        { id: 'call_2', type: 'function', name: 'f', arguments: '{"x":2}', valid: true, problems: [] },
      ]);
      const pieces = chunks.flatMap(({ toolCalls }) => toolCalls);
      const textAt = (index: number) =>
        pieces.map((call) => (call.index === index ? call.arguments : '')).join('');
      expect([textAt(0), textAt(1)]).toEqual(['{"x":1}', '{"x":2}']);
    }
  });

  it('in pieces of names, without ids and without arguments are complete calls', async () => {
    const answer = stream(
      part({ index: 0 }, { name: 'get_', arguments: '' }),
      part({ index: 0 }, { name: 'weather', arguments: '' }),
      part({ index: 1 }, { name: 'get_weather', arguments: '{' }),
      part({ index: 1 }, { name: 'get_weather', arguments: '}' }),
      piece({ content: '', function_call: {}, audio: {}, tool_calls: [] }),
    );
    const id = expect.stringMatching(/^call_\w+$/);
    for (const { way, response, chunks } of await world.runEachWay({ request, answer })) {
      const [choice] = response.choices;
      expect([way, choice?.toolCalls]).toEqual([
        way,
        [
          { id, type: 'function', name: 'get_weather', arguments: '', valid: true, problems: [] },
          { id, type: 'function', name: 'get_weather', arguments: '{}', valid: true, problems: [] },
        ],
      ]);
      expect(choice?.audio).toBeNull();
      const ids = chunks.flatMap(({ toolCalls }) => toolCalls.flatMap((call) => call.id ?? []));
      expect(ids).toEqual(choice?.toolCalls.map((call) => call.id));
    }
  });

  it('of a whole answer may be an object with arguments as an object, and lack what is required', async () => {
    const tool_calls = { function: { name: 'f', arguments: {} } };
    const message = { role: 'assistant', content: null, tool_calls };
    const body = JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'tool_calls' }], usage });
    for (const { response } of await world.runEachWay({ request, answer: { body } }))
      expect(response.choices[0]?.toolCalls).toMatchObject([
        { name: 'f', arguments: '{}', valid: false, problems: [{ code: 'missing_required' }] },
      ]);
  });
});
