import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { TopicFollower } from '../../src/adapters/kafka/follow/topic-follower.ts';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import {
  type AnswerEvent,
  type CancelRequest,
  type ChatBus,
  ChatBusError,
  type ConnectOptions,
  connect,
  type OutputFormat,
} from '../../src/client/index.ts';
import type { Script } from '../support/stand-in/script.ts';
import { silent, World } from '../support/world.ts';

const { ConfigResourceTypes } = kafkajs;
let world: World;
let bus: ChatBus;

beforeAll(async () => {
  world = await World.create({ partitions: 3 });
  await world.startWorker();
  bus = await open();
});
afterAll(async () => {
  await bus?.close();
  await world?.close();
});

function open(options: Partial<ConnectOptions> = {}): Promise<ChatBus> {
  const { kafka, topics } = world.config;
  return connect({
    brokers: kafka.brokers,
    topicPrefix: topics.prefix,
    groupId: kafka.groupId,
    tenantId: 'acme',
    ...options,
  });
}

/** A message that scripts the stand-in. */
const play = (script: Script | Script[]) => JSON.stringify({ standIn: script });

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const textOf = (events: readonly AnswerEvent[]) =>
  events.map((event) => (event.type === 'text' ? event.text : '')).join('');

describe('an answer', () => {
  test('is iterable text, events, and a result with usage and exact cost', async () => {
    const messages = play({
      text: 'one two three four five',
      gapMs: 60,
      promptTokens: 10,
      completionTokens: 5,
    });
    const answer = bus.chat({ model: 'gpt-4', messages, labels: { team: 'search' } });
    const [texts, events, result] = await Promise.all([collect(answer), collect(answer.events), answer]);
    expect(texts.length).toBeGreaterThan(1);
    expect(texts.join('')).toBe('one two three four five');
    expect(textOf(events)).toBe('one two three four five');
    expect(events.at(-1)).toEqual({ type: 'finish', result });
    expect(result).toMatchObject({
      id: answer.id,
      text: 'one two three four five',
      finishReason: 'stop',
      toolCalls: [],
      usage: { inputTokens: 10, outputTokens: 5 },
      // 10 tokens at 30 USD and 5 tokens at 60 USD per million.
      cost: '0.0006',
      currency: 'USD',
      response: { tenantId: 'acme', labels: { team: 'search' } },
    });
    // Also later, and again.
    expect((await collect(answer)).join('')).toBe('one two three four five');
    expect((await answer).cost).toBe('0.0006');
  });

  test('without chunks has its text at the end', async () => {
    const answer = bus.chat({ messages: play({ text: 'all at once' }), stream: false });
    expect(await collect(answer)).toEqual(['all at once']);
    expect((await answer).text).toBe('all at once');
  });

  test('of a repeated id comes from the ledger, without a second call', async () => {
    const messages = play({ text: 'once' });
    const first = await bus.chat({ id: 'repeated', messages });
    const calls = (await world.standIn.calls()).length;
    const second = await bus.chat({ id: 'repeated', messages });
    expect(second.text).toBe('once');
    expect(second.response.replayed).toBe(true);
    expect(first.response.replayed).toBe(false);
    expect(await world.standIn.calls()).toHaveLength(calls);
  });

  test('that breaks off and is retried reports a restart, and ends with the right text', async () => {
    const messages = play([
      { text: 'lost words of the first attempt', cutAfterTokens: 3, gapMs: 50 },
      { text: 'the whole answer' },
    ]);
    const answer = bus.chat({ messages, restartOnBreak: true });
    const events = await collect(answer.events);
    const restart = events.findIndex(({ type }) => type === 'restart');
    expect(restart).toBeGreaterThan(0);
    expect(textOf(events.slice(0, restart))).not.toBe('');
    expect(textOf(events.slice(restart))).toBe('the whole answer');
    expect((await answer).text).toBe('the whole answer');
  });

  test('of one of many requests goes to that request only', async () => {
    const answers = Array.from({ length: 100 }, (_, index) =>
      bus.chat({
        messages: play({ text: `this is answer number ${index} of them`, gapMs: 2 }),
        ...(index % 2 === 0 && { conversationId: `conversation-${index % 10}` }),
      }),
    );
    const texts = await Promise.all(answers.map(async (answer) => (await collect(answer)).join('')));
    expect(texts).toEqual(answers.map((_, index) => `this is answer number ${index} of them`));
    const results = await Promise.all(answers);
    expect(results.map(({ text }) => text)).toEqual(texts);
  });

  test('of another tenant’s request with the same id is not seen', async () => {
    await using other = await open({ tenantId: 'other' });
    const [own, others] = await Promise.all([
      bus.chat({ id: 'same-id', messages: play({ text: 'for acme' }) }),
      other.chat({ id: 'same-id', messages: play({ text: 'for the other' }) }),
    ]);
    expect([own.text, others.text]).toEqual(['for acme', 'for the other']);
  });

  test('that is left early continues, and the rest can be read later', async () => {
    const answer = bus.chat({ messages: play({ text: 'one two three four', gapMs: 20 }) });
    for await (const text of answer) {
      expect(text).not.toBe('');
      break;
    }
    expect((await answer).text).toBe('one two three four');
    expect((await collect(answer)).join('')).toBe('one two three four');
  });
});

