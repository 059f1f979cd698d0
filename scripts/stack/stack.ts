import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { kafkaAnswers, mongoAnswers } from './answers.ts';
import { containersDown, containersUp, ImagesUnavailableError, runningServices } from './container-stack.ts';
import { isMongoOf, mongodbUrl } from './mongo-node.ts';
import { explicitPort, type PortWish } from './ports.ts';
import { processesDown, processesUp } from './process-stack.ts';
import { isRunning } from './processes.ts';
import type { OnProgress } from './progress.ts';
import {
  missingForContainers,
  missingForKafkaProcess,
  missingForMongoProcess,
  neitherWayMessage,
} from './requirements.ts';
import { stackDirectory } from './stack-directory.ts';
import { withStackLock } from './stack-lock.ts';
import { readState, removeState, type StackState } from './stack-state.ts';

export interface StackAddresses {
  kafkaBrokers: string[];
  mongodbUrl: string;
}

export interface ServerStatus {
  name: 'Kafka' | 'MongoDB';
  /** `silent`: the server runs but does not answer a client. */
  state: 'running' | 'silent' | 'stopped';
  /** host:port, or undefined if the server never ran. */
  address: string | undefined;
  /** Process id of a local process. Undefined for a container, and when stopped. */
  pid: number | undefined;
}

/** Returns the stack's addresses and starts the stack first if it is down. Reports progress on standard error. */
export async function ensureStack(): Promise<StackAddresses> {
  return stackUp({ onProgress: (line) => console.error(line) });
}

/**
 * Starts Kafka and MongoDB in containers if there is a Docker engine, otherwise as local processes. Waits until both
 * answer a client. Leaves a server that already runs and answers alone.
 * @throws Error that says what to do: neither way works, a requested port is taken, or a server does not start.
 */
export async function stackUp(options: { onProgress: OnProgress }): Promise<StackAddresses> {
  const directory = stackDirectory();
  const { onProgress } = options;
  return withStackLock(directory, onProgress, async () => {
    const state = await readState(directory);
    const wishes = portWishes(state);
    await refuseMovedPorts(directory, state, wishes);
    // 1. Keep servers that already run as local processes.
    if (state.mode === 'processes' && ((await isRunning(state.kafka)) || (await isRunning(state.mongodb)))) {
      await processesUp(directory, wishes, onProgress);
      return addressesOf(await readState(directory));
    }
    // 2. Use containers if they are available.
    let missingContainers = await missingForContainers();
    if (missingContainers.length === 0) {
      try {
        await containersUp(directory, wishes, onProgress);
        return addressesOf(await readState(directory));
      } catch (error) {
        if (!(error instanceof ImagesUnavailableError)) throw error;
        onProgress(error.message);
        missingContainers = [error.message];
      }
    }
    // 3. Use local processes.
    const missingProcesses = [...(await missingForKafkaProcess()), ...(await missingForMongoProcess())];
    if (missingProcesses.length > 0) throw new Error(neitherWayMessage(missingContainers, missingProcesses));
    await processesUp(directory, wishes, onProgress);
    return addressesOf(await readState(directory));
  });
}

/** Stops both servers and waits until they have exited. With `purge`, also removes their data, logs and remembered ports. */
export async function stackDown(options: { onProgress: OnProgress; purge?: boolean }): Promise<void> {
  const directory = stackDirectory();
  const purge = options.purge ?? false;
  await withStackLock(directory, options.onProgress, async () => {
    const state = await readState(directory);
    if (state.mode === 'containers') await containersDown(directory, purge);
    await processesDown(directory);
    if (!purge) return;
    for (const part of ['kafka', 'mongodb', 'logs']) {
      await rm(join(directory, part), { recursive: true, force: true });
    }
    await removeState(directory);
  });
}

