import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Processor time of this thread, or of the process where Node does not tell it apart: garbage collectors and compilers at
 * its side do not hold the event loop.
 */
const usage: () => NodeJS.CpuUsage =
  typeof process.threadCpuUsage === 'function' ? () => process.threadCpuUsage() : () => process.cpuUsage();

export function cpuMs(): number {
  const { user, system } = usage();
  return (user + system) / 1_000;
}

/** The longest piece of asynchronous work that ran without a turn of the event loop. */
export async function longestTurnMs(work: () => Promise<void>): Promise<number> {
  let longest = 0;
  let ended = false;
  let began = cpuMs();
  const finished = work().finally(() => {
    ended = true;
  });
  while (!ended) {
    await nextTurn();
    longest = Math.max(longest, cpuMs() - began);
    began = cpuMs();
  }
  await finished;
  return longest;
}