describe('replies', () => {
  test('of four clients that share three partitions find their callers', async () => {
    const clients = await Promise.all([open(), open(), open(), open()]);
    const asked = clients.flatMap((client, index) =>
      Array.from({ length: 50 }, (_, turn) => {
        const text = `answer ${turn} of client ${index}`;
        // The same ids for all of them would be the same requests; a conversation may be shared.
        return {
          text,
          answer: client.chat({ messages: play({ text, gapMs: 2 }), conversationId: `shared-${turn}` }),
        };
      }),
    );
    for (const { text, answer } of asked) {
      expect((await collect(answer)).join('')).toBe(text);
      expect((await answer).text).toBe(text);
    }
    await Promise.all(clients.map((client) => client.close()));
  });

  test('come without them too: all partitions are read then', async () => {
    await using whole = await open({ replies: false });
    const answer = whole.chat({ messages: play({ text: 'one two three', gapMs: 20 }) });
    expect((await collect(answer)).join('')).toBe('one two three');
    expect((await answer).text).toBe('one two three');
  });

  test('that the brokers refuse are found where every response is', async () => {
    await setReplySize('100');
    try {
      const answer = bus.chat({ messages: play({ text: 'not lost' }) });
      expect((await answer).text).toBe('not lost');
      // There are no chunks to wait for: it is looked for when nothing has come for long.
      const whole = bus.chat({
        messages: play({ text: 'not lost either' }),
        stream: false,
        idleTimeout: '1500ms',
      });
      expect((await whole).text).toBe('not lost either');
    } finally {
      await setReplySize('1048588');
    }
  });
});

async function setReplySize(bytes: string): Promise<void> {
  const admin = createKafka(world.config.kafka, silent, PATIENT_RETRIES).admin();
  await admin.connect();
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: ConfigResourceTypes.TOPIC,
        name: world.topics.replies,
        configEntries: [{ name: 'max.message.bytes', value: bytes }],
      },
    ],
  });
  await admin.disconnect();
}

describe('structured output', () => {
  const text = '{"city":"Lisbon","degrees":21}';

  test('by zod is typed data', async () => {
    const output = z.object({ city: z.string(), degrees: z.number() });
    const { data } = await bus.chat({ messages: play({ text }), output });
    const degrees: number = data.degrees;
    expect([data.city, degrees]).toEqual(['Lisbon', 21]);
    const [call] = (await world.standIn.calls()).slice(-1);
    expect(call?.parameters).toContain('response_format');
  });

  test('by JSON Schema is data that the service has checked', async () => {
    const schema = { type: 'object', properties: { degrees: { type: 'number' } }, required: ['degrees'] };
    const { data } = await bus.chat({ messages: play({ text }), output: { name: 'weather', schema } });
    expect(data).toEqual({ city: 'Lisbon', degrees: 21 });
  });

  test.each<[string, string, OutputFormat<unknown>]>([
    ['no JSON', 'It is warm.', z.object({ city: z.string() })],
    ['what zod refuses', text, z.object({ city: z.number() })],
    [
      'what the JSON Schema refuses',
      text,
      { schema: { type: 'object', properties: { city: { type: 'number' } } } },
    ],
  ])('that is %s is an error with the response', async (_, answered, output) => {
    const answer = bus.chat({ messages: play({ text: answered }), output });
    await expect(answer).rejects.toMatchObject({
      name: 'ChatBusError',
      code: 'invalid_output',
      requestId: answer.id,
      response: { status: 'COMPLETED' },
    });
  });
});

