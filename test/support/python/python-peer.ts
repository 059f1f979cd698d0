import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

export type PeerFraming = 'single-object' | 'confluent';

export interface ConsumedRecord {
  partition: number;
  offset: number;
  key: string | null;
  headers: Record<string, string>;
  /** Decimals as text, bytes as base64, timestamps as epoch milliseconds. */
  record: Record<string, unknown>;
}

export interface ConsumeOptions {
  bootstrap: string;
  topic: string;
  count: number;
  framing: PeerFraming;
  /** Path of an .avsc; needed for Confluent framing. */
  schema?: string;
}

export interface ProduceOptions {
  bootstrap: string;
  topic: string;
  key?: string;
  headers?: Record<string, string>;
  framing: PeerFraming;
  schema: string;
  schemaId?: number;
}

const root = fileURLToPath(new URL('../../../', import.meta.url));
const requirements = fileURLToPath(new URL('requirements.txt', import.meta.url));
const script = fileURLToPath(new URL('avro_peer.py', import.meta.url));

/** The path of a released record's current schema, for the peer's `--schema`. */
export function schemaPath(recordName: string): string {
  return `${root}schemas/${recordName}.avsc`;
}

/** Framed values as the peer reads them. */
export async function decodeWithPython(
  values: Buffer[],
  framing: PeerFraming,
  schema?: string,
): Promise<Record<string, unknown>[]> {
  const lines = values.map((value) => value.toString('base64'));
  const args = ['--framing', framing, ...option('--schema', schema)];
  const output = await runPeer('decode', args, lines);
  return output.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Records as the peer writes them: framed values. */
export async function encodeWithPython(
  records: unknown[],
  framing: PeerFraming,
  schema: string,
  schemaId = 1,
): Promise<Buffer[]> {
  const args = ['--framing', framing, '--schema', schema, '--schema-id', String(schemaId)];
  const lines = records.map((record) => JSON.stringify(record));
  return (await runPeer('encode', args, lines)).map((line) => Buffer.from(line, 'base64'));
}

/** The first `count` committed records of a topic; fails when they do not come within a minute. */
export async function consumeWithPython(options: ConsumeOptions): Promise<ConsumedRecord[]> {
  const { bootstrap, topic, count, framing, schema } = options;
  const args = ['--bootstrap', bootstrap, '--topic', topic, '--count', String(count), '--framing', framing];
  const output = await runPeer('consume', [...args, ...option('--schema', schema)], []);
  return output.map((line) => JSON.parse(line) as ConsumedRecord);
}

export async function produceWithPython(records: unknown[], options: ProduceOptions): Promise<void> {
  const { bootstrap, topic, key, headers = {}, framing, schema, schemaId = 1 } = options;
  const args = ['--bootstrap', bootstrap, '--topic', topic, '--framing', framing, '--schema', schema];
  const headerArgs = Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}=${value}`]);
  await runPeer(
    'produce',
    [...args, '--schema-id', String(schemaId), ...option('--key', key), ...headerArgs],
    records.map((record) => JSON.stringify(record)),
  );
}

/** Installs the peer's Python packages under `.stack/python`, once for each version of requirements.txt. */
export async function ensurePython(): Promise<string> {
  const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const home = `${root}.stack/python/${version}`;
  const python = `${home}/bin/python`;
  if (existsSync(python)) return python;
  // Built aside and moved into place whole: test workers may get here at the same time, and any may be stopped half-way.
  const building = `${home}.${process.pid}`;
  await mkdir(`${root}.stack/python`, { recursive: true });
  try {
    await run('python3', ['-m', 'venv', building]);
    await run(`${building}/bin/python`, ['-m', 'pip', 'install', '--quiet', '--requirement', requirements]);
  } catch (cause) {
    await rm(building, { recursive: true, force: true });
    throw new Error('The Python peer needs python3 (3.9 or newer) with venv and pip, and a package index.', {
      cause,
    });
  }
  await rename(building, home).catch(async (error: unknown) => {
    if (!existsSync(python)) throw error;
    await rm(building, { recursive: true, force: true });
  });
  return python;
}

async function runPeer(command: string, args: string[], lines: string[]): Promise<string[]> {
  const python = await ensurePython();
  const input = lines.map((line) => `${line}\n`).join('');
  const output = await run(python, [script, command, ...args], input);
  return output.split('\n').filter(Boolean);
}

async function run(command: string, args: string[], input = ''): Promise<string> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // A command that fails early closes its input; its exit code and stderr say more than EPIPE.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code, stdout, stderr] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${code}:\n${stderr}`);
  return stdout;
}

function option(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [name, value];
}
