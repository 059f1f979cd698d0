import { metrics as telemetry } from '@opentelemetry/api';
import { vi } from 'vitest';
import { createAvroCodec } from '../../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../../src/adapters/avro/load-schemas.ts';
import { IsolatedSchemaChecker } from '../../../src/adapters/json-schema/schema-checker.ts';
import { readBody } from '../../../src/adapters/openai/json-body/read-body.ts';
import type { ChatRequestInput, ChatResponse } from '../../../src/contract/record-types.ts';
import { topicNames } from '../../../src/contract/topics.ts';
import { emptyDelta } from '../../../src/domain/completion/completion-delta.ts';
import { ChatFailure } from '../../../src/domain/failures/chat-failure.ts';
import type { Admission } from '../../../src/pipeline/admission/admission.ts';
import { FailureLog } from '../../../src/pipeline/calling/failure-log.ts';
import { ProgressReporter } from '../../../src/pipeline/calling/progress-reporter.ts';
import { ChunkPublisher } from '../../../src/pipeline/chunks/chunk-publisher.ts';
import { Claims } from '../../../src/pipeline/claims/claims.ts';
import { HeldClaims } from '../../../src/pipeline/claims/held-claims.ts';
import { Cancellations } from '../../../src/pipeline/intake/cancellations.ts';
import { OutputRecords } from '../../../src/pipeline/outcome/output-records.ts';
import { Pipeline } from '../../../src/pipeline/pipeline.ts';
import type { Catalog } from '../../../src/ports/catalog.ts';
import type { LaneTransport, TopicPartition } from '../../../src/ports/kafka.ts';
import type { Claim, ClaimRequest, RequestLedger } from '../../../src/ports/ledger.ts';
import type { ChatProvider, ProviderStream, ServedBy } from '../../../src/ports/provider.ts';
import { createLogger } from '../../../src/runtime/logger.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { admissionOf } from '../../support/fakes/admission.ts';
import { FakeClock } from '../../support/fakes/fake-clock.ts';
import { FakeLaneTransport } from '../../support/fakes/fake-lane-transport.ts';
import { FakeLog } from '../../support/fakes/fake-log.ts';
import { FakeRecordSink } from '../../support/fakes/fake-record-sink.ts';
import { FakeRequestSource } from '../../support/fakes/fake-request-source.ts';
import { FakeTokenCounter } from '../../support/fakes/fake-token-counter.ts';
import { specified } from '../../support/fakes/handling.ts';
import { turn } from '../../support/fakes/turn.ts';

export const codec = createAvroCodec({
  schemas: loadSchemas(),
  framing: { kind: 'single-object' },
  maxBytes: 1_000_000,
});

const topics = topicNames('chat');

/**
 * A pipeline between fakes. Each request waits at the ledger until the test answers its claim, with a conflict unless it
 * wants something else: then the request ends with a refusal, without a provider.
 */
export class PipelineBench {
  readonly clock = new FakeClock();
  readonly source = new FakeRequestSource();
  readonly logs = [new FakeLog('chat.requests', 0), new FakeLog('chat.requests', 1)] as const;
  readonly transports = this.logs.map((log) => new FakeLaneTransport(log));
  readonly pipeline: Pipeline;
  readonly admission: Admission;
  readonly cancellations: Cancellations;
  readonly crashes: Error[] = [];
  /** Request ids in the order in which they were claimed. */
  readonly claimed: string[] = [];
  readonly completed: string[] = [];
  /** Ids of requests for which the provider was called. */
  readonly called: string[] = [];
  readonly markedSettled: string[] = [];
  markSettledFails = false;
  /** The error with which the ledger rejects outcomes. */
  completeFails: Error | null = null;
  /** Length of every answer; 0: the provider refuses every call. */
  answerBytes = 0;
  /** Lines of the pipeline's own log. */
  readonly logged: string[] = [];
  /** Called when the catalog is asked; may throw, as a bug would. */
  onModel: () => void = () => undefined;
  private readonly claims = new Map<string, PromiseWithResolvers<Claim>>();

