import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface KafkaNode {
  id: number;
  directory: string;
  port: number;
  /** Every node of the cluster, including this one. Each is both broker and controller. */
  voters: { id: number; controllerPort: number }[];
  heapMegabytes: number;
}

export interface KafkaCommand {
  args: string[];
  /** The part of the command line that identifies this broker. */
  marker: string;
}

/** The settings of a node that runs as a local process. */
export function kafkaProperties(node: KafkaNode): string {
  const own = node.voters.find((voter) => voter.id === node.id);
  if (own === undefined) throw new Error(`Kafka node ${node.id} is not among its own cluster's voters`);
  const properties = {
    'node.id': node.id,
    'controller.quorum.voters': node.voters
      .map((voter) => `${voter.id}@127.0.0.1:${voter.controllerPort}`)
      .join(','),
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${own.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${node.port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': kafkaDataDirectory(node.directory),
    ...trialSettings(node.voters.length),
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** Settings of a combined broker and controller for trials: few internal partitions, small buffers, no rebalance delay. */
export function trialSettings(brokers: number): Record<string, string | number> {
  const replicas = Math.min(3, brokers);
  const minimumInSync = Math.max(1, replicas - 1);
  return {
    'process.roles': 'broker,controller',
    'controller.listener.names': 'CONTROLLER',
    'default.replication.factor': replicas,
    'min.insync.replicas': minimumInSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 10,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minimumInSync,
    'transaction.state.log.num.partitions': 10,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minimumInSync,
    'share.coordinator.state.topic.num.partitions': 3,
    'group.initial.rebalance.delay.ms': 0,
    'auto.create.topics.enable': 'false',
    'log.cleaner.dedupe.buffer.size': 8_388_608,
  };
}

/** Returns a new cluster id: 16 random bytes in Kafka's format. A leading hyphen would look like a command-line option. */
export function newClusterId(): string {
  return randomBytes(16).toString('base64url').replace(/^-/, 'A');
}

/**
 * Writes a node's settings and, the first time, formats its data folder for `clusterId`.
 * @returns the id of the cluster that the data belongs to. If the folder was formatted before, it keeps its older id.
 */
export async function prepareKafkaNode(node: KafkaNode, jars: string, clusterId: string): Promise<string> {
  await mkdir(node.directory, { recursive: true });
  const propertiesFile = join(node.directory, 'server.properties');
  await writeFile(propertiesFile, kafkaProperties(node));
  const existing = await clusterIdOf(node.directory);
  if (existing !== undefined) return existing;
  await run('java', [
    ...['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${jars}/*`],
    ...['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', propertiesFile],
  ]);
  return clusterId;
}

/** The id of the cluster that a node's data folder belongs to, or undefined before it is formatted. */
export async function clusterIdOf(directory: string): Promise<string | undefined> {
  const meta = await readFile(join(kafkaDataDirectory(directory), 'meta.properties'), 'utf8').catch(() => '');
  return /^cluster\.id=(.+)$/m.exec(meta)?.[1];
}

/** The arguments of `java` that run a prepared node. */
export function kafkaCommand(node: KafkaNode, jars: string): KafkaCommand {
  const propertiesFile = join(node.directory, 'server.properties');
  return {
    args: [
      ...[`-Xmx${node.heapMegabytes}m`, '-XX:+UseSerialGC', '-Djava.awt.headless=true'],
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
      '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
      ...['-cp', `${jars}/*`, 'kafka.Kafka', propertiesFile],
    ],
    marker: `kafka.Kafka ${propertiesFile}`,
  };
}

function kafkaDataDirectory(directory: string): string {
  return join(directory, 'data');
}
