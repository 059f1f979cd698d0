import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AnswerEvent, type ChatBus, connect } from '../../src/client/index.ts';
import type { Worker } from '../support/worker.ts';
import { World } from '../support/world.ts';

const CHILD = fileURLToPath(new URL('../support/client-child.ts', import.meta.url));
const WORDS = Array.from({ length: 60 }, (_, index) => `word${index}`).join(' ');

let world: World;
let worker: Worker;
let bus: ChatBus;

beforeAll(async () => {
  world = await World.create({ partitions: 3, env: { LEASE_MS: '3000', KAFKA_SESSION_TIMEOUT: '6s' } });
  worker = await world.startWorker();
  bus = await open();
});
afterAll(async () => {
  await bus?.close();
  await world?.close();
});

function open(): Promise<ChatBus> {
  const { kafka, topics } = world.config;
  return connect({ brokers: kafka.brokers, topicPrefix: topics.prefix, groupId: kafka.groupId });
}

const play = (script: object) => JSON.stringify({ standIn: script });

test('a client that is killed is resumed by its token: the text is exact, and there is one bill', async () => {
  const history = await world.readHistory();
  const child = spawn(process.execPath, [CHILD, play({ text: WORDS, gapMs: 30 })], {
    env: { ...process.env, ...world.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const token = String((await lines.next()).value);
  for (let read = 0; read < 5; read += 1) await lines.next();
  child.kill('SIGKILL');
  await exited;

  const answer = bus.attach(token);
  let text = '';
  for await (const piece of answer) text += piece;
  expect(text).toBe(WORDS);
  const result = await answer;
  expect(result.text).toBe(WORDS);
  const original = await history.untilAnswerTo(answer.id);
  expect(result.response).toEqual(original);
  expect(history.costs.filter(({ value }) => value.requestId === answer.id)).toHaveLength(1);
  expect(history.requests.filter(({ requestId }) => requestId === answer.id)).toHaveLength(1);
});

test('2,000 answers at once with a stuck reader: each is whole, in order, and nobody else’s', async () => {
  const stuck = bus.chat({ messages: play({ text: WORDS, gapMs: 5 }) })[Symbol.asyncIterator]();
  expect((await stuck.next()).value).not.toBe('');
  const asked = Array.from({ length: 2_000 }, (_, index) => {
    const text = `this is the answer to request ${index}, word for word`;
    return {
      text,
      answer: bus.chat({ messages: play({ text, gapMs: 1 }), conversationId: `many-${index % 500}` }),
    };
  });
  const texts = await Promise.all(
    asked.map(async ({ answer }) => {
      let text = '';
      for await (const piece of answer) text += piece;
      return text;
    }),
  );
  expect(texts).toEqual(asked.map(({ text }) => text));
  const results = await Promise.all(asked.map(({ answer }) => answer));
  expect(results.map(({ text }) => text)).toEqual(texts);
  // It has missed nothing.
  expect((await stuck.next()).value).toContain('word59');
});

test('a worker that is killed while it streams: a restart is reported, and the text is exact', async () => {
  const answer = bus.chat({ messages: play({ text: WORDS, gapMs: 50 }), restartOnBreak: true });
  const events: AnswerEvent[] = [];
  for await (const event of answer.events) {
    events.push(event);
    if (events.length === 5) {
      await worker.kill();
      await world.startWorker();
    }
  }
  const restart = events.findLastIndex(({ type }) => type === 'restart');
  expect(restart).toBeGreaterThan(3);
  const text = events.slice(restart).map((event) => (event.type === 'text' ? event.text : ''));
  expect(text.join('')).toBe(WORDS);
  expect((await answer).text).toBe(WORDS);
  expect((await answer).response.attempts).toBeGreaterThan(1);
});
