import { Big } from 'big.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { breaches } from '../support/check-guarantees.ts';
import type { History } from '../support/history.ts';
import { request, World } from '../support/world.ts';

let world: World;
let history: History;

beforeAll(async () => {
  world = await World.create();
  await world.startWorker();
  history = await world.readHistory();
});

afterAll(() => world?.close());

test('1,000 requests over 50 keys get 1,000 responses and 1,000 exact bills, in order per key', async () => {
  const published = Array.from({ length: 1_000 }, (_, index) =>
    request(`bulk-${index}`, {
      key: `conversation-${index % 50}`,
      conversationId: `conversation-${index % 50}`,
      model: 'gpt-4',
      script: { tokens: 5 + (index % 7), promptTokens: 100 + index, gapMs: 1 },
    }),
  );
  await world.publish(published);
  await history.untilAnswered(1_000);

  const calls = (await world.standIn.calls()).filter(({ requestId }) => requestId?.startsWith('bulk-'));
  expect(breaches(published, history, calls)).toEqual([]);
  expect(calls).toHaveLength(1_000);
  expect(history.responses).toHaveLength(1_000);
  expect(history.costs).toHaveLength(1_000);
  expect(history.originals.every(({ status }) => status === 'COMPLETED')).toBe(true);

  const expected = calls.reduce(
    (sum, { promptTokens, completionTokens }) => sum.plus(promptTokens * 30).plus(completionTokens * 60),
    new Big(0),
  );
  const billed = history.costs.reduce((sum, { value }) => sum.plus(value.totalCost ?? 'missing'), new Big(0));
  expect(billed.toFixed()).toBe(expected.div(1_000_000).toFixed());
});

test('the chunks of a request form its answer, complete by their own markers', async () => {
  const text = 'Chunks leave one by one, äöü and 🚀 included, and add up to the answer.';
  await world.publish([request('pieces', { script: { text, gapMs: 2 } })]);
  await history.untilAnswerTo('pieces');

  const response = history.originals.find(({ requestId }) => requestId === 'pieces');
  const chunks = history.chunks.map(({ value }) => value).filter(({ requestId }) => requestId === 'pieces');
  expect(response?.choices[0]?.content).toBe(text);
  expect(history.textOf('pieces')).toBe(text);
  expect(chunks).toHaveLength(response?.chunkCount ?? -1);
  expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, index) => index));
  expect(chunks.filter(({ last }) => last)).toEqual([chunks.at(-1)]);
});

test('100 input and 50 output tokens of gpt-4 at 30 and 60 dollars per million cost exactly 0.006', async () => {
  await world.publish([request('gpt-4-case', { model: 'gpt-4', script: { tokens: 50, promptTokens: 100 } })]);
  await history.untilAnswerTo('gpt-4-case');

  const cost = history.costs.find(({ value }) => value.requestId === 'gpt-4-case')?.value;
  expect(cost).toMatchObject({
    costStatus: 'PRICED',
    currency: 'USD',
    inputCost: '0.003',
    outputCost: '0.003',
    totalCost: '0.006',
    acceptedCost: '0.006',
  });
});

test('a bad record becomes one dead letter with its bytes and headers, and its neighbours are answered', async () => {
  const bytes = Buffer.from([0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await world.publish([request('before', { key: 'neighbours' })]);
  await world.publishRaw(bytes, { key: 'neighbours', headers: { 'x-team': 'search' } });
  await world.publish([request('after', { key: 'neighbours' })]);
  await history.until(
    ({ dead, originals }) =>
      dead.length > 0 &&
      originals.filter(({ requestId }) => ['before', 'after'].includes(requestId)).length === 2,
  );

  expect(history.dead).toHaveLength(1);
  const [letter] = history.dead;
  const headers = Object.fromEntries(
    Object.entries(letter?.headers ?? {}).map(([name, value]) => [name, String(value)]),
  );
  expect(letter?.value).toEqual(bytes);
  expect(letter?.key?.toString()).toBe('neighbours');
  expect(headers).toMatchObject({
    'x-team': 'search',
    'dead-code': 'unknown_fingerprint',
    'dead-topic': world.topics.requests,
  });
  expect(headers['dead-message']).toMatch(/fingerprint/);
});

test('a request id published twice is answered twice from one call, and billed once', async () => {
  const twice = request('twice', { script: { text: 'only once', promptTokens: 7 } });
  await world.publish([twice]);
  await world.publish([twice]);
  await history.until(
    ({ responses }) => responses.filter(({ value }) => value.requestId === 'twice').length === 2,
  );
  await history.untilAnswerTo('twice');

  const responses = history.responses
    .map(({ value }) => value)
    .filter(({ requestId }) => requestId === 'twice');
  const calls = (await world.standIn.calls()).filter(({ requestId }) => requestId === 'twice');
  expect(responses.map(({ replayed }) => replayed)).toEqual([false, true]);
  expect(responses.map(({ choices }) => choices[0]?.content)).toEqual(['only once', 'only once']);
  expect(calls).toHaveLength(1);
  expect(history.costs.filter(({ value }) => value.requestId === 'twice')).toHaveLength(1);
});

test('a changed body under a known id is refused, and the error says so', async () => {
  await world.publish([request('changed', { script: { text: 'first' } })]);
  await world.publish([request('changed', { script: { text: 'second' } })]);
  await history.until(
    ({ responses }) => responses.filter(({ value }) => value.requestId === 'changed').length === 2,
  );

  const [first, second] = history.responses
    .map(({ value }) => value)
    .filter(({ requestId }) => requestId === 'changed');
  expect(first).toMatchObject({ status: 'COMPLETED', error: null });
  expect(second).toMatchObject({ status: 'FAILED', error: { code: 'invalid_request', param: 'requestId' } });
  expect(second?.error?.message).toContain('was used before for a different request');
});

test('a failed call is retried, and every attempt that used tokens is billed', async () => {
  await world.publish([
    request('broken', {
      script: [
        { tokens: 20, cutAfterTokens: 4 },
        { status: 500 },
        { text: 'third time lucky', promptTokens: 12 },
      ],
    }),
  ]);
  await history.untilAnswerTo('broken');

  const response = history.originals.find(({ requestId }) => requestId === 'broken');
  const cost = history.costs.find(({ value }) => value.requestId === 'broken')?.value;
  expect(response).toMatchObject({ status: 'COMPLETED', attempts: 3, acceptedAttempt: 3 });
  expect(history.textOf('broken')).toBe('third time lucky');
  expect(
    cost?.calls.map(({ attempt, disposition, usage }) => [attempt, disposition, usage.confidence]),
  ).toEqual([
    [1, 'RETRIED', 'PARTIAL'],
    [3, 'ACCEPTED', 'PROVIDER'],
  ]);
});
