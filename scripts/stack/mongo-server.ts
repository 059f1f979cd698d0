import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Document } from 'mongodb';
import { GenericContainer } from 'testcontainers';
import { mongoAnswers, waitUntil, withMongo } from './answers.ts';
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
  /** Sends SIGTERM for a clean shutdown. Resolves when the server has exited. */
  stop(): Promise<void>;
  /** Sends SIGKILL. Resolves when the server has exited. */
  kill(): Promise<void>;
  /** Restarts the server with its data. Resolves when it is primary. */
  start(): Promise<void>;
  /** Kills the server. The data folder stays. */
  close(): Promise<void>;
}

/** Starts a single-member MongoDB replica set for a test, as a child process or, if that is not possible, as a container. */
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

export interface MongoSetMember {
  readonly port: number;
  /** SIGKILL: resolves when it is gone. */
  kill(): Promise<void>;
  /** Restarts the member with its data. Resolves when it answers. */
  start(): Promise<void>;
}

export interface MongoSet {
  readonly url: string;
  readonly members: readonly MongoSetMember[];
  /** Waits for the member that accepts writes. */
  primary(): Promise<MongoSetMember>;
  /** Makes the primary step down. No member stands for election for the given time. */
  withoutPrimary(seconds: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts a three-member MongoDB replica set for a test, as child processes.
 *
 * @throws when MongoDB cannot run as local processes
 */
export async function startMongoSet(directory: string): Promise<MongoSet> {
  const missing = await missingForMongoProcess();
  if (missing.length > 0)
    throw new Error(`A replica set of three needs MongoDB as processes, but ${missing.join('; ')}`);
  const mongod = await fetchMongod((line) => console.error(line));
  const ports = [await freePort(), await freePort(), await freePort()];
  const runners: ServerRunner[] = [];
  for (const [index, port] of ports.entries()) {
    const node = { directory: join(directory, `member-${index}`), port };
    await prepareMongoNode(node);
    runners.push(childRunner(mongod, mongodCommand(node).args, join(node.directory, 'mongodb.log')));
  }
  const close = async () => {
    await Promise.all(runners.map((runner) => runner.close()));
  };
  const until = (probe: () => Promise<boolean>) =>
    waitUntil(probe, { what: `a replica set in ${directory}`, timeoutMs: ANSWER_TIMEOUT_MS });
  const answers = (port: number) =>
    withMongo(port, (client) => client.db('admin').command({ ping: 1 })).then(
      () => true,
      () => false,
    );
  const members = runners.map((runner, index): MongoSetMember => {
    const port = ports[index] ?? 0;
    return {
      port,
      kill: () => runner.end('SIGKILL'),
      start: async () => {
        await runner.start();
        await until(() => answers(port));
      },
    };
  });
  const primary = async (): Promise<MongoSetMember> => {
    let found: MongoSetMember | undefined;
    await until(async () => {
      for (const member of members) if (await mongoAnswers(member.port)) found = member;
      return found !== undefined;
    });
    if (found === undefined) throw new Error(`the replica set in ${directory} has no primary`);
    return found;
  };
  const command = (port: number, document: Document) =>
    withMongo(port, (client) => client.db('admin').command(document));
  try {
    await Promise.all(members.map((member) => member.start()));
    const hosts = ports.map((port, _id) => ({ _id, host: `127.0.0.1:${port}` }));
    await command(ports[0] ?? 0, { replSetInitiate: { _id: REPLICA_SET, members: hosts } });
    await primary();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url: `mongodb://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/?replicaSet=${REPLICA_SET}`,
    members,
    primary,
    withoutPrimary: async (seconds) => {
      const { port } = await primary();
      for (const other of ports) if (other !== port) await command(other, { replSetFreeze: seconds });
      await command(port, { replSetStepDown: seconds, force: true });
    },
    close,
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
