import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** Runs a server until it says that it listens. It ends with this process. */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly listens: RegExp },
): Promise<{ close(): Promise<void> }> {
  const env = { ...process.env, ...options.env };
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  await untilItSays(child, options.listens);
  return {
    close: async () => {
      process.off('exit', kill);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function untilItSays(child: ChildProcess, words: RegExp): Promise<void> {
  const said: string[] = [];
  const listens = Promise.withResolvers<void>();
  for (const output of [child.stdout, child.stderr] as Readable[]) {
    createInterface({ input: output }).on('line', (line) => {
      said.push(line);
      if (words.test(line)) listens.resolve();
    });
  }
  child.once('error', listens.reject);
  child.once('exit', (code) =>
    listens.reject(new Error(`the server ended with ${code}:\n${said.join('\n')}`)),
  );
  await listens.promise;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