  constructor(limits: { maxInFlight?: number; maxInFlightBytes?: number } = {}) {
    const { clock } = this;
    const maxInFlight = limits.maxInFlight ?? 10;
    this.admission = admissionOf(clock, { maxRunning: maxInFlight });
    const metrics = createMetrics(telemetry.getMeter('test'));
    const logger = createLogger({ level: 'silent' });
    this.cancellations = new Cancellations({ clock, metrics, logger });
    const ledger = this.ledger();
    const sink = new FakeRecordSink();
    sink.quick = true;
    const provider: ChatProvider = {
      name: 'openai',
      account: null,
      stream: async ({ request }) => {
        this.called.push(request.requestId);
        if (this.answerBytes > 0) return longAnswer(this.answerBytes);
        throw new ChatFailure('model_not_found', 'there is no such model', false, { httpStatus: 404 });
      },
    };
    const tokens = new FakeTokenCounter();
    const outputs = new OutputRecords(topics, 'group-1');
    const chunks = new ChunkPublisher({
      sink,
      codec,
      topic: topics.chunks,
      clock,
      maxBufferedBytes: 1_000_000,
    });
    const catalog: Catalog = {
      model: () => {
        this.onModel();
        return null;
      },
      nearest: () => [],
      price: () => null,
    };
    this.pipeline = new Pipeline({
      source: this.source,
      transport: this.transport(),
      decode: { codec, tenantOfTopic: new Map(), readBody, jsonMaxBytes: 100_000 },
      cancellations: this.cancellations,
      handler: {
        planning: {
          providers: new Map([['openai', provider]]),
          catalog,
          defaults: {
            provider: 'openai',
            model: 'gpt-4',
            temperature: specified(1),
            maxOutputTokens: specified(100),
          },
          tokens,
        },
        admission: this.admission,
        claims: new Claims({
          ledger,
          lease: {
            held: async () => 'worker-1',
            isDead: () => new Promise(() => undefined),
            hasEnded: async () => false,
          },
          held: new HeldClaims({ ledger, intervalMs: 60_000, onWanted: () => undefined }),
          admission: this.admission,
          clock,
          requestTimeoutMs: 60_000,
        }),
        budgets: {
          budgets: {
            of: () => [],
            spendAgeMs: () => null,
            reserve: async () => null,
            release: () => undefined,
          },
          budgetPolicy: { whenLedgerIsDown: 'refuse', ledgerMaxAgeMs: 60_000 },
        },
        caller: {
          output: { outputs, codec },
          chunks,
          progress: new ProgressReporter(ledger, 60_000),
          failures: new FailureLog(createLogger({ level: 'silent' })),
          clock,
          metrics,
          policy: {
            retryAttempts: 0,
            retryDelayMs: 1,
            firstTokenTimeoutMs: 1_000,
            idleTimeoutMs: 1_000,
            requestTimeoutMs: 60_000,
            restartOnBreak: false,
          },
          tokens,
        },
        checker: {
          schemas: new IsolatedSchemaChecker({ logger: createLogger({ level: 'silent' }) }),
          metrics,
        },
        outcomes: {
          catalog,
          chunks,
          clock,
          metrics,
          logger: createLogger({ level: 'info', destination: { write: (line) => this.logged.push(line) } }),
          outputs,
          codec,
          recordMaxBytes: 900_000,
        },
      },
      limits: {
        maxInFlight,
        maxInFlightBytes: limits.maxInFlightBytes ?? 100_000_000,
        batchMaxBytes: 900_000,
        settleSpacingMs: 0,
      },
      onCrash: (error) => this.crashes.push(error),
    });
    this.source.listener = this.pipeline;
  }

  /** An assignment, and its lanes open. */
  async assign(...partitions: number[]): Promise<void> {
    this.pipeline.assigned(
      'member-1',
      partitions.map((partition) => this.log(partition)),
    );
    await this.reach(() => this.pipeline.laneStates().open === partitions.length);
  }

  log(partition = 0): FakeLog {
    const log = this.logs[partition];
    if (log === undefined) throw new RangeError(`there is no partition ${partition}`);
    return log;
  }

