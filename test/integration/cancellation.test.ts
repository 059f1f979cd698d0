import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { ChatBusError, connect } from '../../src/client/index.ts';
import type { CancelRequestInput } from '../../src/contract/records/cancel-request-input.ts';
import type { History } from '../support/history.ts';
import type { Script } from '../support/stand-in/script.ts';
import { type Published, request, silent, World } from '../support/world.ts';

const USD_PER_INPUT = 30e-6;
const USD_PER_OUTPUT = 60e-6;

let world: World;
let history: History;

beforeAll(async () => {
  world = await World.create({ partitions: 2, env: { LEASE_MS: '2000', KAFKA_SESSION_TIMEOUT: '6s' } });
  history = await world.readHistory();
});
afterAll(() => world?.close());

function cancel(...requests: readonly CancelRequestInput[]): Promise<void> {
  const { cancellations } = world.topics;
  const records = requests.map((input) => ({
    key: input.requestId,
    value: world.codec.encode('CancelRequest', input),
    headers: {},
  }));
  return world.sendTo(cancellations, records);
}

/** An answer that stops after so many words and stays open. */
const stuck = (words: number): Script => ({ tokens: 60, stallAfterTokens: words });

const callsOf = async (id: string) =>
  (await world.standIn.calls()).filter(({ requestId }) => requestId === id);
const wordsOf = (text: string) => text.split(' ').filter((word) => word !== '').length;

async function untilCalled(id: string): Promise<void> {
  await expect.poll(async () => (await callsOf(id)).length, { timeout: 20_000, interval: 20 }).toBe(1);
}

/** Resolves when so many words of the answer are in its chunks. */
async function untilRead(id: string, words: number): Promise<void> {
  await untilCalled(id);
  await history.until(
    () => history.chunks.some(({ value }) => value.requestId === id) && wordsOf(history.textOf(id)) >= words,
  );
}

/** Resolves when the newest worker has this count of cancellations with a result. */
async function untilCounted(result: string, count: number): Promise<void> {
  const port = world.httpPorts.at(-1);
  const counted = async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const line = new RegExp(`^completionbus_cancellations_total\\{.*result="${result}".*\\} (\\d+)$`, 'm');
    return Number(line.exec(text)?.[1] ?? 0);
  };
  await expect.poll(counted, { timeout: 20_000, interval: 50 }).toBeGreaterThanOrEqual(count);
}

/** What the stand-in has sent is what is billed, and what the caller reads. */
async function expectCancelled(id: string, words: number): Promise<void> {
  const response = await history.untilAnswerTo(id);
  expect(response).toMatchObject({ status: 'CANCELLED', error: { code: 'cancelled', retryable: false } });
  const [call, ...others] = await callsOf(id);
  expect(others).toEqual([]);
  expect(call?.completionTokens).toBe(words);
  const cost = history.costs.find(({ value }) => value.requestId === id)?.value;
  expect(cost?.calls).toMatchObject([{ disposition: 'ABORTED', usage: { outputTokens: words } }]);
  const { inputTokens = 0 } = cost?.usage ?? {};
  expect(Number(cost?.totalCost)).toBeCloseTo(inputTokens * USD_PER_INPUT + words * USD_PER_OUTPUT, 12);
  expect(wordsOf(response.choices[0]?.content ?? '')).toBe(words);
}

async function expectNotCalled(id: string): Promise<void> {
  const response = await history.untilAnswerTo(id);
  expect(response).toMatchObject({ status: 'CANCELLED', attempts: 0, cost: null, costEventId: null });
  expect(await callsOf(id)).toEqual([]);
}

