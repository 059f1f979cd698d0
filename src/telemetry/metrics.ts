import type { Attributes, Meter } from '@opentelemetry/api';
import { ModelLabels } from './model-labels.ts';
import { attribute, metricName, present } from './names.ts';
import { type Gauges, observeGauges } from './observe-gauges.ts';
import type { TokenCounts } from './spans.ts';

/** Bucket bounds in seconds for provider calls, as the GenAI conventions recommend. */
const OPERATION_SECONDS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
/** Bucket bounds in seconds for waiting of any kind, up to several minutes. */
const REQUEST_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640];
/** Bucket bounds in seconds for round trips to the broker and the database. */
const ROUND_TRIP_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 1, 2.5, 5, 10,
];
/** Bucket bounds in tokens, as the GenAI conventions recommend. */
const TOKENS = [
  1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
];
const COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** The labels of a provider call's metrics. Never ids: their number has no bound. */
export interface CallLabels {
  readonly provider: string;
  readonly requestModel: string;
  readonly responseModel?: string | null;
  /** The failure's error code. */
  readonly errorCode?: string | null;
}

export type Metrics = ReturnType<typeof createMetrics>;

/** The service's instruments as plain recording methods. All durations come in milliseconds and leave in seconds. */
export function createMetrics(meter: Meter) {
  const seconds = (name: string, description: string, bounds: number[]) =>
    meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: bounds } });
  const counter = (name: string, description: string, unit: string) =>
    meter.createCounter(name, { description, unit });

  const requestsFinished = counter(metricName.requestsFinished, 'Requests with an outcome', '{request}');
  const requestDuration = seconds(
    metricName.requestDuration,
    'From fetching a request to its outcome',
    REQUEST_SECONDS,
  );
  const responsesReplayed = counter(
    metricName.responsesReplayed,
    'Answers repeated from the ledger',
    '{response}',
  );
  const deadLetters = counter(metricName.deadLetters, 'Records sent to the dead-letter topic', '{record}');
  const providerCalls = counter(metricName.providerCalls, 'Provider calls by how they ended', '{call}');
  const operationDuration = seconds(
    metricName.operationDuration,
    'Duration of provider calls',
    OPERATION_SECONDS,
  );
  const timeToFirstChunk = seconds(
    metricName.timeToFirstChunk,
    'From a provider call to its first piece',
    OPERATION_SECONDS,
  );
  const tokenUsage = meter.createHistogram(metricName.tokenUsage, {
    description: 'Tokens used by provider calls',
    unit: '{token}',
    advice: { explicitBucketBoundaries: TOKENS },
  });
  const cost = counter(
    metricName.cost,
    'Cost of provider calls; the exact sums are in the cost events',
    '{currency}',
  );
  const chunksPublished = counter(metricName.chunksPublished, 'Chunks acknowledged by the broker', '{chunk}');
  const chunkWriteFailures = counter(
    metricName.chunkWriteFailures,
    "Times that a partition's chunks or announcements were not written, by the broker's error",
    '{failure}',
  );
  const publishFailures = counter(
    metricName.publishFailures,
    'Chunk streams and announcements that were given up, by reason',
    '{failure}',
  );
  const toolCalls = counter(metricName.toolCalls, 'Tool calls by their first problem', '{call}');
  const structuredOutputs = counter(
    metricName.structuredOutputs,
    'Structured outputs by their first problem',
    '{choice}',
  );
  const schemaCheckDuration = seconds(
    metricName.schemaCheckDuration,
    "From handing over an answer's checks to their results",
    ROUND_TRIP_SECONDS,
  );
  const schemaCheckersLost = counter(
    metricName.schemaCheckersLost,
    'Processes for checks that were ended or died, and replaced',
    '{process}',
  );
  const settleDuration = seconds(
    metricName.settleDuration,
    'From handing over a settle transaction to its commit',
    ROUND_TRIP_SECONDS,
  );
  const settleRequests = meter.createHistogram(metricName.settleRequests, {
    description: 'Requests per settle transaction',
    unit: '{request}',
    advice: { explicitBucketBoundaries: COUNTS },
  });
  const settleDelay = seconds(
    metricName.settleDelay,
    'From an outcome to its visibility',
    ROUND_TRIP_SECONDS,
  );
  const settleDoubts = counter(
    metricName.settleDoubts,
    'Transactions whose outcome was unknown',
    '{transaction}',
  );
  const outcomesUnpublished = counter(
    metricName.outcomesUnpublished,
    'Outcomes that the broker refused in every form',
    '{outcome}',
  );
  const gateWait = seconds(metricName.gateWait, 'What calls waited for limits and outages', REQUEST_SECONDS);
  const ledgerDuration = seconds(
    metricName.ledgerDuration,
    'Duration of ledger operations',
    ROUND_TRIP_SECONDS,
  );
  const ledgerRetries = counter(metricName.ledgerRetries, 'Ledger operations tried again', '{retry}');

  const laneOpenings = counter(metricName.laneOpenings, 'Lanes that were opened', '{lane}');
  const claimsTakenOver = counter(
    metricName.claimsTakenOver,
    'Claims of dead workers that were taken over',
    '{claim}',
  );
  const leaseLosses = counter(metricName.leaseLosses, 'Times that this worker lost its lease', '{lease}');
  const quarantined = counter(
    metricName.requestsQuarantined,
    'Requests called from quarantine because workers crashed while they had them',
    '{request}',
  );
  const poisoned = counter(metricName.requestsPoisoned, 'Requests that ended as poison', '{request}');
  const cancellations = counter(
    metricName.cancellations,
    'Cancellations by what they led to',
    '{cancellation}',
  );

  // An alert on an increase needs a zero before the first event. Counters with labels cannot be initialized: their labels are unknown.
  for (const unlabelled of [
    responsesReplayed,
    chunksPublished,
    toolCalls,
    structuredOutputs,
    settleDoubts,
    outcomesUnpublished,
    laneOpenings,
    claimsTakenOver,
    leaseLosses,
    quarantined,
    poisoned,
  ])
    unlabelled.add(0);

  const models = new ModelLabels();
  const modelOf = (name: string | null | undefined) => (name == null ? name : models.of(name, null));
  const callLabels = (
    of: CallLabels,
    requestModel = models.of(of.requestModel, of.errorCode ?? null),
  ): Attributes =>
    present({
      [attribute.genAiOperation]: 'chat',
      [attribute.genAiProvider]: of.provider,
      [attribute.genAiRequestModel]: requestModel,
      [attribute.genAiResponseModel]: modelOf(of.responseModel),
      [attribute.errorType]: of.errorCode,
    });

  return {
    /** A request has its outcome. `status` is COMPLETED, FAILED or CANCELLED. */
    requestFinished(of: {
      status: string;
      code?: string | null;
      model: string | null;
      durationMs: number;
    }): void {
      const labels = present({
        [attribute.status]: of.status,
        [attribute.errorType]: of.code,
        [attribute.genAiRequestModel]: modelOf(of.model),
      });
      requestsFinished.add(1, labels);
      requestDuration.record(of.durationMs / 1000, labels);
    },

    /** An outcome was taken from the ledger for a repeated request. */
    responseReplayed(): void {
      responsesReplayed.add(1);
    },

    deadLetter(code: string): void {
      deadLetters.add(1, { [attribute.errorType]: code });
    },

    /** A provider call ended. Usage is recorded as far as it is known. */
    providerCall(
      of: CallLabels & { disposition: string; durationMs: number; usage?: TokenCounts | null },
    ): void {
      const labels = callLabels(of);
      providerCalls.add(1, { ...labels, [attribute.disposition]: of.disposition });
      operationDuration.record(of.durationMs / 1000, labels);
      if (!of.usage) return;
      tokenUsage.record(of.usage.inputTokens, { ...labels, [attribute.genAiTokenType]: 'input' });
      tokenUsage.record(of.usage.outputTokens, { ...labels, [attribute.genAiTokenType]: 'output' });
    },

    firstChunk(of: CallLabels, elapsedMs: number): void {
      timeToFirstChunk.record(elapsedMs / 1000, callLabels(of));
    },

    /** What a request's calls cost. A metric is inexact; bills come from the cost events. */
    costCalculated(of: { amount: number; currency: string; model: string }): void {
      cost.add(of.amount, {
        [attribute.currency]: of.currency,
        [attribute.genAiRequestModel]: modelOf(of.model),
      });
    },

    /** Once per send, not per chunk. */
    chunksPublished(count: number): void {
      chunksPublished.add(count);
    },

    /** Records of a partition outside transactions were not written. They are retried or refused. */
    chunkWriteFailed(errorType: string): void {
      chunkWriteFailures.add(1, { [attribute.errorType]: errorType });
    },

    /** @param kind stream, announcement or publisher */
    publishFailed(kind: string, reason: string): void {
      publishFailures.add(1, { [attribute.publishFailureKind]: kind, [attribute.errorType]: reason });
    },

    /** @param problemCode of the first problem; null when the call fits its tool */
    toolCallChecked(problemCode: string | null): void {
      toolCalls.add(1, present({ [attribute.problemCode]: problemCode }));
    },

    /** @param problemCode of the first problem; null when the text fits its schema */
    structuredOutputChecked(problemCode: string | null): void {
      structuredOutputs.add(1, present({ [attribute.problemCode]: problemCode }));
    },

    /** An answer was checked against its schemas. */
    answerChecked(durationMs: number): void {
      schemaCheckDuration.record(durationMs / 1000);
    },

    /** The checker process was ended or died. @param reason one of a few values */
    schemaCheckerLost(reason: string): void {
      schemaCheckersLost.add(1, { [attribute.errorType]: reason });
    },

    /** A settle transaction was committed. */
    settled(of: { requests: number; durationMs: number }): void {
      settleDuration.record(of.durationMs / 1000);
      settleRequests.record(of.requests);
    },

    /** A request's outcome became visible, `delayMs` after it was finished. */
    outcomeVisible(delayMs: number): void {
      settleDelay.record(delayMs / 1000);
    },

    settleInDoubt(): void {
      settleDoubts.add(1);
    },

    /** A broker refused an outcome in every form: nothing of it was published. */
    outcomeUnpublished(): void {
      outcomesUnpublished.add(1);
    },

    laneOpened(): void {
      laneOpenings.add(1);
    },

    /** This worker took over a claim of a dead worker. */
    claimTakenOver(): void {
      claimsTakenOver.add(1);
    },

    leaseLost(): void {
      leaseLosses.add(1);
    },

    /** A request is called from quarantine, because workers crashed while they handled it. */
    quarantined(): void {
      quarantined.add(1);
    },

    /** A request ended as poison; repetitions of its answer do not count. */
    poisoned(): void {
      poisoned.add(1);
    },

    /**
     * @param result `reached`: a request of this worker, `remembered`: this worker has no such request so far, `unreadable`: the
     *   record was skipped
     */
    cancellation(result: 'reached' | 'remembered' | 'unreadable'): void {
      cancellations.add(1, { [attribute.cancellationResult]: result });
    },

    /** A call got its permit after it had to wait. */
    gateWaited(of: CallLabels, durationMs: number): void {
      gateWait.record(durationMs / 1000, callLabels(of, models.of(of.requestModel)));
    },

    /** `operation` is the port's method name. */
    ledgerOperation(operation: string, durationMs: number, errorCode?: string): void {
      ledgerDuration.record(
        durationMs / 1000,
        present({ [attribute.ledgerOperation]: operation, [attribute.errorType]: errorCode }),
      );
    },

    ledgerRetried(operation: string): void {
      ledgerRetries.add(1, { [attribute.ledgerOperation]: operation });
    },

    /** Registers the current values. Call once. */
    observe: (gauges: Gauges): void => observeGauges(meter, gauges),
  };
}
