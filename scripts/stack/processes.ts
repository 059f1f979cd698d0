import { execFile, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * A process that outlives the command that started it. `marker` is a part of its command line that names one of our
 * files. It distinguishes the process from another one that later gets the same process id.
 */
export interface ProcessRecord {
  pid: number;
  marker: string;
}

/** Returns the command line of a running process, or undefined if it does not run or is a zombie. */
export async function commandLineOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return raw === '' ? undefined : raw.replaceAll('\0', ' ').trim();
  }
  const listed = await run('ps', ['-ww', '-p', String(pid), '-o', 'command=']).catch(() => undefined);
  return listed?.stdout.trim() || undefined;
}

/** Whether the recorded process runs and is verifiably the one we started. */
export async function isRunning(record: ProcessRecord | undefined): Promise<boolean> {
  if (record === undefined) return false;
  return (await commandLineOf(record.pid))?.includes(record.marker) ?? false;
}

/** Starts a process in its own session and appends its output to `logFile`. Throws when the program cannot be run. */
export async function startDetached(
  command: string,
  args: string[],
  logFile: string,
  marker: string,
): Promise<ProcessRecord> {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  try {
    const child = spawn(command, args, { detached: true, stdio: ['ignore', log, log] });
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    child.unref();
    return { pid: child.pid ?? Number.NaN, marker };
  } finally {
    closeSync(log);
  }
}

/** Sends SIGTERM, then SIGKILL after `patienceMs`. Resolves when the process has exited. Does not touch a process that is not ours. */
export async function stopProcess(record: ProcessRecord | undefined, patienceMs = 20_000): Promise<void> {
  if (record === undefined) return;
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!(await isRunning(record))) return;
    process.kill(record.pid, signal);
    const giveUpAt = Date.now() + patienceMs;
    while ((await isRunning(record)) && Date.now() < giveUpAt) await delay(50);
  }
  if (await isRunning(record)) throw new Error(`process ${record.pid} (${record.marker}) survived SIGKILL`);
}
