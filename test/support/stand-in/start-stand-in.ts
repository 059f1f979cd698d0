import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BillingBooks } from './billing.ts';
import type { Call, CallSummary } from './call-log.ts';
import type { ModelListing } from './models.ts';
import type { Limits } from './rate-limits.ts';
import type { Script } from './script.ts';

export interface StandInOptions {
  /** 0, the default: any free one. */
  port?: number;
  host?: string;
  /** For requests that bring no script of their own; a list has one script per call of the same request. */
  defaultScript?: Script | Script[];
  /** How many calls to remember at least, for long runs; all unless set. */
  maxCalls?: number;
}

/** A running stand-in, in a process of its own. */
export interface StandIn {
  /** The base URL for a client, ending in `/v1`. */
  readonly url: string;
  readonly pid: number;
  /** Every chat completion call since the start or the last reset, oldest first. */
  calls(): Promise<Call[]>;
  summary(): Promise<CallSummary>;
  /** Forgets calls, limits and positions in lists of scripts, and goes back to the first default script. */
  reset(): Promise<void>;
  setDefault(script: Script | Script[] | null): Promise<void>;
  /** Enforces limits from now on; null lifts them. */
  setLimits(limits: Limits | null): Promise<void>;
  /** What `GET /v1/models` answers from now on; null: as at the start. */
  setModels(listing: ModelListing | null): Promise<void>;
  /** How often it was asked for since the last reset. */
  modelListsAsked(): Promise<number>;
  /** What it says was used and billed, by day. */
  setBilling(books: BillingBooks): Promise<void>;
  /** Ends the process; open streams are cut. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Starts the stand-in as a child process that ends with this one, whatever way this one ends.
 *
 * @throws when the process ends before it listens (its own message is on stderr)
 */
export async function startStandIn(options: StandInOptions = {}): Promise<StandIn> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('main.ts', import.meta.url)), ...toArguments(options)],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const url = await readUrl(child);
  const controlUrl = url.replace(/v1$/, 'control');
  const send = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await fetch(`${controlUrl}/${path}`, init);
    if (!response.ok) throw new Error(`stand-in: ${method} /control/${path}: ${await response.text()}`);
    return response;
  };
  const tell = async (method: string, path: string, body?: unknown): Promise<void> => {
    await (await send(method, path, body)).arrayBuffer();
  };
  return {
    url,
    pid: child.pid ?? -1,
    calls: async () => (await (await send('GET', 'calls')).json()) as Call[],
    summary: async () => (await (await send('GET', 'summary')).json()) as CallSummary,
    reset: () => tell('POST', 'reset'),
    setDefault: (script) => tell('PUT', 'default', script),
    setLimits: (limits) => tell('PUT', 'limits', limits),
    setModels: (listing) => tell('PUT', 'models', listing),
    modelListsAsked: async () => ((await (await send('GET', 'models')).json()) as { asked: number }).asked,
    setBilling: (books) => tell('PUT', 'billing', books),
    close: () => stop(child),
  };
}

function toArguments(options: StandInOptions): string[] {
  const { port = 0, host = '127.0.0.1', defaultScript, maxCalls } = options;
  const args = ['--exit-with-parent', '--port', String(port), '--host', host];
  if (defaultScript !== undefined) args.push('--default', JSON.stringify(defaultScript));
  if (maxCalls !== undefined) args.push('--max-calls', String(maxCalls));
  return args;
}

async function readUrl(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('stand-in: started without a pipe for its output');
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'close').then(([code]) => {
    throw new Error(`stand-in: ended with ${code} before it listened; its own message is above`);
  });
  const [line] = await Promise.race([once(lines, 'line'), ended]);
  lines.close();
  child.stdout.resume();
  return (JSON.parse(String(line)) as { url: string }).url;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}
