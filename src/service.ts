import { createAvroCodec } from './adapters/avro/avro-codec.ts';
import { loadSchemas } from './adapters/avro/load-schemas.ts';
import { type Check, startHealthServer } from './adapters/http/health-server.ts';
import { createSchemaCompiler } from './adapters/json-schema/schema-compiler.ts';
import { createKafka, PATIENT_RETRIES } from './adapters/kafka/kafka-client.ts';
import { KafkaRequestSource } from './adapters/kafka/request-source.ts';
import { checkTopics } from './adapters/kafka/topics.ts';
import { KafkaWriter } from './adapters/kafka/writer/kafka-writer.ts';
import { createCatalog } from './adapters/mongo/catalog-cache.ts';
import { bindDatabase, connectDatabase, ensureIndexes } from './adapters/mongo/database.ts';
import { createRequestLedger } from './adapters/mongo/ledger.ts';
import { startWorkerLease } from './adapters/mongo/worker-lease.ts';
import { createOpenAiProvider } from './adapters/openai/openai-provider.ts';
import { readBody } from './adapters/openai/read-body.ts';
import { createTokenCounter } from './adapters/tokenizer/token-counter.ts';
import type { Config } from './config.ts';
import { topicNames } from './contract/topics.ts';
import type { Logger } from './logger.ts';
import { ChunkPublisher } from './pipeline/chunk-publisher.ts';
import { FailureLog } from './pipeline/failure-log.ts';
import { OutputRecords } from './pipeline/output-records.ts';
import { Pipeline } from './pipeline/pipeline.ts';
import { ProgressReporter } from './pipeline/progress-reporter.ts';
import type { Clock } from './ports.ts';
import { createMetrics } from './telemetry/metrics.ts';
import type { Telemetry } from './telemetry/start.ts';

export interface ServiceOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** The service cannot go on: the process must end, so that it is started again. */
  readonly onFatal: (error: Error) => void;
}

export interface Service {
  readonly httpPort: number;
  /** Drains and stops; resolves when everything is closed. Repeated calls wait for the first. */
  stop(): Promise<void>;
}

/** Chunks that may wait for the broker before provider streams are read more slowly. */
const CHUNK_BUFFER_BYTES = 64 * 1024 * 1024;
/** What a busy lane's outcomes wait at most to share a transaction. */
const SETTLE_SPACING_MS = 100;
/** A worker whose last answer from a broker is older does not count as ready. */
const FETCH_MAX_AGE_MS = 30_000;

