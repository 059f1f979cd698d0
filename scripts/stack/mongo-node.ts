import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MongoServerError } from 'mongodb';
import { mongoAnswers, type Wait, waitUntil, withMongo } from './answers.ts';

export const REPLICA_SET = 'rs0';

const ALREADY_INITIALIZED = 23;
const NOT_YET_INITIALIZED = 94;

export interface MongoNode {
  directory: string;
  port: number;
}

/** The arguments of `mongod`: a replica set member with small caches that removes expired documents every second. */
export function mongodCommand(node: MongoNode): { args: string[]; marker: string } {
  const data = mongoDataDirectory(node.directory);
  return {
    args: [
      ...['--dbpath', data, '--port', String(node.port), '--bind_ip', '127.0.0.1', '--nounixsocket'],
      ...['--replSet', REPLICA_SET, '--oplogSize', '64', '--wiredTigerCacheSizeGB', '0.25'],
      ...['--wiredTigerEngineConfigString', 'log=(prealloc=false,file_max=10MB)'],
      ...['--setParameter', 'ttlMonitorSleepSecs=1', '--setParameter', 'enableTestCommands=1'],
      ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
    ],
    marker: `--dbpath ${data} --port`,
  };
}

export async function prepareMongoNode(node: MongoNode): Promise<void> {
  await mkdir(mongoDataDirectory(node.directory), { recursive: true });
}

/** The address for clients. */
export function mongodbUrl(port: number): string {
  return `mongodb://127.0.0.1:${port}/?replicaSet=${REPLICA_SET}`;
}

/** Makes the running server the primary of a single-member replica set, whatever its earlier port, and waits until it is. */
export async function awaitPrimary(port: number, wait: Wait): Promise<void> {
  const probe = async () => {
    await ensureReplicaSet(port).catch(() => undefined);
    return mongoAnswers(port);
  };
  await waitUntil(probe, wait);
}

/** Whether the server on this port uses the data in `directory`, so that it is not another program's server. */
export async function isMongoOf(node: MongoNode): Promise<boolean> {
  try {
    const options = await withMongo(node.port, (client) => client.db('admin').command({ getCmdLineOpts: 1 }));
    return options['parsed']?.storage?.dbPath === mongoDataDirectory(node.directory);
  } catch {
    return false;
  }
}

async function ensureReplicaSet(port: number): Promise<void> {
  const host = `127.0.0.1:${port}`;
  await withMongo(port, async (client) => {
    const admin = client.db('admin');
    try {
      const { config } = await admin.command({ replSetGetConfig: 1 });
      if (config.members[0].host === host) return;
      const moved = { ...config, version: config.version + 1, members: [{ ...config.members[0], host }] };
      await admin.command({ replSetReconfig: moved, force: true });
    } catch (error) {
      if (!(error instanceof MongoServerError) || error.code !== NOT_YET_INITIALIZED) throw error;
      await admin
        .command({ replSetInitiate: { _id: REPLICA_SET, members: [{ _id: 0, host }] } })
        .catch((refused: unknown) => {
          if (!(refused instanceof MongoServerError) || refused.code !== ALREADY_INITIALIZED) throw refused;
        });
    }
  });
}

function mongoDataDirectory(directory: string): string {
  return join(directory, 'data');
}
