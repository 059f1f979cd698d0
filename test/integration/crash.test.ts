import { afterEach, beforeEach, expect, test } from 'vitest';
import { breaches } from '../support/check-guarantees.ts';
import { request, World } from '../support/world.ts';

let world: World;

beforeEach(async () => {
  world = await World.create({ env: { LEASE_MS: '2000', KAFKA_SESSION_TIMEOUT: '6s' } });
});

afterEach(() => world?.close());

/** 200 requests over 40 conversations. Each answer streams for about a second. */
const streams = Array.from({ length: 200 }, (_, index) =>
  request(`stream-${index}`, {
    key: `conversation-${index % 40}`,
    conversationId: `conversation-${index % 40}`,
    script: { tokens: 20, firstTokenMs: 50, gapMs: 40, promptTokens: 10 },
  }),
);

test('a worker killed in the middle of 200 streams and restarted: one outcome, every call billed once, none paid twice', async () => {
  const first = await world.startWorker();
  const history = await world.readHistory();
  await world.publish(streams);
  await history.until(({ responses, chunks }) => responses.length >= 20 && chunks.length >= 400);
  await first.kill();

  await world.startWorker();
  await history.untilAnswered(200);

  const calls = await world.standIn.calls();
  expect(calls.filter(({ outcome }) => outcome === 'client_closed').length).toBeGreaterThan(0);
  expect(breaches(streams, history, calls)).toEqual([]);
  expect(history.originals.every(({ status }) => status === 'COMPLETED')).toBe(true);
  // The calls that the dead worker started are billed from what is known.
  const orphans = history.costs
    .flatMap(({ value }) => value.calls)
    .filter(({ disposition }) => disposition === 'ORPHANED');
  expect(orphans.length).toBeGreaterThan(0);
  for (const { value } of history.responses)
    expect(history.textOf(value.requestId)).toBe(value.choices[0]?.content);
});

test('a worker frozen until it has lost its partitions publishes no outcome, event or cost when it wakes', async () => {
  const frozen = await world.startWorker();
  const history = await world.readHistory();
  await world.publish(streams);
  await history.until(({ responses, chunks }) => responses.length >= 20 && chunks.length >= 400);
  frozen.signal('SIGSTOP');

  // The second worker gets all partitions once the group has dropped the frozen one.
  const second = await world.startWorker();
  await history.untilAnswered(200);
  frozen.signal('SIGCONT');
  await frozen.logged('the lease was lost');

  // The woken worker works again, under a new claim. This proves that everything it had to publish was published or refused.
  const more = Array.from({ length: 60 }, (_, index) => request(`later-${index}`, { script: { tokens: 3 } }));
  await world.publish(more);
  await history.untilAnswered(260);
  expect(await frozen.stop()).toBe(0);
  expect(await second.stop()).toBe(0);

  const calls = await world.standIn.calls();
  expect(breaches([...streams, ...more], history, calls)).toEqual([]);
  for (const { value } of history.responses)
    expect(history.textOf(value.requestId)).toBe(value.choices[0]?.content);
});

test('SIGTERM finishes and settles requests in flight and exits 0; the next worker answers the others', async () => {
  const first = await world.startWorker({ MAX_IN_FLIGHT: '50' });
  const history = await world.readHistory();
  await world.publish(streams);
  await history.until(({ chunks }) => chunks.length >= 100);
  expect(await first.stop()).toBe(0);
  const answeredByFirst = history.originals.length;

  await world.startWorker();
  await history.untilAnswered(200);

  const calls = await world.standIn.calls();
  expect(answeredByFirst).toBeGreaterThan(0);
  expect(breaches(streams, history, calls)).toEqual([]);
  expect(calls).toHaveLength(200);
});

test('SIGTERM with too short a drain timeout aborts calls without an outcome; they are answered again and billed as aborted', async () => {
  const first = await world.startWorker({ DRAIN_TIMEOUT: '100ms' });
  const history = await world.readHistory();
  // Long enough that most are still in flight when a slow reader has seen the first chunks.
  const slowStreams = streams.map(({ key, request: { requestId } }) =>
    request(requestId, { key, conversationId: key, script: { tokens: 20, gapMs: 100, promptTokens: 10 } }),
  );
  await world.publish(slowStreams);
  await history.until(({ chunks }) => chunks.length >= 400);
  expect(await first.stop()).toBe(0);

  await world.startWorker();
  await history.untilAnswered(200);

  expect(breaches(slowStreams, history, await world.standIn.calls())).toEqual([]);
  const dispositions = history.costs.flatMap(({ value }) =>
    value.calls.map(({ disposition }) => disposition),
  );
  expect(dispositions).toContain('ABORTED');
  expect(dispositions).not.toContain('ORPHANED');
});
