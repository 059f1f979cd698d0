import { createSingleObjectCodec } from '../../adapters/avro/single-object-codec.ts';
import { IsolatedSchemaChecker } from '../../adapters/json-schema/schema-checker.ts';
import { KafkaRequestSource } from '../../adapters/kafka/consumer/request-source.ts';
import { KafkaWriter } from '../../adapters/kafka/writer/kafka-writer.ts';
import { createCatalog } from '../../adapters/mongo/catalog/catalog-cache.ts';
import { createDatabaseClock } from '../../adapters/mongo/client/database-clock.ts';
import { type RunningWorkerLease, startWorkerLease } from '../../adapters/mongo/leases/worker-lease.ts';
import { createRequestLedger } from '../../adapters/mongo/ledger/ledger.ts';
import { createBudgetGate } from '../../adapters/mongo/spend/budget-gate.ts';
import { createOpenAiProvider } from '../../adapters/openai/openai-provider.ts';
import { createTokenCounter } from '../../adapters/tokenizer/token-counter.ts';
import { settledTopics, topicNames } from '../../contract/topics.ts';
import { Admission } from '../../pipeline/admission/admission.ts';
import { FailureLog } from '../../pipeline/calling/failure-log.ts';
import { ProgressReporter } from '../../pipeline/calling/progress-reporter.ts';
import { ChunkPublisher } from '../../pipeline/chunks/chunk-publisher.ts';
import { publishFailureLog } from '../../pipeline/chunks/publish-failure-log.ts';
import { Claims } from '../../pipeline/claims/claims.ts';
import { HeldClaims } from '../../pipeline/claims/held-claims.ts';
import { Cancellations } from '../../pipeline/intake/cancellations.ts';
import { OutputRecords } from '../../pipeline/outcome/output-records.ts';
import { Pipeline } from '../../pipeline/pipeline.ts';
import { untilAborted } from '../../runtime/until-aborted.ts';
import { reservationTtlMs } from '../../spend/reservation-ttl.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { checkDefaultModel } from '../check-default-model.ts';
import { joinGroup } from '../join-group.ts';
import { quietWarning } from '../quiet-warning.ts';
import { DefectFound, type RoleContext, type RunningRole } from '../role.ts';
import { StartedParts } from '../started-parts.ts';
import { decodeOptions } from './decode-options.ts';
import { followCancellations } from './follow-cancellations.ts';
import { watchBudgets } from './watch-budgets.ts';
import { watchLedger } from './watch-ledger.ts';
import { liveChecks, readyChecks, type WorkerHealth } from './worker-health.ts';

/** Chunks that may wait for the broker before provider streams are read more slowly. */
const CHUNK_BUFFER_BYTES = 64 * 1024 * 1024;
/** How long the outcomes of a busy lane wait at most to share a transaction. */
const SETTLE_SPACING_MS = 100;
/** How soon a worker notices a changed budget, and that spend has fallen behind or caught up. */
const BUDGET_REFRESH_MS = 5_000;