/**
 * Starts a worker, in the order in which one part needs the other, and undoes what was started when a part fails.
 *
 * @throws whatever keeps it from starting, with a message that names the way out
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, logger, telemetry, clock, onFatal } = options;
  const closers: (() => Promise<void>)[] = [];
  const started = <T>(part: T, close: () => Promise<void> | void): T => {
    closers.unshift(async () => close());
    return part;
  };
  const closeAll = async () => {
    for (const close of closers.splice(0)) {
      await close().catch((error: unknown) => logger.warn({ err: error }, 'a part could not be closed'));
    }
  };
  let pipeline: Pipeline | null = null;
  let source: KafkaRequestSource | null = null;
  let stopping: Promise<void> | null = null;

  try {
    // 1 Health first: a worker that is starting is alive and not ready.
    const ready = (): Check[] => readiness(pipeline, source, stopping !== null);
    const health = await startHealthServer({
      ...config.http,
      checks: { live: () => [{ name: 'process', ok: true }], ready },
      metricsHandler: telemetry.metricsHandler,
    });
    started(health, () => health.close());

    // 2 The database, and the cluster that its rows belong to.
    const database = await connectDatabase({ ...config.mongo, applicationName: config.kafka.clientId });
    started(database, () => database.close());
    const writer = await KafkaWriter.connect(config.kafka, logger, onFatal);
    started(writer, () => writer.close());
    const { transport, sink } = writer;
    await withAdmin(config, logger, (admin) =>
      checkTopics(admin, config.topics, {
        ledgerTtlMs: config.ledger.ttlMs,
        recordMaxBytes: config.limits.recordMaxBytes,
      }),
    );
    await bindDatabase(database.db, {
      kafkaClusterId: transport.clusterId,
      groupId: config.kafka.groupId,
      topicPrefix: config.topics.prefix,
    });
    await ensureIndexes(database.db);

    // 3 What requests are handled with.
    const metrics = createMetrics(telemetry.meter);
    const tokens = await createTokenCounter();
    const onRetry = (error: unknown) => {
      metrics.ledgerRetried('write');
      logger.warn({ err: error }, 'the database did not answer as it should; trying again');
    };
    const catalog = await createCatalog({
      db: database.db,
      refreshMs: config.catalog.refreshMs,
      clock,
      onRefreshFailed: (error) => logger.warn({ err: error }, 'models and prices could not be read again'),
    });
    started(catalog, () => catalog.stop());
    const lease = await startWorkerLease({
      db: database.db,
      leaseMs: config.ledger.leaseMs,
      clock,
      onLost: () => pipeline?.startOver(),
      onRetry,
    });
    started(lease, () => lease.stop());
    const ledgerStop = new AbortController();
    const ledger = createRequestLedger({
      db: database.db,
      ttlMs: config.ledger.ttlMs,
      stopSignal: ledgerStop.signal,
      onRetry,
    });
    started(ledger, () => ledgerStop.abort(new Error('the service has stopped')));
    const progress = new ProgressReporter(ledger, Math.floor(config.ledger.leaseMs / 3));
    started(progress, () => progress.stop());
    const failures = new FailureLog(logger);
    started(failures, () => failures.close());
    started(sink, () => sink.close());
    const provider = createOpenAiProvider({
      apiKey: config.openai.apiKey ?? '',
      organization: config.openai.organization,
      project: config.openai.project,
      baseUrl: config.openai.baseUrl,
      account: config.openai.project ?? config.openai.organization,
    });
    started(provider, () => provider.close());

    // 4 The pipeline, then the records.
    const topics = topicNames(config.topics.prefix);
    const codec = createAvroCodec({
      schemas: loadSchemas(),
      framing: { kind: 'single-object' },
      maxBytes: config.limits.recordMaxBytes,
    });
    const chunks = new ChunkPublisher({
      sink,
      codec,
      topic: topics.chunks,
      clock,
      maxBufferedBytes: CHUNK_BUFFER_BYTES,
      onPublished: (count) => metrics.chunksPublished(count),
    });
    source = new KafkaRequestSource(
      config.kafka,
      config.topics.requests.map(({ topic }) => topic),
      logger,
    );
    const running = new Pipeline({
      source,
      transport,
      decode: {
        codec,
        readBody,
        jsonMaxBytes: config.limits.recordMaxBytes,
        tenantOfTopic: new Map(config.topics.requests.map(({ topic, tenantId }) => [topic, tenantId])),
      },
      handler: {
        ledger,
        lease,
        clock,
        catalog,
        chunks,
        progress,
        failures,
        metrics,
        schemas: createSchemaCompiler(),
        tokens,
        outputs: new OutputRecords(topics, config.kafka.groupId),
        providers: new Map([[provider.name, provider]]),
        ledgerCodec: codec,
        wireCodec: codec,
        recordMaxBytes: config.limits.recordMaxBytes,
        requestTimeoutMs: config.limits.requestTimeoutMs,
        defaults: {
          provider: provider.name,
          model: config.defaults.model,
          temperature: config.defaults.temperature,
          maxOutputTokens: config.defaults.maxTokens,
        },
        policy: {
          retryAttempts: config.openai.retryAttempts,
          retryDelayMs: config.openai.retryDelayMs,
          firstTokenTimeoutMs: config.openai.firstTokenTimeoutMs,
          idleTimeoutMs: config.openai.idleTimeoutMs,
          restartOnBreak: config.openai.restartOnBreak,
        },
      },
      metrics,
      logger,
      groupId: config.kafka.groupId,
      maxInFlight: config.limits.maxInFlight,
      maxInFlightBytes: config.limits.maxInFlightBytes,
      tenantWeight: (tenantId) => config.limits.tenantWeights.get(tenantId) ?? 1,
      batchMaxBytes: config.limits.recordMaxBytes,
      settleSpacingMs: SETTLE_SPACING_MS,
      onCrash: onFatal,
    });
    pipeline = running;
    metrics.observe({
      requestsInFlight: () => running.inFlight,
      requestBytesInFlight: () => running.inFlightBytes,
      chunkBufferBytes: () => chunks.bufferedBytes,
      partitionsPaused: () => running.pausedPartitions,
      lanes: () => running.laneStates(),
      catalogAgeMs: () => catalog.ageMs(),
    });
    const requests = source;
    await requests.start(running);

    return {
      httpPort: health.port,
      stop: () => {
        stopping ??= (async () => {
          logger.info('stopping: finishing what runs');
          await running.drain(config.drainTimeoutMs);
          // Whoever leaves the group loses its partitions, so this comes after everything is settled.
          await requests.stop();
          await closeAll();
          logger.info('stopped');
        })();
        return stopping;
      },
    };
  } catch (error) {
    await source?.stop().catch(() => undefined);
    await closeAll();
    throw error;
  }
}

async function withAdmin(
  config: Config,
  logger: Logger,
  work: (admin: ReturnType<ReturnType<typeof createKafka>['admin']>) => Promise<void>,
): Promise<void> {
  const admin = createKafka(config.kafka, logger, PATIENT_RETRIES).admin();
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.disconnect();
  }
}

function readiness(pipeline: Pipeline | null, source: KafkaRequestSource | null, stopping: boolean): Check[] {
  const lanes = pipeline?.laneStates() ?? { open: 0, opening: 0, halted: 0, closed: 0 };
  const fetchAgeMs = source?.lastFetchAgeMs() ?? null;
  const fetching = fetchAgeMs !== null && fetchAgeMs < FETCH_MAX_AGE_MS;
  return [
    { name: 'running', ok: !stopping, why: stopping ? 'stopping' : 'not stopping' },
    {
      name: 'group',
      ok: pipeline?.wasAssigned ?? false,
      why: 'ready after the first assignment of partitions',
    },
    {
      name: 'lanes',
      ok: lanes.opening === 0 && lanes.halted === 0,
      why: `${lanes.open} open, ${lanes.opening} opening, ${lanes.halted} halted`,
    },
    {
      name: 'fetch',
      ok: fetching,
      why: fetchAgeMs === null ? 'nothing fetched yet' : `last answer ${Math.round(fetchAgeMs)} ms ago`,
    },
  ];
}
