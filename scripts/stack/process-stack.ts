import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { kafkaAnswers, type Wait, waitUntil } from './answers.ts';
import { fetchKafkaJars, fetchMongod } from './downloads.ts';
import { type KafkaNode, kafkaCommand, newClusterId, prepareKafkaNode } from './kafka-node.ts';
import { awaitPrimary, isMongoOf, type MongoNode, mongodCommand, prepareMongoNode } from './mongo-node.ts';
import { choosePort, freePort, isPortFree, type PortWish } from './ports.ts';
import { isRunning, type ProcessRecord, startDetached, stopProcess } from './processes.ts';
import { type OnProgress, withProgress } from './progress.ts';
import { readState, type StackState, writeState } from './stack-state.ts';

const START_TIMEOUT_MS = 90_000;
const START_ATTEMPTS = 3;
const HEAP_MEGABYTES = 640;

/** Starts both servers as local processes. Leaves a server that runs and answers alone. The caller must hold the lock. */
export async function processesUp(
  directory: string,
  wishes: { kafka: PortWish; mongodb: PortWish },
  onProgress: OnProgress,
): Promise<void> {
  const remember = stateWriter(directory);
  const results = await Promise.allSettled([
    kafkaUp(directory, wishes.kafka, remember, onProgress),
    mongoUp(directory, wishes.mongodb, remember, onProgress),
  ]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Stops both servers, but no process that is not verifiably ours. The caller must hold the lock. */
export async function processesDown(directory: string): Promise<void> {
  const state = await readState(directory);
  await Promise.all([stopProcess(state.kafka), stopProcess(state.mongodb)]);
  const { kafka: _kafka, mongodb: _mongodb, ...rest } = state;
  await writeState(directory, rest);
}

type Remember = (change: (state: StackState) => StackState) => Promise<void>;

/** Serializes writes to the state, because the two servers start concurrently. */
function stateWriter(directory: string): Remember {
  let last: Promise<void> = Promise.resolve();
  return (change) => {
    last = last.then(async () => writeState(directory, change(await readState(directory))));
    return last;
  };
}

async function kafkaUp(
  directory: string,
  wish: PortWish,
  remember: Remember,
  onProgress: OnProgress,
): Promise<void> {
  const state = await readState(directory);
  if ((await isRunning(state.kafka)) && state.kafkaPort !== undefined && state.clusterId !== undefined) {
    const { kafkaPort, clusterId } = state;
    if (await answersWithin10s(() => kafkaAnswers([`127.0.0.1:${kafkaPort}`], clusterId, [1]))) return;
    onProgress(`Kafka (process ${state.kafka?.pid}) runs but does not answer. Restarting it.`);
  }
  await stopProcess(state.kafka);
  const jars = await fetchKafkaJars(onProgress);
  await startOnFreePort(wish, (port) =>
    withProgress(onProgress, `Starting Kafka on 127.0.0.1:${port}`, async () => {
      const node: KafkaNode = {
        id: 1,
        directory: join(directory, 'kafka'),
        port,
        voters: [{ id: 1, controllerPort: await freePort() }],
        heapMegabytes: HEAP_MEGABYTES,
      };
      const clusterId = await prepareKafkaNode(node, jars, newClusterId());
      const { args, marker } = kafkaCommand(node, jars);
      const log = join(directory, 'logs', 'kafka.log');
      const record = await startDetached('java', args, log, marker);
      await remember((now) => ({ ...now, mode: 'processes', kafka: record, kafkaPort: port, clusterId }));
      await waitUntil(
        () => kafkaAnswers([`127.0.0.1:${port}`], clusterId, [1]),
        patience('Kafka', record, log),
      );
    }),
  );
}

async function mongoUp(
  directory: string,
  wish: PortWish,
  remember: Remember,
  onProgress: OnProgress,
): Promise<void> {
  const state = await readState(directory);
  const log = join(directory, 'logs', 'mongodb.log');
  if ((await isRunning(state.mongodb)) && state.mongodbPort !== undefined) {
    const node = { directory: join(directory, 'mongodb'), port: state.mongodbPort };
    if (await answersWithin10s(() => isMongoOf(node))) {
      return awaitPrimary(node.port, patience('MongoDB', state.mongodb, log));
    }
    onProgress(`MongoDB (process ${state.mongodb?.pid}) runs but does not answer. Restarting it.`);
  }
  await stopProcess(state.mongodb);
  const mongod = await fetchMongod(onProgress);
  await startOnFreePort(wish, (port) =>
    withProgress(onProgress, `Starting MongoDB on 127.0.0.1:${port}`, async () => {
      const node: MongoNode = { directory: join(directory, 'mongodb'), port };
      await prepareMongoNode(node);
      const { args, marker } = mongodCommand(node);
      const record = await startDetached(mongod, args, log, marker);
      await remember((now) => ({ ...now, mode: 'processes', mongodb: record, mongodbPort: port }));
      const wait = patience('MongoDB', record, log);
      await waitUntil(() => isMongoOf(node), wait);
      await awaitPrimary(port, wait);
    }),
  );
}

/** If another program takes the port before the server starts, chooses another port and tries again. */
async function startOnFreePort(wish: PortWish, start: (port: number) => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const port = await choosePort(wish);
    try {
      return await start(port);
    } catch (error) {
      const lostPort = error instanceof ProcessEndedError && !(await isPortFree(port));
      if (!lostPort || attempt === START_ATTEMPTS) throw error;
    }
  }
}

async function answersWithin10s(probe: () => Promise<boolean>): Promise<boolean> {
  return waitUntil(probe, { what: 'the server', timeoutMs: 10_000 }).then(
    () => true,
    () => false,
  );
}

class ProcessEndedError extends Error {
  override name = 'ProcessEndedError';
}

function patience(what: string, record: ProcessRecord | undefined, log: string): Wait {
  return {
    what: `${what} (log: ${log})`,
    timeoutMs: START_TIMEOUT_MS,
    check: async () => {
      if (await isRunning(record)) return;
      throw new ProcessEndedError(`${what} exited while starting. The end of ${log}:\n${await tail(log)}`);
    },
  };
}

async function tail(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, 2_000);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8');
  } finally {
    await handle.close();
  }
}
