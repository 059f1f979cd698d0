import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type KafkaCluster, startKafkaCluster } from '../../scripts/stack/kafka-cluster.ts';
import { freePort } from '../../scripts/stack/ports.ts';
import type { Broker } from '../../src/adapters/kafka/kafkajs/broker.ts';
import { clusterMetadata } from '../../src/adapters/kafka/kafkajs/cluster-requests.ts';
import type { KafkaSettings } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { BrokerConnections } from '../../src/adapters/kafka/produce/broker-connections.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { silent } from '../support/world.ts';

/** kafkajs reauthenticates from 10 s before the end of a session, here one second after each login. */
const SESSION_MS = 11_000;
const AUTHENTICATIONS = 3;

let cluster: KafkaCluster;
let directory: string;
let settings: KafkaSettings;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'completion-bus-sasl-'));
  cluster = await startKafkaCluster({ brokers: 1, directory });
  const [node] = cluster.nodes;
  const port = await freePort();
  await node?.stop();
  const controller = /CONTROLLER:\/\/\S+/;
  const file = join(directory, 'broker-1', 'server.properties');
  const own = controller.exec(await readFile(file, 'utf8'))?.[0] ?? '';
  // The last entry in the file applies.
  await appendFile(
    file,
    [
      `listeners=PLAINTEXT://${node?.address},SECURED://127.0.0.1:${port},${own}`,
      `advertised.listeners=PLAINTEXT://${node?.address},SECURED://127.0.0.1:${port}`,
      'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_PLAINTEXT',
      'sasl.enabled.mechanisms=PLAIN',
      'listener.name.secured.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_worker="secret";',
      `listener.name.secured.plain.connections.max.reauth.ms=${SESSION_MS}`,
      '',
    ].join('\n'),
  );
  await node?.start();
  const { kafka } = loadConfig(
    {
      KAFKA_BROKERS: `127.0.0.1:${port}`,
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'worker',
      KAFKA_SASL_PASSWORD: 'secret',
      AI_OPENAI_API_KEY: 'sk-test',
    },
    { readFile: () => '' },
  );
  settings = kafka;
});
afterAll(async () => {
  await cluster?.close();
  await rm(directory, { recursive: true, force: true });
});

/** When a connection last logged in. */
const authenticatedAt = ({ connectionPool }: Broker) =>
  String((connectionPool.pool[0] as unknown as { authenticatedAt: unknown }).authenticatedAt);

it('a connection reauthenticates before its session ends, and loses no request', async () => {
  const connections = await BrokerConnections.connect(settings, silent);
  try {
    await connections.metadata([]);
    const first = await connections.broker(1, 'main');
    const logins = new Set([authenticatedAt(first)]);
    const failures: unknown[] = [];
    while (logins.size <= AUTHENTICATIONS && failures.length === 0) {
      // Several at a time, so that some are in flight when a session ends.
      const requests = Array.from({ length: 8 }, async () => {
        const broker = await connections.broker(1, 'main');
        expect(broker).toBe(first);
        await clusterMetadata(broker, [], settings.requestTimeoutMs);
      });
      for (const request of requests) request.catch((error: unknown) => failures.push(error));
      await Promise.allSettled(requests);
      logins.add(authenticatedAt(first));
    }
    expect(failures).toEqual([]);
  } finally {
    await connections.close();
  }
});
