import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { request, World } from '../support/world.ts';

const checkout = resolve(import.meta.dirname, '../..');

let world: World;

beforeEach(async () => {
  world = await World.create({ env: { LEASE_MS: '2000' } });
});
afterEach(() => world?.close());

/** A service started through other processes. They share its output, which ends when the last of them has exited. */
interface Chain {
  readonly first: ChildProcess;
  readonly log: string[];
  logged(text: string): Promise<void>;
  /** Neither the first process nor any of its children has the output open. */
  readonly over: Promise<unknown>;
}

function start(command: string, args: readonly string[]): Chain {
  const first = spawn(command, args, {
    cwd: checkout,
    env: { ...process.env, ...world.env, npm_config_update_notifier: 'false' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: string[] = [];
  const waiting: { text: string; resolve: () => void }[] = [];
  for (const stream of [first.stdout, first.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      log.push(line);
      for (const entry of waiting) if (line.includes(entry.text)) entry.resolve();
    });
  }
  const logged = (text: string) =>
    log.some((line) => line.includes(text))
      ? Promise.resolve()
      : new Promise<void>((done) => waiting.push({ text, resolve: done }));
  return { first, log, logged, over: once(first, 'close') };
}

it.each<[string, readonly string[], NodeJS.Signals]>([
  ['npm', ['run', '--silent', 'cli', '--', 'serve'], 'SIGTERM'],
  ['npm', ['run', '--silent', 'cli', '--', 'serve'], 'SIGINT'],
  [process.execPath, ['scripts/run.mjs', 'src/main.ts', 'serve'], 'SIGTERM'],
  [process.execPath, ['scripts/run.mjs', 'src/main.ts', 'serve'], 'SIGINT'],
])(
  '%s %j stops the service on %s, which finishes what runs, and leaves no process behind',
  async (command, args, signal) => {
    const chain = start(command, args);
    const history = await world.readHistory();
    await chain.logged('"msg":"started"');
    await world.publish([request('slow', { script: { tokens: 20, gapMs: 50, promptTokens: 10 } })]);
    await history.until(({ chunks }) => chunks.length > 0);

    chain.first.kill(signal);
    await chain.over;
    expect(chain.log.filter((line) => line.startsWith('{')).at(-1)).toContain('"msg":"stopped"');
    await history.untilAnswerTo('slow');
    expect(history.originals[0]).toMatchObject({ requestId: 'slow', status: 'COMPLETED' });
    expect(await world.standIn.calls()).toHaveLength(1);
  },
  40_000,
);