describe('tools', () => {
  const weather = {
    name: 'get_weather',
    description: 'The weather in a city.',
    parameters: z.object({ city: z.string() }),
  };

  const messages = [
    { role: 'system', content: 'Use your tools.' },
    { role: 'user', content: 'What is the weather like in Lisbon right now?' },
  ];

  test('are called until the model answers in words', async () => {
    await world.standIn.setDefault(null);
    const asked: string[] = [];
    const answer = bus.chat({ messages, tools: [weather] });
    const run = await answer.runTools({
      get_weather: async ({ city }: { city: string }, { signal, call }) => {
        asked.push(`${call.name} ${city} ${signal.aborted}`);
        return { city, degrees: 21 };
      },
    });
    expect(asked).toEqual(['get_weather Lisbon false']);
    expect(run.text).toContain('21');
    expect(run.turns.map(({ finishReason }) => finishReason)).toEqual(['tool_calls', 'stop']);
    expect(run.messages.map(({ role }) => role)).toEqual([
      'system',
      'user',
      'assistant',
      'tool',
      'assistant',
    ]);
    const events = await collect(answer.events);
    expect(events).toMatchObject([
      { type: 'tool-call', call: { name: 'get_weather', valid: true } },
      { type: 'finish' },
    ]);
    // The same call can be repeated, because the id of each turn is derived from the first.
    const calls = await world.standIn.calls();
    expect(calls.slice(-2).map(({ requestId }) => requestId)).toEqual([
      expect.stringContaining(answer.id),
      expect.stringContaining(`${answer.id}~2`),
    ]);
  });

  test('with invalid arguments are not run, and the model gets the error', async () => {
    const wrong = { name: 'get_weather', arguments: { town: 'Lisbon' } };
    let runs = 0;
    const answer = bus.chat({ messages: play({ toolCalls: [wrong] }), tools: [weather] });
    const run = answer.runTools({ get_weather: () => (runs += 1) }, { maxTurns: 1 });
    await expect(run).rejects.toMatchObject({ code: 'too_many_turns', requestId: `${answer.id}~2` });
    expect(runs).toBe(0);
  });
});

describe('a failure', () => {
  test('of the request is one error with its code, for every reader', async () => {
    const messages = play({ status: 401, error: { message: 'Incorrect key.', code: 'invalid_api_key' } });
    const answer = bus.chat({ messages });
    const error = await answer.catch((caught: ChatBusError) => caught);
    expect(error).toBeInstanceOf(ChatBusError);
    expect(error).toMatchObject({
      code: 'invalid_credentials',
      retryable: false,
      requestId: answer.id,
      providerMessage: 'Incorrect key.',
      response: { status: 'FAILED' },
    });
    await expect(collect(answer)).rejects.toBe(error);
    await expect(collect(answer.events)).rejects.toBe(error);
  });

  test('of the input comes from the answer too', async () => {
    await expect(bus.chat({ messages: [] })).rejects.toMatchObject({
      code: 'invalid_request',
      retryable: false,
    });
    const wrong = { role: 7 as unknown as string, content: 'x' };
    await expect(bus.chat({ messages: [wrong] })).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('role'),
    });
  });

  test('after some text keeps the text, and what it cost', async () => {
    const messages = play({ text: 'one two three four five six', cutAfterTokens: 3, gapMs: 5 });
    const answer = bus.chat({ messages, restartOnBreak: false });
    let seen = '';
    const reading = (async () => {
      for await (const text of answer) seen += text;
    })();
    await expect(answer).rejects.toMatchObject({ code: 'stream_interrupted' });
    await reading.catch(() => undefined);
    const error = await answer.catch((caught: ChatBusError) => caught);
    expect(seen).not.toBe('');
    expect((error as ChatBusError).response?.choices[0]?.content).toBe(seen);
    expect((error as ChatBusError).response?.cost).toMatch(/^0\.0/);
  });

  test('by the deadline comes from the service', async () => {
    const messages = play({ text: 'late', firstTokenMs: 60_000 });
    await expect(bus.chat({ messages, deadline: '300ms' })).rejects.toMatchObject({
      code: 'deadline_exceeded',
      response: { status: 'FAILED' },
    });
  });

  test('by silence says whether a provider was called, and that there are workers', async () => {
    const messages = play({ text: 'late', firstTokenMs: 60_000 });
    const error = await bus.chat({ messages, idleTimeout: '700ms' }).catch((caught: ChatBusError) => caught);
    expect(error).toMatchObject({ code: 'idle_timeout', retryable: true, wasSeen: true, workers: 1 });
    expect((error as ChatBusError).message).toContain(
      'a provider was called for it; the service has 1 workers',
    );
  });

  test('by a signal, before and after it was sent', async () => {
    const reason = new Error('not wanted any more');
    const expected = { code: 'aborted', retryable: false, cause: reason };
    const calls = (await world.standIn.calls()).length;
    await expect(bus.chat({ messages: 'x', signal: AbortSignal.abort(reason) })).rejects.toMatchObject(
      expected,
    );
    expect(await world.standIn.calls()).toHaveLength(calls);
    const ending = new AbortController();
    const answer = bus.chat({ messages: play({ text: 'one two three', gapMs: 100 }), signal: ending.signal });
    for await (const _ of answer) break;
    ending.abort(reason);
    await expect(answer).rejects.toMatchObject(expected);
  });

  test('that nobody awaits causes no unhandled rejection', async () => {
    const unhandled: unknown[] = [];
    const listen = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', listen);
    const answer = bus.chat({ messages: play({ status: 401 }) });
    void answer.events[Symbol.asyncIterator]()
      .next()
      .catch(() => undefined);
    await answer.then(
      () => undefined,
      () => undefined,
    );
    await new Promise(setImmediate);
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
  });
});

