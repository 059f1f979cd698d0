import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface RunningService {
  /** Of /livez, /readyz and /metrics, on 127.0.0.1. */
  readonly httpPort: number;
  /** Rejects when it ends before it was told to; never resolves. */
  readonly failed: Promise<never>;
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const KEPT_LINES = 12;
const READY_POLL_MS = 50;
const START_TIMEOUT_MS = 60_000;
/** After which a service that does not stop is ended by force. */
const STOP_TIMEOUT_MS = 10_000;

/**
 * Starts `completion-bus serve` in a process of its own and waits until /readyz says that it takes requests.
 *
 * @param onStarted called with what stops it as soon as it runs
 * @throws with its last log lines when it ends or is not ready in time
 */
export async function startService(
  env: Readonly<Record<string, string | undefined>>,
  onStarted: (stop: () => Promise<void>) => void,
): Promise<RunningService> {
  // A group of its own: a terminal's Ctrl-C goes to the quickstart alone, which stops the service in order.
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
    throw withLog(`the service ended unexpectedly (${how})`);
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
    throw withLog(`the service was not ready after ${START_TIMEOUT_MS / 1000} s`);
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
