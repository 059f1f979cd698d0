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

/** Runs `work` while no other command works on the same stack. Takes over a lock whose holder died. */
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
  let reported = false;
  for (;;) {
    if (await createWhole(file, own)) {
      // Another command may have read the stale file just before, and removed this one in its place.
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
    if (!reported) onProgress(`Waiting for another command that uses this stack (process ${holder.pid}) …`);
    reported = true;
    await delay(RETRY_MS);
  }
}

/** Creates the file with its content atomically, unless it exists. A holder that dies never leaves half a file. */
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

/** Undefined when the file is missing. */
async function readHolder(file: string): Promise<Holder | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}
