import { afterEach, beforeEach, expect, test } from 'vitest';
import { breaches } from '../support/check-guarantees.ts';
import type { History } from '../support/history.ts';
import { request, World } from '../support/world.ts';

const REQUESTS = 300;
/** The window of limits per minute, in seconds. */
const WINDOW_MS = 4_000;
const LIMITS = { requests: 60, tokens: 40_000, windowMs: WINDOW_MS };
/** A busy machine answers late, so more calls are in flight when a limit changes. Allows one more try. */
const TRIES = { retry: 1 };
const HALF = { requests: 30, tokens: 20_000, windowMs: WINDOW_MS };

/** Between 200 and 1,160 tokens each, 604 on average, so that both limits matter. */
const published = Array.from({ length: REQUESTS }, (_, index) =>
  request(`request-${index}`, {
    key: `conversation-${index % 60}`,
    maxOutputTokens: 200 + ((index * 7919) % 9) * 101,
    script: { tokens: 3, gapMs: 5 },
  }),
);
const tokensOf = new Map(published.map(({ request: of }) => [of.requestId, of.maxOutputTokens ?? 0]));

let world: World;
let history: History;

beforeEach(async () => {
  world = await World.create();
  await world.standIn.setLimits(LIMITS);
  const workers = [world.spawnWorker(), world.spawnWorker()];
  await Promise.all(workers.map(({ ready }) => ready));
  history = await world.readHistory();
});

afterEach(() => world?.close());

/** The share of refused calls and the share of the limit used. The limit can be halved at a given time. */
async function figures(halvedAt: number | null) {
  const calls = await world.standIn.calls();
  const taken = calls.filter(({ status }) => status === 200);
  const begin = Math.min(...calls.map(({ startedAt }) => startedAt));
  const end = Math.max(...taken.map(({ startedAt }) => startedAt));
  const half = halvedAt ?? end;
  const windows = (half - begin + (end - half) / 2) / WINDOW_MS;
  const tokens = taken.reduce((sum, { requestId }) => sum + (tokensOf.get(requestId ?? '') ?? 0), 0);
  const throughput = Math.max(
    taken.length / (LIMITS.requests * (1 + windows)),
    tokens / (LIMITS.tokens * (1 + windows)),
  );
  const refused = calls.filter(({ status }) => status === 429).length / calls.length;
  process.stdout.write(
    `${calls.length} calls, ${(100 * refused).toFixed(1)} % refused, ${(100 * throughput).toFixed(0)} % of the limit\n`,
  );
  return { refused, throughput, calls };
}

test('two workers use most of a shared limit and are rarely refused', TRIES, async () => {
  await world.publish(published);
  await history.untilAnswered(REQUESTS);

  const { refused, throughput, calls } = await figures(null);
  expect(refused).toBeLessThan(0.02);
  expect(throughput).toBeGreaterThanOrEqual(0.85);
  expect(history.originals.every(({ status }) => status === 'COMPLETED')).toBe(true);
  expect(breaches(published, history, calls)).toEqual([]);
});

test('they follow a halved limit that the headers report', TRIES, async () => {
  await world.publish(published);
  await history.until(({ originals }) => originals.length >= REQUESTS / 2);
  await world.standIn.setLimits(HALF);
  const halvedAt = Date.now();
  await history.untilAnswered(REQUESTS);

  const { refused, throughput } = await figures(halvedAt);
  expect(refused).toBeLessThan(0.02);
  expect(throughput).toBeGreaterThanOrEqual(0.85);
  expect(history.originals.every(({ status }) => status === 'COMPLETED')).toBe(true);
});

test('they detect a halved limit that no header reports', TRIES, async () => {
  await world.publish(published);
  await history.until(({ originals }) => originals.length >= REQUESTS / 2);
  await world.standIn.setLimits({ ...HALF, headers: false });
  const halvedAt = Date.now();
  await history.untilAnswered(REQUESTS);

  const { refused } = await figures(halvedAt);
  expect(refused).toBeLessThan(0.05);
  expect(history.originals.every(({ status }) => status === 'COMPLETED')).toBe(true);
});