/** Returns which servers run and answer now. Starts nothing and does not wait. */
export async function stackStatus(): Promise<ServerStatus[]> {
  const directory = stackDirectory();
  const { mode, clusterId, kafka, kafkaPort, mongodb, mongodbPort } = await readState(directory);
  const inContainers = mode === 'containers' ? await runningServices(directory) : new Set<string>();
  const kafkaRuns = inContainers.has('kafka') || (await isRunning(kafka));
  const mongodbRuns = inContainers.has('mongodb') || (await isRunning(mongodb));
  const kafkaAddress = kafkaPort === undefined ? undefined : `127.0.0.1:${kafkaPort}`;
  const kafkaOk =
    kafkaRuns && kafkaAddress !== undefined && (await kafkaAnswers([kafkaAddress], clusterId ?? '', [1]));
  const mongodbOk =
    mongodbRuns &&
    mongodbPort !== undefined &&
    (await mongoAnswers(mongodbPort)) &&
    (mode === 'containers' ||
      (await isMongoOf({ directory: join(directory, 'mongodb'), port: mongodbPort })));
  const word = (runs: boolean, answers: boolean) => (answers ? 'running' : runs ? 'silent' : 'stopped');
  return [
    {
      name: 'Kafka',
      state: word(kafkaRuns, kafkaOk),
      address: kafkaAddress,
      pid: kafkaRuns ? kafka?.pid : undefined,
    },
    {
      name: 'MongoDB',
      state: word(mongodbRuns, mongodbOk),
      address: mongodbPort === undefined ? undefined : `127.0.0.1:${mongodbPort}`,
      pid: mongodbRuns ? mongodb?.pid : undefined,
    },
  ];
}

/** Returns the addresses of the running stack. Throws when it is not up. */
export async function stackAddresses(): Promise<StackAddresses> {
  const servers = await stackStatus();
  const down = servers.filter((server) => server.state !== 'running').map((server) => server.name);
  if (down.length > 0) {
    throw new Error(`The stack is not up (${down.join(' and ')}). Start it with "npm run stack -- up".`);
  }
  return addressesOf(await readState(stackDirectory()));
}

function addressesOf(state: StackState): StackAddresses {
  if (state.kafkaPort === undefined || state.mongodbPort === undefined)
    throw new Error('the stack has no ports yet');
  return { kafkaBrokers: [`127.0.0.1:${state.kafkaPort}`], mongodbUrl: mongodbUrl(state.mongodbPort) };
}

function portWishes(state: StackState): { kafka: PortWish; mongodb: PortWish } {
  return {
    kafka: {
      service: 'Kafka',
      variable: 'STACK_KAFKA_PORT',
      explicit: process.env['STACK_KAFKA_PORT'],
      remembered: state.kafkaPort,
      standard: 9092,
    },
    mongodb: {
      service: 'MongoDB',
      variable: 'STACK_MONGODB_PORT',
      explicit: process.env['STACK_MONGODB_PORT'],
      remembered: state.mongodbPort,
      standard: 27017,
    },
  };
}

/** A running server keeps its port, because its clients know it. To change the port, stop the server first. */
async function refuseMovedPorts(
  directory: string,
  state: StackState,
  wishes: { kafka: PortWish; mongodb: PortWish },
): Promise<void> {
  const services = state.mode === 'containers' ? await runningServices(directory) : new Set<string>();
  const running = [
    (await isRunning(state.kafka)) || services.has('kafka') ? wishes.kafka : undefined,
    (await isRunning(state.mongodb)) || services.has('mongodb') ? wishes.mongodb : undefined,
  ];
  for (const wish of running) {
    const asked = wish && explicitPort(wish.variable, wish.explicit);
    if (wish === undefined || asked === undefined || asked === wish.remembered) continue;
    throw new Error(
      `${wish.variable}=${asked}, but ${wish.service} of this stack runs on port ${wish.remembered}. ` +
        'To change the port, run "npm run stack -- down" first. To keep it, unset the variable.',
    );
  }
}
