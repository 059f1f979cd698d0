import { fileURLToPath } from 'node:url';
import type { Script } from './stand-in/script.ts';

/** Environment of a worker that a `killerScript` can kill. */
export function mortalEnv(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const hook = fileURLToPath(new URL('die-on-answer.mjs', import.meta.url));
  return { NODE_OPTIONS: `${env['NODE_OPTIONS'] ?? ''} --import=${hook}`.trim() };
}

/** An answer that kills the worker that reads it, after a while. */
export function killerScript(afterMs: number): Script {
  return { headersMs: afterMs, headers: { 'x-kill-caller': 'SIGKILL' }, tokens: 3, promptTokens: 10 };
}
