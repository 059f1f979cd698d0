import { afterEach, beforeEach, expect, it } from 'vitest';
import { readChecks } from '../support/read-checks.ts';
import { type TcpSwitch, tcpSwitch } from '../support/tcp-switch.ts';
import { request, World } from '../support/world.ts';

let world: World;
let database: TcpSwitch;

beforeEach(async () => {
  world = await World.create({ partitions: 2, env: { LEASE_MS: '2000' } });
  database = await tcpSwitch(Number(new URL(world.config.mongo.url).port || 27017));
});
afterEach(async () => {
  await world?.close();
  await database?.cut();
});

const throughSwitch = () => ({
  MONGODB_URL: `mongodb://127.0.0.1:${database.port}/?directConnection=true`,
});

const get = async (port: number, path: string) => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, text: await response.text() };
};

it('a worker without MongoDB reports the outage, its start and its effect on /readyz, stays alive, and is ready again afterwards', async () => {
  const worker = await world.startWorker(throughSwitch());
  const before = await readChecks(worker.httpPort, () => true);
  expect(before.get('mongodb')).toMatchObject({ ok: true, since: expect.stringMatching(/^20..-/) });
  expect(before.get('kafka')).toMatchObject({ ok: true });
  const cutAt = Date.now();
  await database.cut();

  const down = await readChecks(worker.httpPort, (checks) => checks.get('mongodb')?.ok === false);
  expect(down.get('mongodb')?.why).toMatch(/has not answered since .*calls in flight continue.*ECONNREFUSED/);
  // The last answer came at most one check and its timeout earlier.
  expect(Math.abs(Date.parse(down.get('mongodb')?.since ?? '') - cutAt)).toBeLessThan(60_000);
  expect(down.get('kafka')).toMatchObject({ ok: true });
  expect((await get(worker.httpPort, '/readyz')).status).toBe(503);
  expect((await get(worker.httpPort, '/livez')).status).toBe(200);
  expect((await get(worker.httpPort, '/metrics')).text).toMatch(/^completionbus_mongodb_up(\{.*\})? 0$/m);

  await database.join();
  await readChecks(worker.httpPort, (checks) => [...checks.values()].every(({ ok }) => ok));
  await worker.logged('MongoDB answers again');
}, 60_000);

it('shows counters without labels from the start, and each lane', async () => {
  const worker = await world.startWorker({ ROLES: 'worker,catalog,ledger' });
  const { text } = await get(worker.httpPort, '/metrics');
  for (const name of [
    'responses_replayed',
    'chunks_published',
    'tool_calls',
    'structured_outputs',
    'settle_doubts',
    'outcomes_unpublished',
    'claims_taken_over',
    'lease_losses',
    'requests_quarantined',
    'requests_poisoned',
  ])
    expect(text).toMatch(new RegExp(`^completionbus_${name}_total(\\{.*\\})? 0$`, 'm'));
  for (const name of [
    'completionbus_lane_lag{.*partition_id="1"',
    'completionbus_lane_oldest{.*partition_id="0"',
    'completionbus_scheduler_tasks{.*state="running"',
    'completionbus_waits{.*reason="provider"',
    'completionbus_mongodb_latency_count',
    'completionbus_budget_reservations_open',
    'completionbus_event_loop_delay',
    'process_memory_usage',
  ])
    expect(text).toMatch(new RegExp(`^${name}`, 'm'));
  expect(text).toMatch(/^completionbus_lane_openings_total(\{.*\})? 2$/m);
});

it('logs rebalances with their duration, opened lanes, claims taken over, and refusals', async () => {
  const first = await world.startWorker();
  const lines = (text: string) =>
    first.log
      .filter((line) => line.includes(text))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines('"msg":"partitions assigned"')).toMatchObject([
    { partitions: 2, durationMs: expect.any(Number) },
  ]);
  expect(lines('"msg":"lane opened"')).toHaveLength(2);
  expect(lines('"msg":"lane opened"')[0]).toMatchObject({
    topic: world.topics.requests,
    partition: expect.any(Number),
    durationMs: expect.any(Number),
  });
  await world.publish(['a', 'b', 'c'].map((id) => request(id, { key: 'one', temperature: 77 })));
  await first.logged('"msg":"request refused"');
  expect(lines('"msg":"request refused"')[0]).toMatchObject({ level: 'info', code: 'invalid_request' });

  const history = await world.readHistory();
  await world.publish([request('slow', { script: { tokens: 200, gapMs: 50, promptTokens: 10 } })]);
  await history.until(({ chunks }) => chunks.length > 0);
  await first.kill();
  const second = await world.startWorker();
  await second.logged('"msg":"the claim of a dead worker was taken over"');
  const { text } = await get(second.httpPort, '/metrics');
  expect(text).toMatch(/^completionbus_claims_taken_over_total(\{.*\})? 1$/m);
  // Three refusals of the same kind at once are one line.
  expect(lines('"msg":"request refused"')).toHaveLength(1);
}, 90_000);