describe('with one worker', () => {
  beforeAll(async () => {
    await world.startWorker();
  });

  test('a running request ends with what arrived, and its exact cost', async () => {
    await world.publish([request('running', { script: stuck(7) })]);
    await untilRead('running', 7);
    await cancel({ requestId: 'running', reason: 'user left' });
    await expectCancelled('running', 7);
    const response = await history.untilAnswerTo('running');
    expect(response.error?.message).toBe('the request was cancelled: user left');
    expect(response.choices[0]?.content).toBe(history.textOf('running'));
  });

  test('one that waits behind another of its key is not called', async () => {
    await world.publish([
      request('before', { key: 'talk', script: stuck(2) }),
      request('behind', { key: 'talk' }),
    ]);
    await untilRead('before', 2);
    await cancel({ requestId: 'behind' });
    await untilCounted('reached', 2);
    await cancel({ requestId: 'before' });
    await expectCancelled('before', 2);
    await expectNotCalled('behind');
  });

  test('one that is finished stays as it is', async () => {
    const finished = request('finished', { script: { text: 'one two three' } });
    await world.publish([finished]);
    expect(await history.untilAnswerTo('finished')).toMatchObject({ status: 'COMPLETED' });
    await cancel({ requestId: 'finished' });
    await untilCounted('remembered', 1);
    await world.publish([finished]);
    await history.until(({ responses }) => responses.some(({ value }) => value.replayed));
    const [replayed] = history.responses.map(({ value }) => value).filter(({ replayed: is }) => is);
    expect(replayed).toMatchObject({ requestId: 'finished', status: 'COMPLETED' });
    expect(await callsOf('finished')).toHaveLength(1);
  });

  test('one that comes after its cancellation is not called', async () => {
    await cancel({ requestId: 'late', reason: 'too late' });
    await untilCounted('remembered', 2);
    await world.publish([request('late')]);
    await expectNotCalled('late');
    expect((await history.untilAnswerTo('late')).error?.message).toBe('the request was cancelled: too late');
  });

  test("another tenant's request with the same id goes on", async () => {
    const of = (tenantId: string) => request('shared', { key: tenantId, tenantId, script: stuck(3) });
    await world.publish([of('acme')]);
    await untilRead('shared', 3);
    await cancel({ requestId: 'shared', tenantId: 'other' }, { requestId: 'shared' });
    await untilCounted('remembered', 4);
    expect(history.originals.filter(({ requestId }) => requestId === 'shared')).toEqual([]);
    await cancel({ requestId: 'shared', tenantId: 'acme' });
    await expectCancelled('shared', 3);
  });

  test('records that are no cancellations are skipped', async () => {
    const values = [
      null,
      Buffer.alloc(0),
      Buffer.from('hello'),
      Buffer.alloc(100_000, 7),
      world.codec.encode('ChatRequest', request('x').request),
      world.codec.encode('CancelRequest', { requestId: 'x'.repeat(129) }),
      world.codec.encode('CancelRequest', { requestId: 'x', tenantId: 'x'.repeat(1_025) }),
    ];
    await world.sendTo(
      world.topics.cancellations,
      values.map((value) => ({ key: 'x', value, headers: {} })),
    );
    await untilCounted('unreadable', values.length);
    await world.publish([request('after', { script: stuck(1) })]);
    await untilRead('after', 1);
    await cancel({ requestId: 'after' });
    await expectCancelled('after', 1);
  });

  test('the client cancels its answer', async () => {
    const { kafka, topics } = world.config;
    await using bus = await connect({
      brokers: kafka.brokers,
      topicPrefix: topics.prefix,
      groupId: kafka.groupId,
      tenantId: 'acme',
    });
    const answer = bus.chat({ model: 'gpt-4', messages: JSON.stringify({ standIn: stuck(4) }) });
    let text = '';
    const error = await (async () => {
      for await (const piece of answer) {
        text += piece;
        if (wordsOf(text) === 4) await answer.cancel('enough');
      }
    })().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ChatBusError);
    expect(error).toMatchObject({ code: 'cancelled', retryable: false, response: { status: 'CANCELLED' } });
    await expectCancelled(answer.id, 4);
  });

  test('40 requests that are cancelled at random moments settle once, and cost what was sent', async () => {
    type Moment = 'before' | 'at once' | 'in the middle' | 'after';
    const moments: readonly Moment[] = ['before', 'at once', 'in the middle', 'in the middle', 'after'];
    const all = Array.from({ length: 40 }, (_, index) => {
      const words = randomInt(0, 21);
      const moment = moments[index % moments.length] ?? 'after';
      const script: Script =
        moment === 'in the middle' ? stuck(words) : { tokens: words + 1, gapMs: randomInt(0, 10) };
      const published: Published = request(`random-${index}`, { key: `key-${randomInt(0, 20)}`, script });
      return { id: `random-${index}`, words, moment, published };
    });
    await Promise.all(
      all.map(async ({ id, words, moment, published }) => {
        const cancelNow = () => cancel({ requestId: id });
        if (moment === 'before') await cancelNow();
        await world.publish([published]);
        if (moment === 'at once') await cancelNow();
        if (moment === 'in the middle') {
          await (words === 0 ? untilCalled(id) : untilRead(id, words));
          await cancelNow();
        }
        if (moment === 'after') await history.untilAnswerTo(id).then(cancelNow);
      }),
    );
    for (const { id, words, moment } of all) {
      const response = await history.untilAnswerTo(id);
      expect(history.originals.filter(({ requestId }) => requestId === id)).toHaveLength(1);
      const [call, ...others] = await callsOf(id);
      expect(others).toEqual([]);
      const costs = history.costs.filter(({ value }) => value.requestId === id);
      expect(costs).toHaveLength(call === undefined ? 0 : 1);
      const billed = costs[0]?.value.usage?.outputTokens ?? 0;
      if (moment === 'after') expect([response.status, billed]).toEqual(['COMPLETED', words + 1]);
      if (moment === 'in the middle') await expectCancelled(id, words);
      // What the stand-in wrote in the moment of the abort never arrived.
      if (response.status === 'COMPLETED') expect(billed).toBe(call?.completionTokens);
      else expect(billed).toBe(wordsOf(response.choices[0]?.content ?? ''));
    }
  }, 120_000);
});