describe('a token', () => {
  test('finds a running answer in another connection, whole, and one that ended long ago', async () => {
    const text = Array.from({ length: 40 }, (_, index) => `word${index}`).join(' ');
    const first = await open();
    const sent = first.chat({ messages: play({ text, gapMs: 25 }), conversationId: 'resumed' });
    let seen = '';
    for await (const piece of sent) {
      seen += piece;
      if (seen.length > 20) break;
    }
    const { resumeToken } = sent;
    await first.close();
    await expect(sent).rejects.toMatchObject({ code: 'closed' });

    await using second = await open();
    const running = second.attach(resumeToken);
    expect(running.id).toBe(sent.id);
    const texts = await collect(running);
    expect(texts.length).toBeGreaterThan(1);
    expect(texts.join('')).toBe(text);
    expect((await running).cost).toMatch(/^0\.0/);
    const over = second.attach(resumeToken);
    expect((await over).text).toBe(text);
    const calls = await world.standIn.calls();
    expect(calls.filter(({ requestId }) => requestId?.includes(sent.id))).toHaveLength(1);
  });

  test('that is invalid is refused', () => {
    expect(() => bus.attach('nonsense')).toThrow(expect.objectContaining({ code: 'invalid_token' }));
  });
});

describe('a cancellation', () => {
  /** Those that are published while `work` runs. */
  async function cancellationsDuring(work: () => Promise<string>) {
    const topic = world.topics.cancellations;
    const found = Promise.withResolvers<CancelRequest>();
    const follower = await TopicFollower.connect({
      settings: world.config.kafka,
      logger: silent,
      isolationLevel: 'read_committed',
      onFetched: ({ records }) => {
        for (const { value } of records) found.resolve(world.codec.decode('CancelRequest', value).record);
      },
      onFailed: found.reject,
    });
    await follower.follow([{ topic, partition: 0, from: 'end' }]);
    try {
      const id = await work();
      return { id, cancellation: await found.promise };
    } finally {
      await follower.close();
    }
  }

  const long = () => play({ text: 'one two three four five six', gapMs: 100 });

  test('is published with its reason', async () => {
    const { id, cancellation } = await cancellationsDuring(async () => {
      const answer = bus.chat({ messages: long() });
      await answer.cancel('user left');
      return answer.id;
    });
    expect(cancellation).toEqual({ requestId: id, tenantId: 'acme', reason: 'user left' });
  });

  test('follows from leaving a loop early, when the caller wants that', async () => {
    const { id, cancellation } = await cancellationsDuring(async () => {
      const answer = bus.chat({ messages: long(), cancelOnBreak: true });
      for await (const _ of answer) break;
      return answer.id;
    });
    expect(cancellation).toMatchObject({ requestId: id, reason: 'the reader left' });
  });

  test('of an answer that is there does nothing', async () => {
    const { cancellation, id } = await cancellationsDuring(async () => {
      const over = bus.chat({ messages: play({ text: 'over' }), cancelOnBreak: true });
      await collect(over);
      await over;
      await over.cancel('too late');
      const answer = bus.chat({ messages: long() });
      await answer.cancel();
      return answer.id;
    });
    expect(cancellation).toEqual({ requestId: id, tenantId: 'acme', reason: null });
  });
});

