import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { GenericContainer, Network } from 'testcontainers';
import { kafkaAnswers, waitUntil } from './answers.ts';
import { childRunner } from './child-runner.ts';
import { containerRunner } from './container-runner.ts';
import { fetchKafkaJars, KAFKA_VERSION } from './downloads.ts';
import { type KafkaNode, kafkaCommand, newClusterId, prepareKafkaNode, trialSettings } from './kafka-node.ts';
import { freePort } from './ports.ts';
import { missingForContainers, missingForKafkaProcess, neitherWayMessage } from './requirements.ts';
import type { ServerRunner } from './server-runner.ts';

const ANSWER_TIMEOUT_MS = 120_000;
const HEAP_MEGABYTES = 384;
/** Uses only Java's fast compiler. The optimizing compiler costs a short-lived broker more than it saves. */
const SHORT_LIVED = '-XX:TieredStopAtLevel=1';
/** Logs how each transaction ended, which is needed when a test finds a duplicate. */
const TELL_TRANSACTIONS = '-Dorg.slf4j.simpleLogger.log.kafka.coordinator.transaction=info';

/** One node of a test's cluster, both broker and controller. */
export interface KafkaClusterNode {
  readonly id: number;
  /** host:port */
  readonly address: string;
  /** Sends SIGTERM, so that the broker hands its leaderships over. Resolves when it has exited. */
  stop(): Promise<void>;
  /** Sends SIGKILL. Resolves when the broker has exited. The others notice its missing heartbeats after about 9 seconds. */
  kill(): Promise<void>;
  /** Restarts the broker with its data. Resolves when it answers a client as a member of the cluster. */
  start(): Promise<void>;
}

export interface KafkaCluster {
  /** host:port of every broker. */
  readonly brokers: string[];
  readonly nodes: KafkaClusterNode[];
  /** Resolves when every replica of every partition is in sync. Only then can a test stop the next broker safely. */
  whenInSync(): Promise<void>;
  /** Kills every broker. The data folders stay. */
  close(): Promise<void>;
}

export interface KafkaClusterOptions {
  /** With three brokers, topics have three replicas, and two must be in sync. */
  brokers: 1 | 3;
  /** For data and logs. Empty, or the directory of an earlier cluster. */
  directory: string;
  /** One per broker. Default: free ports. */
  ports?: number[];
}

/**
 * Starts a separate Kafka cluster for a test, as child processes or, if Java or Maven is missing, as containers.
 * Resolves when every broker answers and knows all the others.
 */
export async function startKafkaCluster(options: KafkaClusterOptions): Promise<KafkaCluster> {
  const ids = Array.from({ length: options.brokers }, (_, index) => index + 1);
  const ports: number[] = [];
  for (const [index] of ids.entries()) ports.push(options.ports?.[index] ?? (await freePort()));

  const missingProcesses = await missingForKafkaProcess();
  const plan =
    missingProcesses.length === 0
      ? await planProcesses(options.directory, ports)
      : await planContainers(ports, missingProcesses);

  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  const untilAnswers = (runner: ServerRunner, address: string, members: number[]) =>
    waitUntil(() => kafkaAnswers([address], plan.clusterId, members), {
      what: `Kafka broker ${address} (see ${options.directory})`,
      timeoutMs: ANSWER_TIMEOUT_MS,
      check: async () => {
        if (!(await runner.isRunning()))
          throw new Error(`Kafka broker ${address} ended (see ${options.directory})`);
      },
    });
  const close = async () => {
    await Promise.all(plan.runners.map((runner) => runner.close()));
    await plan.cleanUp();
  };
  const nodes = plan.runners.map((runner, index): KafkaClusterNode => {
    const [id, address] = [index + 1, addresses[index] ?? ''];
    return {
      id,
      address,
      stop: () => runner.end('SIGTERM'),
      kill: () => runner.end('SIGKILL'),
      start: async () => {
        await runner.start();
        await untilAnswers(runner, address, [id]);
      },
    };
  });

  try {
    await Promise.all(plan.runners.map((runner) => runner.start()));
    await Promise.all(plan.runners.map((runner, index) => untilAnswers(runner, addresses[index] ?? '', ids)));
  } catch (error) {
    await close();
    throw error;
  }
  return { brokers: addresses, nodes, whenInSync: () => whenInSync(addresses), close };
}

