import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import type { History } from '../support/history.ts';
import type { Worker } from '../support/worker.ts';
import { request, silent, World } from '../support/world.ts';

/** A tenth of the broker's default. */
const CHUNK_MAX_BYTES = 100_000;
const LONG = 'aé世😀'.repeat(200_000);
/** 30 s of 16-bit audio at 24 kHz. */
const SOUND = Buffer.alloc(1_440_000, 'sound');

let world: World;
let worker: Worker;
let history: History;

beforeAll(async () => {
  world = await World.create({ partitions: 3 });
  // A request cannot carry a script of this size.
  await world.standIn.setDefault([{ chunks: [{ content: LONG }], finishReason: 'stop' }]);
  await limitChunks(CHUNK_MAX_BYTES);
  worker = await world.startWorker();
  history = await world.readHistory();
});

afterAll(() => world?.close());

async function limitChunks(bytes: number): Promise<void> {
  const admin = createKafka(world.config.kafka, silent, PATIENT_RETRIES).admin();
  await admin.connect();
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: world.topics.chunks,
        configEntries: [{ name: 'max.message.bytes', value: String(bytes) }],
      },
    ],
  });
  await admin.disconnect();
}

/** Nine ordinary requests that run next to another one. */
function nine(name: string) {
  const script = { text: `one two three of ${name}`, gapMs: 5 };
  return Array.from({ length: 9 }, (_, index) => request(`${name}-${index}`, { script }));
}

async function expectNine(name: string): Promise<void> {
  for (let index = 0; index < 9; index += 1) {
    const answer = await history.untilAnswerTo(`${name}-${index}`);
    expect(answer).toMatchObject({ status: 'COMPLETED' });
    expect(history.textOf(`${name}-${index}`)).toBe(`one two three of ${name}`);
  }
}

test('a delta of 2 MB arrives whole, in chunks that fit the topic', async () => {
  const long = request('long');
  await world.publish([long, ...nine('beside-long')]);
  await expectNine('beside-long');
  const answer = await history.untilAnswerTo('long');
  expect(answer.status).toBe('COMPLETED');
  expect(answer.chunkCount).toBeGreaterThan(Buffer.byteLength(LONG) / CHUNK_MAX_BYTES);
  expect(history.textOf('long') === LONG).toBe(true);
});

test('30 s of audio in one piece arrive whole', async () => {
  const sound = {
    id: 'audio_1',
    data: SOUND.toString('base64'),
    transcript: 'a sound',
    expires_at: 1_800_000_000,
  };
  await world.standIn.setDefault([{ chunks: [{ audio: sound }], finishReason: 'stop' }]);
  await world.publish([request('sound'), ...nine('beside-sound')]);
  await expectNine('beside-sound');
  const answer = await history.untilAnswerTo('sound');
  await world.standIn.setDefault([{ chunks: [{ content: LONG }], finishReason: 'stop' }]);
  expect(answer.status).toBe('COMPLETED');
  const own = history.chunks.map(({ value }) => value).filter(({ requestId }) => requestId === 'sound');
  own.sort((one, two) => one.sequence - two.sequence);
  const data = Buffer.concat(own.map(({ audio: piece }) => Buffer.from(piece?.data ?? [])));
  expect(data.equals(SOUND)).toBe(true);
});

const audio = { id: 'audio_1', data: '', transcript: 'a' };
const called = (index: number) => ({
  tool_calls: [{ index, id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }],
});
const whole = (index: unknown) => ({
  id: 'x',
  object: 'chat.completion.chunk',
  choices: [{ index, delta: { content: 'b' }, finish_reason: null }],
});

test.each<[string, Record<string, unknown>]>([
  ['choice-at-a-half', whole(0.5)],
  ['call-at-3e9', called(3e9)],
  ['call-at-1e308', called(1e308)],
  ['fraction-of-a-millisecond', { audio: { ...audio, expires_at: 1.0005 } }],
  ['list-as-text', { refusal: ['no'] }],
])('%s affects only its own request, and nine others continue', async (name, delta) => {
  const script = { chunks: [{ content: 'a' }, delta, { content: 'c' }], finishReason: 'stop' };
  await world.publish([request(name, { script }), ...nine(`beside-${name}`)]);
  await expectNine(`beside-${name}`);
  const answer = await history.untilAnswerTo(name);
  if (answer.status === 'FAILED') expect(answer.error?.retryable).toBe(false);
  expect(answer).toMatchObject({ attempts: 1, costStatus: 'PRICED' });
  await world.publish(nine(`after-${name}`));
  await expectNine(`after-${name}`);
});

test('a limit lowered while the service runs is noticed, and later answers are split by it', async () => {
  await limitChunks(20_000);
  await world.publish([request('lowered'), request('lowered-again')]);
  for (const id of ['lowered', 'lowered-again']) {
    const answer = await history.untilAnswerTo(id);
    expect(['COMPLETED', 'FAILED']).toContain(answer.status);
  }
  await world.publish([request('after-lowered'), ...nine('beside-lowered')]);
  await expectNine('beside-lowered');
  expect(await history.untilAnswerTo('after-lowered')).toMatchObject({ status: 'COMPLETED' });
  expect(history.textOf('after-lowered') === LONG).toBe(true);
  expect(worker.log.join('\n')).not.toContain(LONG.slice(0, 40));
});

test('40 announcements with labels of 60 kB each stay below the topic’s limit', async () => {
  const labels = { label: 'x'.repeat(60_000) };
  const ids = Array.from({ length: 40 }, (_, index) => `labelled-${index}`);
  await world.publish(ids.map((id) => request(id, { key: 'one', labels, script: { text: 'hello' } })));
  for (const id of ids) expect(await history.untilAnswerTo(id)).toMatchObject({ status: 'COMPLETED' });
  await history.until(({ sent }) => ids.every((id) => sent.some(({ value }) => value.requestId === id)));
});
