import { setTimeout as wait } from 'node:timers/promises';
import type { Child } from './child-process.ts';
import { cpuSeconds } from './process-usage.ts';

/** Processes by the name they have in the results. */
export type Pids = Readonly<Record<string, number | undefined>>;

export interface Measured<Window> {
  readonly window: Window;
  /** Processor seconds per second of the window, by process. */
  readonly cores: Readonly<Record<string, number>>;
  /** What `snapshot` gave at both ends. */
  readonly snapshots: readonly [string, string];
}

/** Lets a load run in, then measures for a while: what the child counted, and what every process used. */
export async function measure<Window>(
  child: Child,
  pids: Pids,
  time: { readonly warmUpMs: number; readonly windowMs: number },
  snapshot: () => Promise<string> = async () => '',
): Promise<Measured<Window>> {
  await wait(time.warmUpMs);
  const first = await snapshot();
  await child.ask('begin');
  const used = usageOf(pids);
  const began = performance.now();
  await wait(time.windowMs);
  const usedAfter = usageOf(pids);
  const seconds = (performance.now() - began) / 1000;
  const window = await child.ask<Window>('end');
  const cores = Object.fromEntries(
    Object.entries(usedAfter).map(([name, after]) => [name, round((after - (used[name] ?? 0)) / seconds, 2)]),
  );
  return { window, cores, snapshots: [first, await snapshot()] };
}

function usageOf(pids: Pids): Record<string, number> {
  return Object.fromEntries(
    Object.entries(pids).flatMap(([name, pid]) => (pid === undefined ? [] : [[name, cpuSeconds(pid)]])),
  );
}

export function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

export function perSecond(count: number, elapsedMs: number): number {
  return round((count * 1000) / elapsedMs);
}
