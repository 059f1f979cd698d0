import { execFile, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * A process that outlives the command that started it. `marker` is a piece of its command line that names a file of
 * ours, so that a process which merely got the same number later is never taken for it.
 */
export interface ProcessRecord {
  pid: number;
  marker: string;
}

/** The whole command line of a living process, or undefined when there is none (a zombie has none either). */
export async function commandLineOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return raw === '' ? undefined : raw.replaceAll('\0', ' ').trim();
  }
  const listed = await run('ps', ['-ww', '-p', String(pid), '-o', 'command=']).catch(() => undefined);
  return listed?.stdout.trim() || undefined;
}

/** Whether the recorded process is alive and verifiably the one that was started. */
export async function isRunning(record: ProcessRecord | undefined): Promise<boolean> {
  if (record === undefined) return false;
  return (await commandLineOf(record.pid))?.includes(record.marker) ?? false;
}

/** Starts a process in a session of its own, its output appended to `logFile`. Throws when the program cannot be run. */
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

/** SIGTERM, then SIGKILL after `patienceMs`; resolves when the process is gone. Does nothing to a process not ours. */
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