  transportOf(partition = 0): FakeLaneTransport {
    const transport = this.transports[partition];
    if (transport === undefined) throw new RangeError(`there is no partition ${partition}`);
    return transport;
  }

  publish(requestId: string, key = requestId, partition = 0, request: Partial<ChatRequestInput> = {}): void {
    const value = codec.encode('ChatRequest', {
      requestId,
      messages: [{ role: 'user', content: 'Hi' }],
      ...request,
    });
    this.log(partition).append({ key: Buffer.from(key), value });
  }

  /** Answers the claims of a request, future ones included. */
  answer(requestId: string, claim: Claim = { kind: 'conflict' }): void {
    this.gate(requestId).resolve(claim);
  }

  fetch(): void {
    for (const log of this.logs) this.source.fetchAll(log);
  }

  /** Waits until a condition holds. */
  async reach(isSo: () => boolean): Promise<void> {
    await vi.waitUntil(isSo, { interval: 1, timeout: 10_000 });
  }

  /** What consumers of the responses see. */
  responses(partition = 0): ChatResponse[] {
    return this.transportOf(partition)
      .visible.filter(({ topic }) => topic === topics.responses)
      .map(({ value }) => codec.decode('ChatResponse', value).record);
  }

  answeredIds(partition = 0): string[] {
    return this.responses(partition).map(({ requestId }) => requestId);
  }

  failNextCommit(when: 'beforeCommit' | 'afterCommit', error = new Error('timeout'), partition = 0): void {
    const transport = this.transportOf(partition);
    transport[when] = () => {
      transport[when] = () => undefined;
      throw error;
    };
  }

  private gate(requestId: string): PromiseWithResolvers<Claim> {
    const gate = this.claims.get(requestId) ?? Promise.withResolvers<Claim>();
    this.claims.set(requestId, gate);
    return gate;
  }

  private transport(): LaneTransport {
    const of = ({ partition }: TopicPartition) => this.transportOf(partition);
    return {
      clusterId: this.transportOf(0).clusterId,
      holds: (memberId, partition) => of(partition).holds(memberId, partition),
      fence: (partition) => of(partition).fence(partition),
      committedPosition: (partition) => of(partition).committedPosition(partition),
      topicId: (topic) => this.transportOf(0).topicId(topic),
    };
  }

  private ledger(): RequestLedger {
    return {
      claim: ({ identity }: ClaimRequest) => {
        this.claimed.push(identity.requestId);
        return this.gate(identity.requestId).promise;
      },
      complete: async ({ requestId }) => {
        if (this.completeFails !== null) throw this.completeFails;
        this.completed.push(requestId);
        return true;
      },
      markUnpublished: async () => undefined,
      markSettled: async (settled) => {
        this.markedSettled.push(...settled.map(({ identity }) => identity.requestId));
        if (this.markSettledFails) throw new Error('the database is unavailable');
      },
      beginAttempt: async () => true,
      claimToken: async () => 'theirs',
      setQuarantined: async () => true,
      release: async () => undefined,
      verifyClaims: async () => ({ taken: new Set(), isWanted: false }),
      reportProgress: async () => undefined,
    };
  }
}

const unserved: ServedBy = {
  responseId: null,
  model: null,
  serviceTier: null,
  systemFingerprint: null,
  moderationJson: null,
  providerRequestId: null,
};
const PIECE_BYTES = 10_000;

/** An answer in pieces, one per event. */
function longAnswer(bytes: number): ProviderStream {
  const piece = { ...emptyDelta(0), content: 'x'.repeat(PIECE_BYTES) };
  const end = { ...emptyDelta(0), finishReason: 'stop' };
  return {
    served: unserved,
    rateLimits: null,
    async *[Symbol.asyncIterator]() {
      for (let sent = 0; sent < bytes; sent += PIECE_BYTES) {
        yield { deltas: [piece], usage: null };
        await turn();
      }
      yield { deltas: [end], usage: null };
    },
  };
}

/** A pipeline that has both partitions. */
export async function started(
  limits?: ConstructorParameters<typeof PipelineBench>[0],
): Promise<PipelineBench> {
  const bench = new PipelineBench(limits);
  await bench.assign(0, 1);
  return bench;
}
