import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface RunningService {
  /** Port of /livez, /readyz and /metrics on 127.0.0.1. */
  readonly httpPort: number;
  /** Rejects when the service exits before it was stopped. Never resolves. */
  readonly failed: Promise<never>;
  /** Sends SIGTERM and resolves when the service has exited. */
  stop(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const KEPT_LINES = 12;
const READY_POLL_MS = 50;
const START_TIMEOUT_MS = 60_000;
/** A service that has not stopped after this time is killed. */
const STOP_TIMEOUT_MS = 10_000;

/**
 * Starts `completion-bus serve` in a separate process and waits until /readyz reports ready.
 *
 * @param onStarted called with the stop function as soon as the process runs
 * @throws with its last log lines when it exits or is not ready in time
 */
export async function startService(
  env: Readonly<Record<string, string | undefined>>,
  onStarted: (stop: () => Promise<void>) => void,
): Promise<RunningService> {
  // Use a separate process group. A terminal's Ctrl-C then reaches only the quickstart, which stops the service in order.
  const child = spawn(process.execPath, [...process.execArgv, MAIN, 'serve'], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killWithParent = () => child.kill('SIGKILL');
  process.once('exit', killWithParent);

  const lastLines: string[] = [];
  const port = Promise.withResolvers<number>();
  const onLine = (line: string) => {
    lastLines.push(line);
    if (lastLines.length > KEPT_LINES) lastLines.shift();
    const entry = asLogEntry(line);
    if (entry.msg === 'started' && entry.port !== undefined) port.resolve(entry.port);
  };
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine);
  const withLog = (what: string) => new Error(`${what}. Its last log lines:\n${lastLines.join('\n')}`);

  let stopping = false;
  const ended = once(child, 'close').then(([code, signal]) => {
    process.off('exit', killWithParent);
    return code ?? signal;
  });
  const failed = ended.then((how) => {
    if (stopping) return new Promise<never>(() => undefined);
    throw withLog(`the service exited unexpectedly (${how})`);
  });
  failed.catch(() => undefined);
  const stop = async () => {
    stopping = true;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  };
  onStarted(stop);

  const giveUp = new AbortController();
  const tooLate = wait(START_TIMEOUT_MS, undefined, { signal: giveUp.signal }).then(() => {
    throw withLog(`the service was not ready within ${START_TIMEOUT_MS / 1000} s`);
  });
  tooLate.catch(() => undefined);
  try {
    const httpPort = await Promise.race([port.promise, failed, tooLate]);
    await Promise.race([untilReady(httpPort, giveUp.signal), failed, tooLate]);
    return { httpPort, failed, stop };
  } finally {
    giveUp.abort();
  }
}

function asLogEntry(line: string): { msg?: string; port?: number } {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}

async function untilReady(port: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal }).catch(() => null);
    await response?.arrayBuffer();
    if (response?.ok) return;
    await wait(READY_POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}
