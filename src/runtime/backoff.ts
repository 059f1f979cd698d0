import { setTimeout as wait } from 'node:timers/promises';
import { doubledMs } from './retry.ts';

const FIRST_MS = 20;
const LONGEST_MS = 2_000;

/**
 * Waits before trying again: 20 ms doubling to 2 s, with jitter. Resolves early, without an error, when the signal fires.
 *
 * @param tries number of earlier tries, from 0
 */
export async function backoff(tries: number, signal: AbortSignal): Promise<void> {
  const ceiling = doubledMs(tries + 1, FIRST_MS, LONGEST_MS);
  await wait(ceiling * (0.5 + Math.random() / 2), undefined, { signal, ref: true }).catch(() => undefined);
}
