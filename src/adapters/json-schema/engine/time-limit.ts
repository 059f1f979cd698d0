import { createContext, Script } from 'node:vm';

const nothing = () => undefined;
const calls = { run: nothing as () => void };
createContext(calls);
const call = new Script('run()');

/** How often work that did not get the processor may start again. */
const CHANCES = 4;

/**
 * Calls a function, and ends it when it takes too long, wherever it is, in a regular expression too: what `node:vm`'s
 * timeout does for a script, which here does nothing but call. Costs about 0.15 ms.
 *
 * The timeout is wall-clock time. Work that hardly ran, because the process was suspended or others had the processor, is
 * restarted a few times. So the function must be restartable and leave no half-done state behind.
 *
 * @param limitMs at least 1
 * @throws what the function throws; an error that `isTimeout` knows when it was ended
 */
export function withTimeLimit<Result>(work: () => Result, limitMs: number): Result {
  for (let chance = 1; ; chance += 1) {
    const before = processorMs();
    try {
      return callOnce(work, limitMs);
    } catch (error) {
      const hardlyRan = processorMs() - before < limitMs / 2;
      if (!isTimeout(error) || !hardlyRan || chance === CHANCES) throw error;
    }
  }
}

function callOnce<Result>(work: () => Result, limitMs: number): Result {
  const results: Result[] = [];
  calls.run = () => {
    results.push(work());
  };
  try {
    call.runInContext(calls, { timeout: Math.max(1, Math.ceil(limitMs)) });
  } finally {
    calls.run = nothing;
  }
  return results[0] as Result;
}

/** Processor time of this thread in milliseconds, where Node can tell (since 23.9); otherwise of the process, so that work has fewer chances. */
export function processorMs(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) / 1_000;
}

/** The error is of the script's realm, where `Error` is another class. */
export function isTimeout(error: unknown): boolean {
  const isObject = typeof error === 'object' && error !== null;
  return isObject && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}
