import { setTimeout as pass } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { breaches } from '../support/check-guarantees.ts';
import { type TcpSwitch, tcpSwitch } from '../support/tcp-switch.ts';
import { request, World } from '../support/world.ts';

/** Answered before the outage, or in flight when it begins. */
const BEFORE = 50;
const QUEUED = 500;
/** 30000 for the long run. */
const OUTAGE_MS = Number(process.env['TEST_PROVIDER_OUTAGE_MS'] ?? 8_000);

let world: World;
let provider: TcpSwitch;

beforeAll(async () => {
  world = await World.create();
  provider = await tcpSwitch(Number(new URL(world.standIn.url).port));
});

afterAll(async () => {
  await provider?.cut();
  await world?.close();
});

test('requests wait while the provider is down: none fails, none is called again after its answer, the order holds', async () => {
  const published = Array.from({ length: BEFORE + QUEUED }, (_, index) =>
    request(`request-${index}`, {
      key: `conversation-${index % 50}`,
      script: { tokens: 5, gapMs: 20, promptTokens: 10 },
    }),
  );
  const worker = await world.startWorker({ AI_OPENAI_BASE_URL: `http://127.0.0.1:${provider.port}/v1` });
  const history = await world.readHistory();

  await world.publish(published.slice(0, BEFORE));
  await history.until(({ originals }) => originals.length >= 20);
  await provider.cut();
  await world.publish(published.slice(BEFORE));
  await worker.logged('provider unavailable');
  await pass(OUTAGE_MS);
  const answered = history.originals.length;
  await provider.join();
  const backAt = performance.now();
  await worker.logged('provider available again');
  const noticedMs = performance.now() - backAt;
  await history.untilAnswered(published.length);
  const drainedMs = performance.now() - backAt;

  process.stdout.write(
    `away for ${OUTAGE_MS} ms with ${published.length - answered} requests waiting: noticed after ${Math.round(noticedMs)} ms, drained after ${Math.round(drainedMs)} ms\n`,
  );
  const calls = await world.standIn.calls();
  expect(history.originals.filter(({ status }) => status !== 'COMPLETED')).toEqual([]);
  expect(breaches(published, history, calls)).toEqual([]);
  for (const { requestId, acceptedAttempt } of history.originals) {
    const attempts = calls.filter((call) => call.requestId === requestId).map(({ attempt }) => attempt ?? 0);
    expect(Math.max(...attempts)).toBe(acceptedAttempt);
  }
  expect(await worker.stop()).toBe(0);
});
