import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { commandLineOf } from './processes.ts';
import type { OnProgress } from './progress.ts';

const RETRY_MS = 200;
const SETTLE_MS = 50;

interface Holder {
  pid: number;
  commandLine: string;
  token: string;
}

const heldHere = new Set<string>();

/** Runs `work` while no other command works on the same stack; a lock whose holder died is taken over. */
export async function withStackLock<T>(
  directory: string,
  onProgress: OnProgress,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, 'lock');
  const token = randomUUID();
  heldHere.add(token);
  try {
    await acquire(file, token, onProgress);
    try {
      return await work();
    } finally {
      await rm(file, { force: true });
    }
  } finally {
    heldHere.delete(token);
  }
}

async function acquire(file: string, token: string, onProgress: OnProgress): Promise<void> {
  const own: Holder = { pid: process.pid, commandLine: (await commandLineOf(process.pid)) ?? '', token };
  let told = false;
  for (;;) {
    if (await createWhole(file, own)) {
      // Another taker may have removed this file for the stale one that it had read just before.
      await delay(SETTLE_MS);
      if ((await readHolder(file))?.token === token) return;
      continue;
    }
    const holder = await readHolder(file);
    if (holder === undefined) continue;
    if (!(await isHolding(holder))) {
      await rm(file, { force: true });
      continue;
    }
    if (!told) onProgress(`Waiting for another command that works on this stack (process ${holder.pid}) …`);
    told = true;
    await delay(RETRY_MS);
  }
}

/** Creates the file with its content in one step, unless it exists: a holder that dies never leaves half a file. */
async function createWhole(file: string, holder: Holder): Promise<boolean> {
  const draft = `${file}.${holder.token}`;
  await writeFile(draft, JSON.stringify(holder));
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function isHolding(holder: Holder): Promise<boolean> {
  if (holder.pid === process.pid) return heldHere.has(holder.token);
  return (await commandLineOf(holder.pid)) === holder.commandLine;
}

/** Undefined when the file is gone. */
async function readHolder(file: string): Promise<Holder | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}