test('a killed worker: the next one cancels what it had and what waits, and calls nothing', async () => {
  await world.killWorkers();
  const first = await world.startWorker();
  await world.publish([request('had', { script: stuck(5) })]);
  await untilRead('had', 5);
  await first.kill();
  await world.publish([request('waits', { script: stuck(5) })]);
  await cancel({ requestId: 'had' }, { requestId: 'waits' });
  await world.startWorker();
  await expectNotCalled('waits');
  const response = await history.untilAnswerTo('had');
  expect(response).toMatchObject({ status: 'CANCELLED' });
  expect(await callsOf('had')).toHaveLength(1);
  const cost = history.costs.find(({ value }) => value.requestId === 'had')?.value;
  expect(cost?.calls).toMatchObject([{ disposition: 'ORPHANED' }]);
});

test('a topic that is deleted stops nothing, and is read again once it is there', async () => {
  await world.killWorkers();
  const { cancellations } = world.topics;
  const admin = createKafka(world.config.kafka, silent, PATIENT_RETRIES).admin();
  await admin.connect();
  const first = await world.startWorker();
  await admin.deleteTopics({ topics: [cancellations] });
  await first.logged('a partition could not be read; trying again');
  await first.stop();
  const second = await world.startWorker();
  await second.logged('cancellations cannot be read; trying again');
  await world.publish([request('without', { script: { text: 'one two' } })]);
  expect(await history.untilAnswerTo('without')).toMatchObject({ status: 'COMPLETED' });
  await admin.createTopics({ topics: [{ topic: cancellations, numPartitions: 1 }] });
  await admin.disconnect();
  await world.publish([request('again', { script: stuck(2) })]);
  await untilRead('again', 2);
  await cancel({ requestId: 'again' });
  await expectCancelled('again', 2);
});