/** Starts the role `worker`: a member of the consumer group that answers the requests of its partitions. */
export async function startWorker(context: RoleContext): Promise<RunningRole> {
  const { config, logger, telemetry, db, signal, onFatal } = context;
  const clock = createDatabaseClock(context.clock);
  const parts = new StartedParts(logger);
  let pipeline: Pipeline | null = null;
  let source: KafkaRequestSource | null = null;
  let lease: RunningWorkerLease | null = null;
  let heldClaims: HeldClaims | null = null;
  let drainTimeoutMs = config.drainTimeoutMs;
  let draining: Promise<void> | undefined;
  const drain = () => {
    // After a defect, a request that does not end in time may be its cause, so it counts as crashed.
    if (draining === undefined && !(signal.reason instanceof DefectFound)) void lease?.announceStop();
    draining ??= pipeline?.drain(drainTimeoutMs);
    return draining;
  };
  const stop = async () => {
    await drain();
    // Leaving the group loses the partitions, so this comes after everything is settled.
    await source
      ?.stop()
      .catch((error: unknown) => logger.warn({ err: error }, 'a resource of the role could not be closed'));
    await parts.close();
  };

  try {
    // 1 Create what the handling of requests needs.
    const topics = topicNames(config.topics.prefix);
    const metrics = createMetrics(telemetry.meter);
    const connecting = KafkaWriter.connect(config.kafka, logger, {
      outputs: settledTopics(config.topics.prefix),
      sinkTopics: [topics.chunks, topics.messageSent, ...config.topics.replies],
      onCrash: (error) => {
        // Nothing more can be published, so there is nothing to wait for.
        drainTimeoutMs = 0;
        onFatal(error);
      },
      onWriteFailed: (errorType) => metrics.chunkWriteFailed(errorType),
    });
    const writer = await untilAborted(connecting, signal);
    parts.add(writer, () => writer.close());
    const { transport, sink } = writer;
    const schemas = new IsolatedSchemaChecker({
      logger,
      onProcessLost: (reason) => metrics.schemaCheckerLost(reason),
      onChecked: (durationMs) => metrics.answerChecked(durationMs),
    });
    parts.add(schemas, () => schemas.close());
    schemas.start();
    const tokens = await createTokenCounter();
    const warn = quietWarning(logger, clock, 'a database operation failed; trying again');
    const onRetry = (error: unknown) => {
      metrics.ledgerRetried('write');
      warn(error);
    };
    const catalog = await createCatalog({
      db,
      refreshMs: config.catalog.refreshMs,
      clock,
      onRefreshFailed: (error) =>
        logger.warn({ err: error }, 'models and prices could not be refreshed; using those of the last read'),
    });
    parts.add(catalog, () => catalog.stop());
    checkDefaultModel(catalog, 'openai', config.defaults.model, clock.now(), logger);
    const startingLease = startWorkerLease({
      db,
      leaseMs: config.ledger.leaseMs,
      clock,
      onLost: () => {
        metrics.leaseLost();
        logger.error('the lease was lost; aborting all requests in flight and starting over');
        pipeline?.startOver('the worker lost its lease');
      },
      onUnreachable: () => {
        logger.error(
          'MongoDB does not answer; leaving the consumer group until it does, calls in flight continue',
        );
        source?.leave(new Error('MongoDB does not answer this worker'));
      },
      onRenewed: () => {
        logger.info('the lease was renewed after an outage; verifying claims');
        void heldClaims?.verify();
        source?.rejoin();
      },
      onServerTime: clock.observe,
      onRetry,
    });
    const ownLease = await untilAborted(startingLease, signal);
    lease = ownLease;
    parts.add(ownLease, () => ownLease.stop());
    const ledgerStop = new AbortController();
    const stored = createRequestLedger({
      db,
      ttlMs: config.ledger.ttlMs,
      stopSignal: ledgerStop.signal,
      onRetry,
    });
    const ledger = watchLedger(stored, metrics, clock, logger);
    parts.add(stored, () => ledgerStop.abort(new Error('the service has stopped')));
    const budgets = await createBudgetGate({
      db,
      policy: { signal: ledgerStop.signal, onRetry },
      clock,
      refreshMs: BUDGET_REFRESH_MS,
      reservationTtlMs: reservationTtlMs(config.limits.requestTimeoutMs),
      onChanged: ({ length }) => logger.info({ budgets: length }, 'budgets have changed'),
      onRefreshFailed: (error) =>
        logger.warn({ err: error }, 'budgets could not be refreshed; using those of the last read'),
    });
    parts.add(budgets, () => budgets.stop());
    const beatMs = Math.floor(config.ledger.leaseMs / 3);
    const held = new HeldClaims({
      ledger,
      intervalMs: beatMs,
      onWanted: () => {
        if (source?.hasLostGroup() !== true) return;
        logger.error(
          'Kafka does not answer and the group has reassigned the partitions; releasing all claims',
        );
        pipeline?.startOver('the group has assigned the partitions to other workers');
      },
    });
    heldClaims = held;
    parts.add(held, () => held.stop());
    const progress = new ProgressReporter(ledger, beatMs);
    parts.add(progress, () => progress.stop());
    const failures = new FailureLog(logger);
    parts.add(failures, () => failures.close());
    parts.add(sink, () => sink.close());
    const provider = createOpenAiProvider({
      apiKey: config.openai.apiKey ?? '',
      organization: config.openai.organization,
      project: config.openai.project,
      baseUrl: config.openai.baseUrl,
      headers: config.openai.headers,
      query: config.openai.query,
      proxy: config.openai.proxy,
      streamOptions: config.openai.streamOptions,
      account: config.openai.project ?? config.openai.organization,
    });
    parts.add(provider, () => provider.close());
    const admission = new Admission({
      maxRunning: config.limits.maxInFlight,
      weightOf: (tenantId) => config.limits.tenantWeights.get(tenantId) ?? 1,
      clock,
      random: Math.random,
      outage: config.openai.outage,
      logger,
      onWaited: ({ provider: name, model }, durationMs) =>
        metrics.gateWaited({ provider: name, requestModel: model }, durationMs),
    });

    // 2 Start the pipeline, then read records.
    const codec = createSingleObjectCodec(config.limits.recordMaxBytes);
    const logPublishFailure = publishFailureLog(logger, clock);
    const chunks = new ChunkPublisher({
      sink,
      codec,
      topic: topics.chunks,
      clock,
      maxBufferedBytes: CHUNK_BUFFER_BYTES,
      onPublished: (count) => metrics.chunksPublished(count),
      onFailed: (failure) => {
        metrics.publishFailed(failure.kind, failure.reason);
        logPublishFailure(failure);
      },
    });
    source = new KafkaRequestSource(
      config.kafka,
      config.topics.requests.map(({ topic }) => topic),
      logger,
    );
    const outputs = new OutputRecords(topics, config.kafka.groupId);
    const claims = new Claims({
      ledger,
      lease: ownLease,
      held,
      admission,
      clock,
      requestTimeoutMs: config.limits.requestTimeoutMs,
    });
    const cancellations = new Cancellations({ clock, metrics, logger });
    const followed = followCancellations({
      settings: config.kafka,
      topic: topics.cancellations,
      codec,
      cancellations,
      metrics,
      clock,
      logger,
    });
    parts.add(followed, () => followed.stop());
    const running = new Pipeline({
      source,
      transport,
      decode: decodeOptions(config, codec, (topic) => sink.partitionsOf(topic)),
      handler: {
        planning: {
          providers: new Map([[provider.name, provider]]),
          catalog,
          defaults: {
            provider: provider.name,
            model: config.defaults.model,
            temperature: config.defaults.temperature,
            maxOutputTokens: config.defaults.maxOutputTokens,
            refuseOverflow: config.defaults.refuseOverflow,
            retries: config.openai,
          },
          tokens,
        },
        admission,
        claims,
        budgets: {
          budgets: watchBudgets(budgets, config.budgets, telemetry.meter, logger),
          budgetPolicy: config.budgets,
        },
        caller: {
          output: { outputs, codec },
          chunks,
          progress,
          failures,
          clock,
          metrics,
          policy: {
            retryAttempts: config.openai.retryAttempts,
            retryDelayMs: config.openai.retryDelayMs,
            firstTokenTimeoutMs: config.openai.firstTokenTimeoutMs,
            slowFirstTokenTimeoutMs: config.openai.slowFirstTokenTimeoutMs,
            unstreamedTimeoutMs: config.openai.unstreamedTimeoutMs,
            idleTimeoutMs: config.openai.idleTimeoutMs,
            requestTimeoutMs: config.limits.requestTimeoutMs,
            restartOnBreak: config.openai.restartOnBreak,
          },
          tokens,
        },
        checker: { schemas, metrics },
        outcomes: {
          catalog,
          chunks,
          clock,
          metrics,
          logger,
          outputs,
          codec,
          recordMaxBytes: config.limits.recordMaxBytes,
        },
      },
      limits: {
        maxInFlight: config.limits.maxInFlight,
        maxInFlightBytes: config.limits.maxInFlightBytes,
        batchMaxBytes: config.limits.recordMaxBytes,
        settleSpacingMs: SETTLE_SPACING_MS,
      },
      cancellations,
      onCrash: onFatal,
    });
    pipeline = running;
    metrics.observe({
      requestsInFlight: () => running.inFlight,
      requestBytesInFlight: () => running.inFlightBytes,
      waitingForMemory: () => running.waitingForMemory,
      oldestUnsettledMs: () => running.oldestUnsettledMs(),
      chunksUnacknowledgedMs: () => chunks.oldestUnacknowledgedMs(),
      writerUnansweredMs: () => writer.unansweredMs(),
      chunkBufferBytes: () => chunks.bufferedBytes,
      partitionsPaused: () => running.pausedPartitions,
      lanes: () => running.laneStates(),
      catalogAgeMs: () => catalog.ageMs(),
      providerGates: () => admission.gateStates(),
      tasks: () => running.tasks,
      // Waits for another owner's claim are among the parked tasks (`tasks`).
      waits: () => ({
        slot: running.tasks.waiting,
        memory: running.waitingForMemory,
        provider: admission.gateStates().reduce((sum, { waiting }) => sum + waiting, 0),
      }),
      laneGauges: () => running.laneGauges(),
    });
    const requests = source;
    const drainAtOnce = () => void drain();
    signal.addEventListener('abort', drainAtOnce, { once: true });
    // A request whose cancellation is there already is not called.
    await untilAborted(followed.caughtUp, signal);
    await joinGroup(requests.start(running), signal);
    signal.removeEventListener('abort', drainAtOnce);
    const health: WorkerHealth = {
      wasAssigned: () => running.wasAssigned,
      lanes: () => running.laneStates(),
      lastFetchAgeMs: () => requests.lastFetchAgeMs(),
      writerUnansweredMs: () => writer.unansweredMs(),
      oldestUnsettledMs: () => running.oldestUnsettledMs(),
      chunksUnacknowledgedMs: () => chunks.oldestUnacknowledgedMs(),
      providers: () => admission.gateStates(),
      now: () => clock.now(),
    };

    return {
      ready: () => readyChecks(health),
      live: () => liveChecks(health, config.http.stuckAfterMs),
      stop,
    };
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}