describe('a connection', () => {
  test('that is closed fails answers that it is attached to', async () => {
    const answer = bus.chat({ messages: play({ text: 'late', firstTokenMs: 60_000 }) });
    const closing = await open();
    const attached = closing.attach(answer.resumeToken);
    const reading = collect(attached);
    await closing.close();
    await expect(attached).rejects.toMatchObject({ code: 'closed', retryable: true });
    await expect(reading).rejects.toMatchObject({ code: 'closed' });
    expect(() => closing.attach(answer.resumeToken)).not.toThrow();
    await expect(closing.attach(answer.resumeToken)).rejects.toMatchObject({ code: 'closed' });
  });

  test('that is closed fails waiting and later requests', async () => {
    const closing = await open();
    const waiting = closing.chat({ messages: play({ text: 'late', firstTokenMs: 60_000 }) });
    const reading = collect(waiting);
    await closing.close();
    await expect(waiting).rejects.toMatchObject({ code: 'closed', retryable: true });
    await expect(reading).rejects.toMatchObject({ code: 'closed' });
    await expect(closing.chat({ messages: 'x' })).rejects.toMatchObject({ code: 'closed' });
    await closing.close();
  });

  test('accepts no more requests than its limit', async () => {
    await using small = await open({ maxPending: 2 });
    const slow = () => small.chat({ messages: play({ text: 'late', firstTokenMs: 60_000 }) });
    const [one, two] = [slow(), slow()];
    await expect(slow()).rejects.toMatchObject({ code: 'too_many_requests', retryable: true });
    const attached = small.attach(one.resumeToken);
    await expect(attached).rejects.toMatchObject({ code: 'too_many_requests', retryable: true });
    await small.close();
    await expect(one).rejects.toMatchObject({ code: 'closed' });
    await expect(two).rejects.toMatchObject({ code: 'closed' });
  });

  test('counts each answer to the same request', async () => {
    await using small = await open({ maxPending: 2 });
    const messages = play({ text: 'late', firstTokenMs: 60_000 });
    const one = small.chat({ id: 'same-request', messages });
    const attached = small.attach(one.resumeToken);
    await expect(small.chat({ id: 'same-request', messages })).rejects.toMatchObject({
      code: 'too_many_requests',
    });
    await small.close();
    await expect(one).rejects.toMatchObject({ code: 'closed' });
    await expect(attached).rejects.toMatchObject({ code: 'closed' });
  });

  test('to a port without a broker fails in time', async () => {
    await expect(open({ brokers: '127.0.0.1:1', connectTimeout: '2s' })).rejects.toMatchObject({
      code: 'connect_failed',
      retryable: true,
    });
  });

  test('to a service without topics names them', async () => {
    await expect(open({ topicPrefix: `${world.config.topics.prefix}-x` })).rejects.toMatchObject({
      code: 'topics_missing',
      message: expect.stringContaining('completion-bus topics create'),
    });
  });

  test.each([
    [{ connectTimeout: 'soon' }, 'connectTimeout'],
    [{ idleTimeout: 0 }, 'idleTimeout'],
    [{ brokers: ' , ' }, 'brokers'],
  ])('with options that cannot be read is refused: %o', async (options, name) => {
    await expect(open(options)).rejects.toThrow(name);
  });
});

test('without workers silence says so', async () => {
  const empty = await World.create({ partitions: 1 });
  try {
    const { kafka, topics } = empty.config;
    await using lonely = await connect({
      brokers: kafka.brokers,
      topicPrefix: topics.prefix,
      groupId: kafka.groupId,
      idleTimeout: '300ms',
    });
    const error = await lonely
      .chat({ messages: 'Is anybody there?' })
      .catch((caught: ChatBusError) => caught);
    expect(error).toMatchObject({ code: 'idle_timeout', wasSeen: false, workers: 0 });
    expect((error as ChatBusError).message).toContain('completion-bus serve');
  } finally {
    await empty.close();
  }
});
