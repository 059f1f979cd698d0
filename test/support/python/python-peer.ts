import { fileURLToPath } from 'node:url';
import { pythonHome, run } from './python-home.ts';

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

/** Installs the peer's Python packages. @returns its Python */
export async function ensurePython(): Promise<string> {
  return `${await pythonHome(requirements)}/bin/python`;
}

async function runPeer(command: string, args: string[], lines: string[]): Promise<string[]> {
  const python = await ensurePython();
  const input = lines.map((line) => `${line}\n`).join('');
  const output = await run(python, [script, command, ...args], input);
  return output.split('\n').filter(Boolean);
}

function option(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [name, value];
}
