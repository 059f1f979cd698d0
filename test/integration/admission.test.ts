import { afterEach, beforeEach, expect, test } from 'vitest';
import type { History } from '../support/history.ts';
import { request, World } from '../support/world.ts';

let world: World;
let history: History;

beforeEach(async () => {
  world = await World.create();
  history = await world.readHistory();
});

afterEach(() => world?.close());

test('one slot serves a request and its duplicate while the provider is unavailable', async () => {
  await world.startWorker({ MAX_IN_FLIGHT: '1', AI_OPENAI_RETRY_DELAY: '10' });
  const unavailable = { status: 503 };
  const script = [...Array.from({ length: 4 }, () => unavailable), { text: 'back again' }];
  await world.publish(['one', 'other'].map((key) => request('twice', { key, script })));
  await history.until(({ responses }) => responses.length === 2);
  expect(history.responses.map(({ value }) => value.status)).toEqual(['COMPLETED', 'COMPLETED']);
  expect(await world.standIn.calls()).toHaveLength(5);
});

test('a tenant with one request is served next to a tenant with a hundred under a limit of one per second', async () => {
  // The first answers report the limit, which starts almost exhausted.
  await world.standIn.setLimits({ requests: 2, tokens: 1_000_000, windowMs: 2_000 });
  await world.startWorker();
  const callsOf = async (prefix: string) =>
    (await world.standIn.calls()).filter(
      ({ requestId, status }) => requestId?.startsWith(prefix) && status === 200,
    );
  await world.publish(
    Array.from({ length: 100 }, (_, index) => request(`busy-${index}`, { tenantId: 'busy' })),
  );
  await history.until(({ originals }) => originals.length >= 4);

  const before = (await callsOf('busy')).length;
  await world.publish([request('quiet', { tenantId: 'quiet' })]);
  await history.untilAnswerTo('quiet');
  const [quiet] = await callsOf('quiet');
  const between = (await callsOf('busy')).filter(({ startedAt }) => startedAt < (quiet?.startedAt ?? 0));
  expect(between.length - before).toBeLessThanOrEqual(3);
});
