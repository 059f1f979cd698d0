import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Plans } from './plans.ts';

/** A part of a measurement in a separate Node process. */
export interface Child {
  readonly pid: number;
  /** Sends a command and waits for its result. @throws when the process exits before it answers */
  ask<Answer>(command: string): Promise<Answer>;
  close(): Promise<void>;
}

/** Starts `children/<name>.ts` and waits until it is ready. @throws when it ends before */
export async function startChild<Name extends keyof Plans>(name: Name, plan: Plans[Name]): Promise<Child> {
  const file = fileURLToPath(new URL(`../children/${name}.ts`, import.meta.url));
  const child = fork(file, [JSON.stringify(plan)], {
    execArgv: ['--disable-warning=ExperimentalWarning', '--disable-warning=TimeoutNegativeWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const exited = once(child, 'exit');
  // The child may exit while nobody waits for it.
  exited.catch(() => undefined);
  const message = async () => {
    const ended = exited.then(([code]) => {
      throw new Error(`the benchmark's ${name} ended with ${code}; its own message is above`);
    });
    const [answer] = await Promise.race([once(child, 'message'), ended]);
    return answer as unknown;
  };
  await message();
  return {
    pid: child.pid ?? 0,
    ask: async <Answer>(command: string) => {
      const answer = message();
      child.send(command);
      return (await answer) as Answer;
    },
    close: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
