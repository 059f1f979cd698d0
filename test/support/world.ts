import { randomUUID } from 'node:crypto';
import { type ChangeStream, MongoClient } from 'mongodb';
import { createAvroCodec } from '../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../src/adapters/avro/load-schemas.ts';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { KafkaRecordSink } from '../../src/adapters/kafka/produce/record-sink.ts';
import { createTopics } from '../../src/adapters/kafka/topics/topics.ts';
import { createModelStore, createPriceStore } from '../../src/adapters/mongo/catalog/catalog-store.ts';
import { createWaitingPrices } from '../../src/adapters/mongo/catalog/quarantined-prices.ts';
import { shippedModels, shippedPrices } from '../../src/catalog/files/shipped-catalog.ts';
import { importModels } from '../../src/catalog/models/import-models.ts';
import { importPriceSource } from '../../src/catalog/prices/import-price-source.ts';
import { importPrices } from '../../src/catalog/prices/import-prices.ts';
import type { CatalogModel } from '../../src/catalog/stores.ts';
import { type Config, loadConfig } from '../../src/config/load-config.ts';
import type { RecordCodec } from '../../src/contract/codec.ts';
import type { ChatRequestInput } from '../../src/contract/record-types.ts';
import { type TopicNames, topicNames } from '../../src/contract/topics.ts';
import type { OutboundRecord } from '../../src/ports/kafka.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { History } from './history.ts';
import type { Script } from './stand-in/script.ts';
import { type StandIn, startStandIn } from './stand-in/start-stand-in.ts';
import { spawnWorker, type Worker } from './worker.ts';

export interface WorldOptions {
  readonly partitions?: number;
  /** A cluster other than the stack's. */
  readonly brokers?: readonly string[];
  readonly replication?: number;
  readonly defaultScript?: Script | Script[];
  /** Environment of every worker. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The shipped models without their shutdown dates, so that tests do not depend on the date. */
const lastingModels = {
  name: 'lasting models.json',
  text: JSON.stringify(
    (JSON.parse(shippedModels.text) as object[]).map((model) => ({ ...model, shutdownAt: null })),
  ),
};

/** A request as a test publishes it. */
export interface Published {
  readonly key: string;
  readonly request: ChatRequestInput;
}

/**
 * Topics, database, catalog and stand-in of one test, isolated from others on the same broker and database. Closing it
 * leaves nothing behind.
 */
export class World {
  readonly config: Config;
  readonly env: Readonly<Record<string, string>>;
  readonly topics: TopicNames;
  readonly codec: RecordCodec;
  readonly standIn: StandIn;
  private readonly mongo: MongoClient;
  private readonly workers: Worker[] = [];
  private readonly histories: History[] = [];
  private readonly changeStreams: ChangeStream[] = [];
  private readonly kafka;
  private sink: KafkaRecordSink | null = null;

  private constructor(
    config: Config,
    env: Readonly<Record<string, string>>,
    standIn: StandIn,
    mongo: MongoClient,
  ) {
    this.config = config;
    this.env = env;
    this.standIn = standIn;
    this.mongo = mongo;
    this.topics = topicNames(config.topics.prefix);
    this.codec = createAvroCodec({
      schemas: loadSchemas(),
      framing: { kind: 'single-object' },
      maxBytes: config.limits.recordMaxBytes,
    });
    this.kafka = createKafka(config.kafka, silent, PATIENT_RETRIES);
  }

  static async create(options: WorldOptions = {}): Promise<World> {
    const name = `t${randomUUID().slice(0, 8)}`;
    const standIn = await startStandIn({
      defaultScript: options.defaultScript ?? { text: 'one two three four five' },
    });
    const env = {
      KAFKA_BROKERS: options.brokers?.join(',') ?? process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092',
      MONGODB_URL: process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/?replicaSet=rs0',
      MONGODB_DATABASE: name,
      CHAT_TOPIC_PREFIX: name,
      KAFKA_GROUP_ID: name,
      ROLES: 'worker',
      CHAT_TOPIC_PARTITIONS: String(options.partitions ?? 6),
      CHAT_TOPIC_REPLICATION: String(options.replication ?? 1),
      AI_OPENAI_API_KEY: 'sk-test',
      AI_OPENAI_BASE_URL: standIn.url,
      AI_DEFAULT_MODEL: 'gpt-4',
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: '0',
      LOG_LEVEL: 'info',
      ...options.env,
    };
    const config = loadConfig(env, { readFile: () => '' });
    const mongo = await MongoClient.connect(config.mongo.url);
    const world = new World(config, env, standIn, mongo);
    world.sink = await KafkaRecordSink.connect(config.kafka, silent);
    const admin = world.kafka.admin();
    await admin.connect();
    await createTopics(admin, config.topics);
    await admin.disconnect();
    const db = mongo.db(config.mongo.database);
    await world.importModels();
    await importPrices(createPriceStore(db), shippedPrices);
    return world;
  }

  /** Starts a worker in a separate process, and waits until it is ready. */
  async startWorker(env: Readonly<Record<string, string>> = {}): Promise<Worker> {
    const worker = this.spawnWorker(env);
    await worker.ready;
    return worker;
  }

  /** Starts a worker in a separate process without waiting for it. */
  spawnWorker(env: Readonly<Record<string, string>> = {}): Worker {
    const worker = spawnWorker({ ...this.env, ...env });
    this.workers.push(worker);
    return worker;
  }

