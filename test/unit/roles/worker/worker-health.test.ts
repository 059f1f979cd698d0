import { describe, expect, it } from 'vitest';
import { liveChecks, readyChecks, type WorkerHealth } from '../../../../src/roles/worker/worker-health.ts';

const idle: WorkerHealth = {
  wasAssigned: () => true,
  lanes: () => ({ open: 2, opening: 0, halted: 0 }),
  lastFetchAgeMs: () => 40,
  writerUnansweredMs: () => 0,
  oldestUnsettledMs: () => null,
  chunksUnacknowledgedMs: () => null,
  providers: () => [{ provider: 'openai', model: 'gpt-4', breaker: 'closed' }],
  now: () => 100_000,
};

const failing = (checks: readonly { name: string; ok: boolean }[]) =>
  checks.filter(({ ok }) => !ok).map(({ name }) => name);

describe('the health of a worker', () => {
  it('is healthy while nothing waits', () => {
    expect(failing([...liveChecks(idle, 120_000), ...readyChecks(idle)])).toEqual([]);
    expect(liveChecks(idle, 120_000).map(({ why }) => why)).toEqual([
      'the writing thread answers',
      'no outcome is waiting',
      'no chunk is waiting',
    ]);
  });

  it.each([
    ['writer', { writerUnansweredMs: () => 130_000 }],
    ['settle', { oldestUnsettledMs: () => 130_000 }],
    ['chunks', { chunksUnacknowledgedMs: () => 130_000 }],
  ] as const)('fails with its age when %s stands', (name, stuck) => {
    const checks = liveChecks({ ...idle, ...stuck }, 120_000);
    expect(failing(checks)).toEqual([name]);
    expect(checks.find((check) => check.name === name)?.why).toContain('130.0 s');
    expect(failing(liveChecks({ ...idle, ...stuck }, 140_000))).toEqual([]);
  });

  it('is unready long before it is restarted', () => {
    const slow = { ...idle, oldestUnsettledMs: () => 40_000 };
    expect(failing(readyChecks(slow))).toEqual(['settle']);
    expect(failing(liveChecks(slow, 120_000))).toEqual([]);
  });

  it('names Kafka with its last answer, and a provider that is down without calling the worker unready', () => {
    const cutOff = {
      ...idle,
      lastFetchAgeMs: () => 40_000,
      providers: () => [{ provider: 'openai', model: 'gpt-4', breaker: 'open' }],
    };
    const checks = readyChecks(cutOff);
    expect(checks.find(({ name }) => name === 'kafka')).toMatchObject({
      ok: false,
      since: '1970-01-01T00:01:00.000Z',
      why: expect.stringContaining('their outcomes wait'),
    });
    expect(checks.find(({ name }) => name === 'provider')).toMatchObject({
      ok: false,
      advisory: true,
      why: expect.stringContaining('openai gpt-4'),
    });
    expect(
      failing(readyChecks({ ...cutOff, lastFetchAgeMs: () => 40 }).filter((check) => !check.advisory)),
    ).toEqual([]);
  });
});
