import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commandLineOf } from '../../../scripts/stack/processes.ts';
import { withStackLock } from '../../../scripts/stack/stack-lock.ts';

describe('the lock of a stack', () => {
  let directory: string;
  const quiet = () => undefined;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'completion-bus-lock-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('admits one command at a time, and reports to the others which process holds the lock', async () => {
    const events: string[] = [];
    const messages: string[] = [];
    const work = (name: string) => async () => {
      events.push(`${name} in`);
      await new Promise(setImmediate);
      events.push(`${name} out`);
    };
    await Promise.all([
      withStackLock(directory, (line) => messages.push(line), work('a')),
      withStackLock(directory, (line) => messages.push(line), work('b')),
    ]);
    expect(events).toHaveLength(4);
    expect(events[0]?.[0]).toBe(events[1]?.[0]);
    expect(messages).toEqual([expect.stringContaining(`process ${process.pid}`)]);
  });

  it('is released when the work fails', async () => {
    const failing = withStackLock(directory, quiet, () => Promise.reject(new Error('no disk')));
    await expect(failing).rejects.toThrow('no disk');
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([
    ['ended', 2 ** 22 + 1, 'node scripts/stack.ts up'],
    ['ended, its number now being another program’s', process.ppid, 'node scripts/stack.ts up'],
    ['ended, its number now being ours', process.pid, undefined],
  ])('is taken over from a command that %s', async (_, pid, commandLine) => {
    const holder = {
      pid,
      commandLine: commandLine ?? (await commandLineOf(process.pid)),
      token: 'left behind',
    };
    await writeFile(join(directory, 'lock'), JSON.stringify(holder));
    expect(await withStackLock(directory, quiet, async () => 'in')).toBe('in');
  });
});
