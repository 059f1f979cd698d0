import type { Admin } from 'kafkajs';
import { createKafka, PATIENT_RETRIES } from '../../adapters/kafka/kafkajs/kafka-client.ts';
import { reachBroker } from '../../adapters/kafka/reach-broker.ts';
import type { Tool } from './tool.ts';

/** How long a cluster may take to answer before the command gives up. */
const ANSWER_MS = 4_500;

/**
 * Connects to the cluster and checks that it answers. Every command that needs Kafka does so first, because other clients retry for
 * half a minute before they give up.
 *
 * @throws BrokersUnreachable, or what to check if a broker accepts connections but does not answer
 */
export async function withKafka<Result>(
  { config, logger }: Pick<Tool, 'config' | 'logger'>,
  work: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const begin = performance.now();
  await reachBroker(config.kafka);
  const admin = createKafka(config.kafka, logger, PATIENT_RETRIES).admin();
  try {
    await withinLimit(
      admin.connect().then(() => admin.describeCluster()),
      ANSWER_MS - (performance.now() - begin),
    );
    return await work(admin);
  } finally {
    // A client that has not connected would wait for its retries to end.
    void admin.disconnect().catch(() => undefined);
  }
}

async function withinLimit(answer: Promise<unknown>, limitMs: number): Promise<void> {
  const late = Promise.withResolvers<never>();
  const message =
    'Kafka accepts connections but does not answer; is KAFKA_BROKERS a Kafka listener, do KAFKA_SSL and KAFKA_SASL_MECHANISM fit it, and can the addresses that the brokers advertise (advertised.listeners) be reached from here?';
  const timer = setTimeout(() => late.reject(new Error(message)), limitMs);
  answer.catch(() => undefined);
  try {
    await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The same check for a command with its own clients. */
export function requireKafka(tool: Pick<Tool, 'config' | 'logger'>): Promise<void> {
  return withKafka(tool, async () => undefined);
}
