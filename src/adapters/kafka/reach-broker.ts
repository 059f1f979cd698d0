import { connect } from 'node:net';
import type { KafkaSettings } from './kafkajs/kafka-client.ts';

/** Below the five seconds in which an unreachable broker is reported. */
const CONNECT_MS = 3_000;

/** No address of KAFKA_BROKERS accepts a connection. */
export class BrokersUnreachable extends Error {
  override readonly name = 'BrokersUnreachable';

  constructor(reasons: readonly string[]) {
    super(
      `no Kafka broker could be reached (${reasons.join(', ')}); check that one is running and that KAFKA_BROKERS is correct`,
    );
  }
}

/**
 * Waits until one of the brokers accepts a connection. kafkajs tries for much longer before it gives up.
 *
 * @throws BrokersUnreachable when each has refused, or been silent for three seconds
 */
export async function reachBroker({ brokers }: Pick<KafkaSettings, 'brokers'>): Promise<void> {
  try {
    await Promise.any(brokers.map(acceptsConnection));
  } catch (error) {
    throw new BrokersUnreachable((error as AggregateError).errors.map(({ message }: Error) => message));
  }
}

function acceptsConnection(broker: string): Promise<void> {
  const colon = broker.lastIndexOf(':');
  const host = broker.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host, port: Number(broker.slice(colon + 1)) });
  const timer = setTimeout(
    () => reject(new Error(`${broker}: no connection within ${CONNECT_MS / 1_000} s`)),
    CONNECT_MS,
  );
  socket.once('connect', resolve);
  socket.on('error', (error: NodeJS.ErrnoException) =>
    reject(new Error(`${broker}: ${error.code ?? error.message}`)),
  );
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}