  /** SIGKILL to every worker that is left. */
  async killWorkers(): Promise<void> {
    await Promise.all(this.workers.splice(0).map((worker) => worker.kill()));
  }

  /** Reads all output topics from their beginning, as subscribers do, under read_committed. */
  async readHistory(): Promise<History> {
    const history = await History.read(this.config.kafka, this.topics, this.codec);
    this.histories.push(history);
    return history;
  }

  async publish(requests: readonly Published[]): Promise<void> {
    await this.send(
      requests.map(({ key, request }) => ({
        key,
        value: this.codec.encode('ChatRequest', request),
        headers: {},
      })),
    );
  }

  /** Repeats the whole send after an error, because kafkajs's own retries lose records when one of several brokers fails. */
  private async send(records: readonly Omit<OutboundRecord, 'topic'>[]): Promise<void> {
    await this.sink?.send(records.map((record) => ({ topic: this.topics.requests, ...record })));
  }

  async publishRaw(
    value: Buffer | null,
    options: { key?: string | Buffer | null; headers?: Record<string, string>; partition?: number } = {},
  ): Promise<void> {
    const { key = null, headers = {}, partition } = options;
    const message = { key, value, headers, ...(partition !== undefined && { partition }) };
    await this.send([message]);
  }

  /** Puts records on a topic of the service. */
  async sendTo(topic: string, records: readonly Omit<OutboundRecord, 'topic'>[]): Promise<void> {
    await this.sink?.send(records.map((record) => ({ topic, ...record })));
  }

  /** The health ports of its workers. */
  get httpPorts(): number[] {
    return this.workers.map(({ httpPort }) => httpPort);
  }

  /** The database of this world. */
  get database() {
    return this.mongo.db(this.config.mongo.database);
  }

  ledgerRows() {
    return this.mongo.db(this.config.mongo.database).collection<{ _id: string }>('requests');
  }

  /** Catalog changes stored for announcement, from now on. */
  async changesStored(): Promise<ChangeStream> {
    const stream = this.mongo.db(this.config.mongo.database).collection('modelChanges').watch();
    this.changeStreams.push(stream);
    // It is open from the first answer on.
    await stream.tryNext();
    return stream;
  }

  /** Expires the leases, as if every process had been silent for longer than its lease. */
  async loseLeases(): Promise<void> {
    await this.mongo.db(this.config.mongo.database).collection('leases').deleteMany({});
  }

  /** The effect of six lists without a model. */
  async removeModel(id: string): Promise<void> {
    const at = Date.now();
    await this.changeModel(id, { deprecatedAt: at, removedAt: at });
  }

  /** Imports the shipped models, as if none of them ever ended. */
  async importModels(): Promise<void> {
    await importModels(createModelStore(this.mongo.db(this.config.mongo.database)), lastingModels);
  }

  /** Says when a model ends, epoch ms. */
  async endModel(id: string, shutdownAt: number): Promise<void> {
    await this.changeModel(id, { shutdownAt });
  }

  private async changeModel(id: string, members: Partial<CatalogModel>): Promise<void> {
    const store = createModelStore(this.mongo.db(this.config.mongo.database));
    await store.update((known) =>
      known.filter((model) => model.id === id).map((model) => ({ ...model, ...members })),
    );
  }

  /** Makes a price source report prices from 2031 on, which are quarantined. */
  async letPricesWait(models: readonly string[]): Promise<void> {
    const db = this.mongo.db(this.config.mongo.database);
    const entries = models.map((model) => ({
      provider: 'openai',
      model,
      currency: 'USD',
      effectiveFrom: '2031-01-01',
      components: { input: '99', output: '199' },
      source: 'https://example.com/pricing',
    }));
    const read = async () => ({ name: 'source.json', text: JSON.stringify(entries) });
    const stores = { prices: createPriceStore(db), waiting: createWaitingPrices(db) };
    await importPriceSource({ read, ...stores, now: Date.now }, new AbortController().signal);
  }

  /** Unbinds the database from its cluster, as an operator does after replacing the cluster. */
  async forgetOwner(): Promise<void> {
    await this.mongo
      .db(this.config.mongo.database)
      .collection<{ _id: string }>('meta')
      .deleteOne({ _id: 'owner' });
  }

  async close(): Promise<void> {
    await this.killWorkers();
    await Promise.all(this.histories.map((history) => history.close()));
    await Promise.all(this.changeStreams.map((stream) => stream.close()));
    await this.sink?.close();
    const admin = this.kafka.admin();
    await admin.connect();
    await admin.deleteTopics({ topics: Object.values(this.topics) }).catch(() => undefined);
    await admin.disconnect();
    await this.mongo.db(this.config.mongo.database).dropDatabase();
    await this.mongo.close();
    await this.standIn.close();
  }
}

export const silent = createLogger({ level: 'silent' });

/** A request with one user message, whose answer the script decides. */
export function request(
  requestId: string,
  options: { key?: string; script?: Script | Script[] } & Partial<ChatRequestInput> = {},
): Published {
  const { key = requestId, script, ...fields } = options;
  const content =
    script === undefined ? `Say something about ${requestId}.` : JSON.stringify({ standIn: script });
  return { key, request: { requestId, messages: [{ role: 'user', content }], ...fields } };
}