interface Plan {
  clusterId: string;
  runners: ServerRunner[];
  cleanUp: () => Promise<void>;
}

async function planProcesses(directory: string, ports: number[]): Promise<Plan> {
  const jars = await fetchKafkaJars((line) => console.error(line));
  const voters: KafkaNode['voters'] = [];
  for (const [index] of ports.entries()) voters.push({ id: index + 1, controllerPort: await freePort() });
  const newId = newClusterId();
  let clusterId = newId;
  const runners: ServerRunner[] = [];
  for (const [index, port] of ports.entries()) {
    const id = index + 1;
    const node = {
      id,
      directory: join(directory, `broker-${id}`),
      port,
      voters,
      heapMegabytes: HEAP_MEGABYTES,
    };
    clusterId = await prepareKafkaNode(node, jars, newId);
    const args = [SHORT_LIVED, TELL_TRANSACTIONS, ...kafkaCommand(node, jars).args];
    runners.push(childRunner('java', args, join(node.directory, 'kafka.log')));
  }
  return { clusterId, runners, cleanUp: async () => undefined };
}

async function planContainers(ports: number[], missingProcesses: string[]): Promise<Plan> {
  const missingContainers = await missingForContainers();
  if (missingContainers.length > 0) throw new Error(neitherWayMessage(missingContainers, missingProcesses));
  const network = await new Network().start();
  const clusterId = newClusterId();
  const voters = ports.map((_, index) => `${index + 1}@broker-${index + 1}:39093`).join(',');
  const runners = ports.map((port, index) => {
    const settings = {
      'node.id': index + 1,
      'controller.quorum.voters': voters,
      listeners: `OUTSIDE://:${port},INSIDE://:39092,CONTROLLER://:39093`,
      'advertised.listeners': `OUTSIDE://127.0.0.1:${port},INSIDE://broker-${index + 1}:39092`,
      'listener.security.protocol.map': 'OUTSIDE:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'inter.broker.listener.name': 'INSIDE',
      ...trialSettings(ports.length),
    };
    const variables = Object.entries(settings).map(([name, value]) => [kafkaVariable(name), String(value)]);
    return containerRunner(
      new GenericContainer(`apache/kafka:${KAFKA_VERSION}`)
        .withNetwork(network)
        .withNetworkAliases(`broker-${index + 1}`)
        .withExposedPorts({ container: port, host: port })
        .withEnvironment({
          ...Object.fromEntries(variables),
          CLUSTER_ID: clusterId,
          KAFKA_HEAP_OPTS: `-Xmx${HEAP_MEGABYTES}m`,
        }),
    );
  });
  return {
    clusterId,
    runners,
    cleanUp: async () => {
      await network.stop();
    },
  };
}

/** The image's environment variable for a broker setting: `log.dirs` is `KAFKA_LOG_DIRS`. */
export function kafkaVariable(setting: string): string {
  return `KAFKA_${setting.toUpperCase().replaceAll('.', '_')}`;
}

async function whenInSync(brokers: string[]): Promise<void> {
  const admin = new Kafka({ brokers, clientId: 'completion-bus-stack', logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const allInSync = async () => {
      const { topics } = await admin.fetchTopicMetadata();
      const partitions = topics.flatMap((topic) => topic.partitions);
      return partitions.every((partition) => partition.isr.length === partition.replicas.length);
    };
    await waitUntil(allInSync, { what: 'a cluster with all replicas in sync', timeoutMs: ANSWER_TIMEOUT_MS });
  } finally {
    await admin.disconnect();
  }
}
