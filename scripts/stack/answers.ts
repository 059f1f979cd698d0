import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { MongoClient } from 'mongodb';

/** Whether one of `brokers` returns cluster metadata to a real client, and the metadata lists all of `brokerIds`. */
export async function kafkaAnswers(
  brokers: string[],
  clusterId: string,
  brokerIds: number[],
): Promise<boolean> {
  const admin = new Kafka({
    brokers,
    clientId: 'completion-bus-stack',
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1_000,
    requestTimeout: 3_000,
    retry: { retries: 0 },
  }).admin();
  try {
    await admin.connect();
    const cluster = await admin.describeCluster();
    const listed = new Set(cluster.brokers.map((broker) => broker.nodeId));
    return cluster.clusterId === clusterId && brokerIds.every((id) => listed.has(id));
  } catch {
    return false;
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

/** Runs `work` with a client connected directly to this server, whatever the state of its replica set, and closes the client. */
export async function withMongo<T>(port: number, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/`, {
    directConnection: true,
    serverSelectionTimeoutMS: 1_000,
    connectTimeoutMS: 1_000,
    socketTimeoutMS: 5_000,
  });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Whether the server is the primary of its replica set and accepts majority writes. */
export async function mongoAnswers(port: number): Promise<boolean> {
  try {
    const hello = await withMongo(port, (client) => client.db('admin').command({ hello: 1 }));
    return hello['isWritablePrimary'] === true;
  } catch {
    return false;
  }
}

export interface Wait {
  /** What the wait is for, for the error message. */
  what: string;
  timeoutMs: number;
  /** Rejects as soon as waiting has no chance, e.g. because the process exited. */
  check?: () => Promise<void>;
}

/** Repeats `probe` until it returns true. Throws the error of `check`, or a timeout. */
export async function waitUntil(probe: () => Promise<boolean>, wait: Wait): Promise<void> {
  const giveUpAt = Date.now() + wait.timeoutMs;
  while (!(await probe())) {
    await wait.check?.();
    if (Date.now() > giveUpAt)
      throw new Error(`${wait.what} did not answer within ${wait.timeoutMs / 1000} s`);
    await delay(100);
  }
}
