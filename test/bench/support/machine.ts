import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { MongoClient } from 'mongodb';
import { KAFKA_VERSION } from '../../../scripts/stack/downloads.ts';

const run = promisify(execFile);

/** What a result cannot be compared without. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly kafka: string;
  readonly mongod: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly commit: string | null;
  /** Others' load before the run: with more than a few tenths the figures are not worth much. */
  readonly loadBefore: number;
}

export async function describeMachine(mongodbUrl: string): Promise<Machine> {
  const packages = ['kafkajs', 'openai', 'undici', 'mongodb', 'avsc'];
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round((totalmem() / 1024 ** 3) * 10) / 10,
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    kafka: KAFKA_VERSION,
    mongod: await mongodVersion(mongodbUrl),
    packages: Object.fromEntries(
      await Promise.all(packages.map(async (name) => [name, await versionOf(name)] as const)),
    ),
    commit: await run('git', ['rev-parse', '--short', 'HEAD']).then(
      ({ stdout }) => stdout.trim(),
      () => null,
    ),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

async function mongodVersion(url: string): Promise<string> {
  const client = await MongoClient.connect(url);
  const { version } = await client.db('admin').command({ buildInfo: 1 });
  await client.close();
  return String(version);
}

async function versionOf(name: string): Promise<string> {
  const file = new URL(`../../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}
