import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { GenericContainer } from 'testcontainers';
import { childRunner } from './child-runner.ts';
import { containerRunner } from './container-runner.ts';
import { fetchMongod } from './downloads.ts';
import { awaitPrimary, mongodbUrl, mongodCommand, prepareMongoNode, REPLICA_SET } from './mongo-node.ts';
import { freePort } from './ports.ts';
import { missingForContainers, missingForMongoProcess, neitherWayMessage } from './requirements.ts';
import type { ServerRunner } from './server-runner.ts';

const ANSWER_TIMEOUT_MS = 60_000;

export interface MongoServer {
  readonly port: number;
  readonly url: string;
  /** SIGTERM: a clean end; resolves when it is gone. */
  stop(): Promise<void>;
  /** SIGKILL: resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again with its data; resolves when it is primary. */
  start(): Promise<void>;
  /** Ends it at once. The data folder stays. */
  close(): Promise<void>;
}

/** Starts a MongoDB replica set of one for a test, as a child process or, where it cannot run here, as a container. */
export async function startMongo(options: { directory: string; port?: number }): Promise<MongoServer> {
  const port = options.port ?? (await freePort());
  await mkdir(options.directory, { recursive: true });
  const runner = await planServer(options.directory, port);
  const start = async () => {
    await runner.start();
    await awaitPrimary(port, {
      what: `MongoDB on port ${port} (see ${options.directory})`,
      timeoutMs: ANSWER_TIMEOUT_MS,
      check: async () => {
        if (!(await runner.isRunning()))
          throw new Error(`MongoDB on port ${port} ended (see ${options.directory})`);
      },
    });
  };
  try {
    await start();
  } catch (error) {
    await runner.close();
    throw error;
  }
  return {
    port,
    url: mongodbUrl(port),
    stop: () => runner.end('SIGTERM'),
    kill: () => runner.end('SIGKILL'),
    start,
    close: () => runner.close(),
  };
}

async function planServer(directory: string, port: number): Promise<ServerRunner> {
  const missingProcesses = await missingForMongoProcess();
  if (missingProcesses.length === 0) {
    const node = { directory, port };
    const mongod = await fetchMongod((line) => console.error(line));
    await prepareMongoNode(node);
    return childRunner(mongod, mongodCommand(node).args, join(directory, 'mongodb.log'));
  }
  const missingContainers = await missingForContainers();
  if (missingContainers.length > 0) throw new Error(neitherWayMessage(missingContainers, missingProcesses));
  return containerRunner(
    new GenericContainer('mongo:8')
      .withExposedPorts({ container: port, host: port })
      .withCommand([
        'mongod',
        `--replSet=${REPLICA_SET}`,
        '--bind_ip_all',
        `--port=${port}`,
        '--oplogSize=64',
      ]),
  );
}
