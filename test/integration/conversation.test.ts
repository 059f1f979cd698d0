/** The usage examples and tests of the specification, line by line. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ChatBus, connect, type ReplyChunk } from '../../src/client/index.ts';
import { World } from '../support/world.ts';

let world: World;
let bus: ChatBus;

beforeAll(async () => {
  world = await World.create({ partitions: 2 });
  await world.standIn.setDefault(null);
  await world.startWorker();
  const { kafka, topics } = world.config;
  bus = await connect({ brokers: kafka.brokers, topicPrefix: topics.prefix });
});
afterAll(async () => {
  await bus?.close();
  await world?.close();
});

const lastCall = async () => (await world.standIn.calls()).at(-1);

describe('usage examples', () => {
  test('basic usage', async () => {
    await world.standIn.setDefault({ text: 'Hello to you.' });
    const response = await bus.conversation().provider('openai').message('Hello, world!').send();
    expect(response).toMatchObject({
      content: 'Hello to you.',
      finishReason: 'stop',
      toolCalls: [],
      isStreamed: false,
    });
    expect(response.result.response.chunkCount).toBe(0);
  });

  test('with parameters', async () => {
    await world.standIn.setDefault({ text: 'Once upon a time.' });
    const response = await bus
      .conversation()
      .provider('openai')
      .model('gpt-4')
      .temperature(0.8)
      .maxTokens(1000)
      .message('Write a creative story')
      .send();
    expect(response.content).toBe('Once upon a time.');
    expect(response.result.model).toBe('gpt-4');
    const call = await lastCall();
    expect(call?.model).toBe('gpt-4');
    expect(call?.parameters).toEqual(expect.arrayContaining(['temperature', 'max_tokens']));
  });

  test('streaming', async () => {
    await world.standIn.setDefault({ text: 'A long story in many words.', gapMs: 20 });
    const chunks: ReplyChunk[] = [];
    const response = await bus
      .conversation()
      .provider('openai')
      .stream(true)
      .message('Tell me a long story')
      .onChunk((chunk) => {
        chunks.push(chunk);
      })
      .send();
    expect(response).toMatchObject({ isStreamed: true, content: 'A long story in many words.' });
    expect(chunks.length).toBeGreaterThan(1);
    expect(chunks.map(({ content }) => content).join('')).toBe('A long story in many words.');
    expect(chunks.at(-1)).toMatchObject({ isChunk: true, fullContent: 'A long story in many words.' });
    expect(response.result.response.chunkCount).toBeGreaterThan(1);
  });

  test('function calling', async () => {
    await world.standIn.setDefault(null);
    const response = await bus
      .conversation()
      .provider('openai')
      .functions([
        {
          name: 'get_weather',
          description: 'Get weather information',
          parameters: {
            type: 'object',
            properties: { location: { type: 'string' } },
          },
        },
      ])
      .message("What's the weather in New York?")
      .send();
    expect(response.finishReason).toBe('tool_calls');
    expect(response.toolCalls).toMatchObject([{ name: 'get_weather', valid: true }]);
  });
});

describe('tests', () => {
  test('send message returns a valid response', async () => {
    await world.standIn.setDefault({ text: 'Hello, world!', promptTokens: 5, completionTokens: 5 });
    const response = await bus.conversation().message('Hello').send();
    expect(response.content).toBe('Hello, world!');
    expect(response.tokensUsed).toBe(10);
  });

  test('calculate cost for gpt-4', async () => {
    await world.standIn.setDefault({ text: 'x', promptTokens: 100, completionTokens: 50 });
    const response = await bus.conversation().model('gpt-4').message('Hello').send();
    // 100 * 0.00003 + 50 * 0.00006
    expect(response).toMatchObject({ cost: '0.006', currency: 'USD' });
  });

  test('a streamed response is marked as such, and has chunks', async () => {
    await world.standIn.setDefault({ text: 'A story.' });
    const chunks: ReplyChunk[] = [];
    const response = await bus
      .conversation()
      .onChunk((chunk) => chunks.push(chunk))
      .message('Tell me a story')
      .send();
    expect(response.isStreamed).toBe(true);
    expect(chunks).not.toEqual([]);
  });

  test('a real API call', async () => {
    await world.standIn.setDefault({ text: 'Hello, World!' });
    const response = await bus
      .conversation()
      .provider('openai')
      .model('gpt-3.5-turbo')
      .message('Say "Hello, World!" and nothing else.')
      .send();
    expect(response.content).toContain('Hello');
    expect(response.tokensUsed).toBeGreaterThan(0);
    expect(Number(response.cost)).toBeGreaterThan(0);
  });

  test.each([
    ['invalid_api_key', 401, 'invalid_credentials', false],
    ['insufficient_quota', 429, 'quota_exceeded', false],
  ])('the error %s has its own class', async (code, status, expected, retryable) => {
    await world.standIn.setDefault({ status, error: { code, message: 'No.' } });
    await expect(bus.conversation().message('Hello').send()).rejects.toMatchObject({
      name: 'ChatBusError',
      code: expected,
      retryable,
      providerMessage: 'No.',
    });
  });
});

describe('a conversation', () => {
  test('keeps questions and answers, with the system message first', async () => {
    const conversation = bus.conversation().system('Be brief.');
    await world.standIn.setDefault({ text: 'Hello, Ada.' });
    await conversation.message('I am Ada.').send();
    await world.standIn.setDefault({ text: 'Ada.' });
    const { result } = await conversation.message('Who am I?').send();
    expect(result.response.conversationId).toBe(conversation.id);
    expect(conversation.messages).toMatchObject([
      { role: 'user', content: 'I am Ada.' },
      { role: 'assistant', content: 'Hello, Ada.' },
      { role: 'user', content: 'Who am I?' },
      { role: 'assistant', content: 'Ada.' },
    ]);
  });

  test('resends a failed message with the next send, and accepts one at a time', async () => {
    const conversation = bus.conversation();
    await world.standIn.setDefault({ status: 401 });
    await expect(conversation.message('Hello').send()).rejects.toMatchObject({ code: 'invalid_credentials' });
    expect(conversation.messages).toEqual([]);
    await world.standIn.setDefault({ text: 'Now.' });
    const sending = conversation.send();
    await expect(conversation.send()).rejects.toMatchObject({ code: 'invalid_request' });
    expect((await sending).content).toBe('Now.');
    expect(conversation.messages).toMatchObject([{ content: 'Hello' }, { content: 'Now.' }]);
  });

  test('runs functions until the model answers in words', async () => {
    await world.standIn.setDefault(null);
    const conversation = bus.conversation().functions([
      {
        name: 'get_weather',
        parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      },
    ]);
    const reply = await conversation
      .message('What is the weather like in Lisbon right now?')
      .runTools({ get_weather: async () => ({ degrees: 21 }) });
    expect(reply.content).toContain('21');
    expect(conversation.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'assistant']);
  });

  test('rejects with what a callback throws', async () => {
    await world.standIn.setDefault({ text: 'A story.' });
    const sending = bus
      .conversation()
      .onChunk(() => {
        throw new Error('no paper');
      })
      .message('Tell me a story')
      .send();
    await expect(sending).rejects.toThrow('no paper');
  });
});
