import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kafkaAnswers, type Wait, waitUntil } from './answers.ts';
import { awaitPrimary } from './mongo-node.ts';
import { choosePort, type PortWish } from './ports.ts';
import { type OnProgress, withProgress } from './progress.ts';
import { checkoutDirectory, composeProjectName } from './stack-directory.ts';
import { readState, writeState } from './stack-state.ts';

const run = promisify(execFile);

const START_TIMEOUT_MS = 120_000;

/** The images could not be pulled. Nothing was started. */
export class ImagesUnavailableError extends Error {
  override name = 'ImagesUnavailableError';
}

/**
 * Starts both servers as containers of `compose.yaml`. Leaves running containers alone. The caller must hold the lock.
 * @throws ImagesUnavailableError when the engine cannot get the images.
 */
export async function containersUp(
  directory: string,
  wishes: { kafka: PortWish; mongodb: PortWish },
  onProgress: OnProgress,
): Promise<void> {
  const state = await readState(directory);
  const running = state.mode === 'containers' ? await runningServices(directory) : new Set<string>();
  const kafkaPort =
    running.has('kafka') && state.kafkaPort !== undefined ? state.kafkaPort : await choosePort(wishes.kafka);
  const mongodbPort =
    running.has('mongodb') && state.mongodbPort !== undefined
      ? state.mongodbPort
      : await choosePort(wishes.mongodb);
  const clusterId = clusterIdFor(directory);
  if (running.size < 2) {
    await withProgress(onProgress, 'Pulling the Kafka and MongoDB images (first time only)', () =>
      compose(directory, ['pull', '--quiet', '--policy', 'missing']),
    ).catch((error: Error) => {
      throw new ImagesUnavailableError(`the engine cannot get the images: ${error.message}`);
    });
    await writeState(directory, { ...state, mode: 'containers', kafkaPort, mongodbPort, clusterId });
    await withProgress(
      onProgress,
      `Starting Kafka on 127.0.0.1:${kafkaPort}, MongoDB on ${mongodbPort}`,
      () => compose(directory, ['up', '--detach']),
    );
  }
  const logs = `docker compose -p ${composeProjectName(directory)} logs`;
  const patience = (what: string): Wait => ({ what: `${what} (see: ${logs})`, timeoutMs: START_TIMEOUT_MS });
  await waitUntil(() => kafkaAnswers([`127.0.0.1:${kafkaPort}`], clusterId, [1]), patience('Kafka'));
  await awaitPrimary(mongodbPort, patience('MongoDB'));
}

/** Removes the containers and their network, and with `purge` also their volumes. The caller must hold the lock. */
export async function containersDown(directory: string, purge: boolean): Promise<void> {
  await compose(directory, ['down', '--remove-orphans', ...(purge ? ['--volumes'] : [])]);
}

/** Returns the services of this stack (`kafka`, `mongodb`) whose containers run. */
export async function runningServices(directory: string): Promise<Set<string>> {
  const listed = await compose(directory, ['ps', '--services', '--status', 'running']);
  return new Set(listed.split('\n').filter((line) => line !== ''));
}

/** Derives the id from the directory, because the volumes outlive the state file. */
function clusterIdFor(directory: string): string {
  const digest = createHash('sha256').update(directory).digest().subarray(0, 16);
  return digest.toString('base64url').replace(/^-/, 'A');
}

async function compose(directory: string, args: string[]): Promise<string> {
  const state = await readState(directory);
  const file = join(checkoutDirectory, 'compose.yaml');
  const { stdout } = await run(
    'docker',
    ['compose', '-f', file, '-p', composeProjectName(directory), ...args],
    {
      env: {
        ...process.env,
        STACK_KAFKA_PORT: String(state.kafkaPort ?? 9092),
        STACK_MONGODB_PORT: String(state.mongodbPort ?? 27017),
        STACK_CLUSTER_ID: clusterIdFor(directory),
      },
    },
  );
  return stdout;
}
