import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { ServerRunner } from './server-runner.ts';

const STOP_PATIENCE_MS = 30_000;

/** Runs a server as a child process that never outlives this process. Its output is appended to `logFile`. */
export function childRunner(command: string, args: string[], logFile: string): ServerRunner {
  let child: ChildProcess | undefined;
  const isAlive = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  const killNow = () => child?.kill('SIGKILL');

  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child === undefined || !isAlive()) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    const impatience = setTimeout(killNow, STOP_PATIENCE_MS);
    await ended;
    clearTimeout(impatience);
    process.off('exit', killNow);
  };

  return {
    start: async () => {
      if (isAlive()) throw new Error(`${command} is already running (process ${child?.pid})`);
      const log = openSync(logFile, 'a');
      process.off('exit', killNow).on('exit', killNow);
      try {
        child = spawn(command, args, { stdio: ['ignore', log, log] });
        await once(child, 'spawn');
      } finally {
        closeSync(log);
      }
    },
    end,
    isRunning: async () => isAlive(),
    close: () => end('SIGKILL'),
  };
}
