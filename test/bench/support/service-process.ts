import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** The service as in production: `serve` in a separate process. */
export interface ServiceProcess {
  readonly pid: number;
  /** The text of /metrics. */
  metrics(): Promise<string>;
  /** SIGTERM, and waits for its end. */
  stop(): Promise<void>;
  kill(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const READY_TIMEOUT_MS = 60_000;

/**
 * Starts it and waits until it has its partitions.
 *
 * @param nodeOptions before the script, such as `--cpu-prof`
 * @throws with what it logged last when it ends before, or takes longer than `readyTimeoutMs`, by default a minute
 */
export async function startServiceProcess(
  env: Readonly<Record<string, string>>,
  nodeOptions: readonly string[] = [],
  readyTimeoutMs = READY_TIMEOUT_MS,
): Promise<ServiceProcess> {
  const port = await freePort();
  const flags = ['--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, ...nodeOptions, MAIN, 'serve'], {
    env: { ...process.env, NODE_ENV: 'production', ...env, HTTP_PORT: String(port), LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-20_000);
    });
  }
  const exited = once(child, 'exit');
  const endWithParent = () => child.kill('SIGKILL');
  process.once('exit', endWithParent);
  void exited.then(() => process.off('exit', endWithParent));
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
    // Warnings under load are part of the result.
    if (log.length > 0) process.stderr.write(`the service logged:\n${log.slice(-2_000)}\n`);
  };

  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + readyTimeoutMs;
  while (!(await isReady(url))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`the service did not get ready:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    pid: child.pid ?? 0,
    metrics: async () => (await fetch(`${url}/metrics`)).text(),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

async function isReady(url: string): Promise<boolean> {
  const response = await fetch(`${url}/readyz`).catch(() => null);
  await response?.arrayBuffer();
  return response?.ok ?? false;
}

/** The log has no port at this level, so it is chosen here. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
