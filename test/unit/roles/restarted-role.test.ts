import { metrics } from '@opentelemetry/api';
import { expect, it } from 'vitest';
import { restarted } from '../../../src/roles/restarted-role.ts';
import type { RoleContext, RunningRole } from '../../../src/roles/role.ts';
import { createLogger } from '../../../src/runtime/logger.ts';

/** The only members of a context that these tests need. */
const context = {
  logger: createLogger({ level: 'silent' }),
  telemetry: { meter: metrics.getMeter('test') },
  clock: { now: () => 0, monotonic: () => 0 },
  signal: new AbortController().signal,
} as unknown as RoleContext;

const idle: RunningRole = { ready: () => [{ name: 'part', ok: true }], stop: async () => undefined };

/** Pauses that the test ends. */
function pauses() {
  const lengths: number[] = [];
  let end = (): void => undefined;
  let begun = Promise.withResolvers<void>();
  return {
    lengths,
    begun: () => begun.promise,
    end: () => {
      begun = Promise.withResolvers();
      end();
    },
    pause: (delayMs: number, signal: AbortSignal) => {
      lengths.push(delayMs);
      return new Promise<void>((resolve) => {
        end = resolve;
        signal.addEventListener('abort', () => resolve());
        begun.resolve();
      });
    },
  };
}

it('a failed start is retried after 1 s, doubling to a minute, and the check names the error in the meantime', async () => {
  const { lengths, begun, end, pause } = pauses();
  const running = Promise.withResolvers<void>();
  let starts = 0;
  const start = async () => {
    starts += 1;
    if (starts <= 8) throw new Error(`no group ${starts}`);
    setImmediate(running.resolve);
    return idle;
  };
  const role = await restarted('ledger', start, pause)(context);
  for (let tries = 1; tries <= 8; tries += 1) {
    await begun();
    expect(role.ready()).toMatchObject([
      { name: 'ledger', ok: false, why: expect.stringContaining(`no group ${tries}`) },
    ]);
    end();
  }
  await running.promise;
  expect(lengths).toEqual([1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1_000));
  expect(role.ready()).toMatchObject([
    { name: 'ledger', ok: true },
    { name: 'part', ok: true },
  ]);
  await role.stop();
});

it('a fatal error closes the role before it is restarted, and a later error of the closed one changes nothing', async () => {
  const { lengths, begun, end, pause } = pauses();
  const calls: string[] = [];
  const fatal: ((error: Error) => void)[] = [];
  const again = Promise.withResolvers<void>();
  const role = await restarted(
    'ledger',
    async ({ onFatal }) => {
      calls.push('started');
      fatal.push(onFatal);
      if (fatal.length === 2) setImmediate(again.resolve);
      return { ...idle, stop: async () => void calls.push('stopped') };
    },
    pause,
  )(context);
  fatal[0]?.(new Error('the group is deleted'));
  await begun();
  end();
  await again.promise;
  expect(calls).toEqual(['started', 'stopped', 'started']);
  fatal[0]?.(new Error('late'));
  await role.stop();
  expect(calls).toEqual(['started', 'stopped', 'started', 'stopped']);
  expect(lengths).toHaveLength(1);
});

it('is not restarted once it was stopped', async () => {
  let starts = 0;
  const { pause } = pauses();
  const start = async () => {
    starts += 1;
    throw new Error('no database');
  };
  const role = await restarted('catalog', start, pause)(context);
  await role.stop();
  expect(starts).toBe(1);
});
