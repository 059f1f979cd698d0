import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A service in a separate process. */
export interface Worker {
  readonly pid: number;
  /** Known once it is ready. */
  readonly httpPort: number;
  /** Resolves when /readyz reports ready. Rejects with its log when it exits before. */
  readonly ready: Promise<void>;
  /** What it logged, newest last; bounded. */
  readonly log: readonly string[];
  /** Resolves when a log line contains the text, including an earlier one. */
  logged(text: string): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Sends SIGKILL and waits for the exit. */
  kill(): Promise<void>;
  /** Sends SIGTERM and waits for the exit. @returns the exit code */
  stop(): Promise<number | null>;
  /** Resolves with the exit code when it ends. */
  readonly exited: Promise<number | null>;
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const LOG_LINES = 2_000;
const READY = '"msg":"started"';
/** Complete logs, for analysing a failure. */
const LOG_DIRECTORY = fileURLToPath(new URL('../../.stack/logs/workers/', import.meta.url));

/** Starts `completion-bus serve` and does not wait for it. */
export function spawnWorker(env: Readonly<Record<string, string>>): Worker {
  const child = spawn(process.execPath, [MAIN, 'serve'], {
    env: { ...process.env, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  mkdirSync(LOG_DIRECTORY, { recursive: true });
  const file = createWriteStream(`${LOG_DIRECTORY}${env['KAFKA_GROUP_ID']}-${child.pid}.log`);
  void once(child, 'exit').then(() => file.end());
  const log: string[] = [];
  const waiting = new Set<{ text: string; resolve: () => void }>();
  const onLine = (line: string) => {
    log.push(line);
    file.write(`${line}\n`);
    if (log.length > LOG_LINES) log.shift();
    for (const entry of waiting) {
      if (!line.includes(entry.text)) continue;
      waiting.delete(entry);
      entry.resolve();
    }
  };
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine);
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const endWithParent = () => child.kill('SIGKILL');
  process.once('exit', endWithParent);
  void exited.then(() => process.off('exit', endWithParent));

  const logged = (text: string): Promise<void> => {
    if (log.some((line) => line.includes(text))) return Promise.resolve();
    return new Promise((resolve) => waiting.add({ text, resolve }));
  };
  const ended = exited.then((code) => {
    throw new Error(`the worker ended with ${code} before it was ready:\n${log.slice(-20).join('\n')}`);
  });
  let httpPort = 0;
  const ready = (async () => {
    await Promise.race([logged(READY), ended]);
    httpPort = portOf(log);
    await Promise.race([untilReady(httpPort), ended]);
  })();
  // Callers may wait for the exit, but need not.
  ready.catch(() => undefined);
  ended.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    get httpPort() {
      return httpPort;
    },
    ready,
    log,
    logged,
    exited,
    signal: (name) => child.kill(name),
    kill: () => end(child, 'SIGKILL', exited).then(() => undefined),
    stop: () => end(child, 'SIGTERM', exited),
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals, exited: Promise<number | null>) {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
  return exited;
}

function portOf(log: readonly string[]): number {
  const line = log.find((candidate) => candidate.includes(READY));
  return (JSON.parse(line ?? '{}') as { port: number }).port;
}

/** Polls until the worker is ready, which means that it has its partitions. */
async function untilReady(port: number): Promise<void> {
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    await response?.arrayBuffer();
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
