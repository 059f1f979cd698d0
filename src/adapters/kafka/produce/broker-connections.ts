import type { Logger } from '../../../runtime/logger.ts';
import type { Broker } from '../kafkajs/broker.ts';
import {
  type BrokerAddress,
  type Cluster,
  type ClusterMetadata,
  clusterMetadata,
  clusterOf,
  connectAny,
  isConnected,
} from '../kafkajs/cluster-requests.ts';
import { createKafka, type KafkaConnection, NO_RETRIES } from '../kafkajs/kafka-client.ts';

/** `suspect`: a connection for partitions that did not answer in time, so that the others do not wait behind them. */
export type ConnectionLane = 'main' | 'suspect';

/** A name for the connections of one broker in one lane. */
function nameOf(nodeId: number, lane: ConnectionLane): string {
  return `${nodeId}/${lane}`;
}

/**
 * Connections to the brokers of a cluster that are dropped, and never used again, when a request got no answer. kafkajs's own
 * pool learns of no broker while any partition that it looks at has no leader, and keeps connections that answer no more.
 */
export class BrokerConnections {
  private readonly cluster: Cluster;
  private readonly requestTimeoutMs: number;
  private readonly addresses = new Map<number, BrokerAddress>();
  private readonly brokers = new Map<string, Promise<Broker>>();
  private isClosed = false;

  private constructor(cluster: Cluster, requestTimeoutMs: number) {
    this.cluster = cluster;
    this.requestTimeoutMs = requestTimeoutMs;
  }

  /** @throws when no configured broker answers */
  static async connect(settings: KafkaConnection, logger: Logger): Promise<BrokerConnections> {
    const cluster = clusterOf(createKafka(settings, logger, NO_RETRIES));
    await connectAny(cluster, settings.brokers.length);
    return new BrokerConnections(cluster, settings.requestTimeoutMs);
  }

  /** Metadata of these topics, from whichever broker answers. */
  async metadata(topics: readonly string[]): Promise<ClusterMetadata> {
    const metadata = await this.askAny((broker) => clusterMetadata(broker, topics, this.requestTimeoutMs));
    for (const { nodeId, host, port, rack } of metadata.brokers) {
      const known = this.addresses.get(nodeId);
      if (known !== undefined && (known.host !== host || known.port !== port)) this.forget(nodeId);
      this.addresses.set(nodeId, { host, port, rack: rack ?? null });
    }
    return metadata;
  }

  /**
   * Asks over a connection that nothing is written over, so that no slow write delays it, and where that has no answer over the
   * others.
   *
   * @throws what the last broker answered or what happened to it
   */
  async askAny<Answer>(ask: (broker: Broker) => Promise<Answer>): Promise<Answer> {
    let last: unknown;
    try {
      return await this.askSeed(ask);
    } catch (error) {
      if (isAnswer(error)) throw error;
      last = error;
    }
    for (const [name, connecting] of this.brokers) {
      const broker = await connecting.catch(() => null);
      if (broker === null || !isConnected(broker)) continue;
      try {
        return await ask(broker);
      } catch (error) {
        if (isAnswer(error)) throw error;
        this.drop(name, broker);
        last = error;
      }
    }
    throw last;
  }

  /** A connected broker. @throws when its address is not known, or it does not answer */
  async broker(nodeId: number, lane: ConnectionLane): Promise<Broker> {
    const name = nameOf(nodeId, lane);
    const known = this.brokers.get(name);
    if (known !== undefined) {
      const broker = await known;
      // Brokers close connections that were idle for some minutes.
      if (isConnected(broker)) return broker;
      this.drop(name, broker);
    }
    if (this.isClosed) throw new Error('the connections were closed');
    const connecting = this.connectTo(nodeId);
    this.brokers.set(name, connecting);
    try {
      return await connecting;
    } catch (error) {
      if (this.brokers.get(name) === connecting) this.brokers.delete(name);
      throw error;
    }
  }

  /** After a request without an answer: a late one would be taken for the answer to another. */
  dropBroker(nodeId: number, lane: ConnectionLane, broker: Broker): void {
    this.drop(nameOf(nodeId, lane), broker);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const connecting of this.brokers.values()) void connecting.then(destroy, () => undefined);
    this.brokers.clear();
    const { seedBroker } = this.cluster.brokerPool;
    if (seedBroker !== undefined) destroy(seedBroker);
  }

  private async askSeed<Answer>(ask: (broker: Broker) => Promise<Answer>): Promise<Answer> {
    const { brokerPool } = this.cluster;
    const seed = await brokerPool.findConnectedBroker();
    try {
      return await ask(seed);
    } catch (error) {
      if (!isAnswer(error)) {
        destroy(seed);
        await brokerPool.createSeedBroker();
      }
      throw error;
    }
  }

  private async connectTo(nodeId: number): Promise<Broker> {
    const address = this.addresses.get(nodeId);
    if (address === undefined) throw new Error(`the address of broker ${nodeId} is not known`);
    const { cluster } = this;
    const connectionPool = await cluster.connectionPoolBuilder.build(address);
    const broker = cluster.brokerPool.createBroker({ logger: cluster.rootLogger, nodeId, connectionPool });
    try {
      await broker.connect();
    } catch (error) {
      destroy(broker);
      throw error;
    }
    if (this.isClosed) destroy(broker);
    return broker;
  }

  private forget(nodeId: number): void {
    for (const lane of ['main', 'suspect'] as const) {
      const name = nameOf(nodeId, lane);
      void this.brokers.get(name)?.then(destroy, () => undefined);
      this.brokers.delete(name);
    }
  }

  private drop(name: string, broker: Broker): void {
    destroy(broker);
    this.brokers.delete(name);
  }
}

/** A broker's own refusal, on a connection that works. */
function isAnswer(error: unknown): boolean {
  return error instanceof Error && error.name === 'KafkaJSProtocolError';
}

function destroy(broker: Broker): void {
  for (const connection of broker.connectionPool.pool) {
    connection.rejectRequests(
      new Error('the connection was dropped because the broker did not answer in time'),
    );
    connection.requestQueue.destroy();
    connection.socket?.destroy();
  }
}
