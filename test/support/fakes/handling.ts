import { metrics as openTelemetryMetrics, ROOT_CONTEXT } from '@opentelemetry/api';
import { createAvroCodec } from '../../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../../src/adapters/avro/load-schemas.ts';
import { IsolatedSchemaChecker } from '../../../src/adapters/json-schema/schema-checker.ts';
import { readBody } from '../../../src/adapters/openai/json-body/read-body.ts';
import type { ChatRequest, ChatRequestInput } from '../../../src/contract/record-types.ts';
import { topicNames } from '../../../src/contract/topics.ts';
import type { Admission } from '../../../src/pipeline/admission/admission.ts';
import type { Default } from '../../../src/pipeline/admission/plan-call.ts';
import type { CallPolicy } from '../../../src/pipeline/calling/caller-options.ts';
import { FailureLog } from '../../../src/pipeline/calling/failure-log.ts';
import { ProgressReporter } from '../../../src/pipeline/calling/progress-reporter.ts';
import { ChunkPublisher } from '../../../src/pipeline/chunks/chunk-publisher.ts';
import { Claims } from '../../../src/pipeline/claims/claims.ts';
import { HeldClaims } from '../../../src/pipeline/claims/held-claims.ts';
import { handleRequest } from '../../../src/pipeline/handling/handle-request.ts';
import type { HandlerOptions } from '../../../src/pipeline/handling/handler-options.ts';
import { decodeRequest, type RequestToHandle } from '../../../src/pipeline/intake/decode-request.ts';
import { MemoryBudget } from '../../../src/pipeline/intake/memory-budget.ts';
import type { HandledRequest } from '../../../src/pipeline/outcome/handled-request.ts';
import { OutputRecords } from '../../../src/pipeline/outcome/output-records.ts';
import type { InboundRecord, OutboundRecord } from '../../../src/ports/kafka.ts';
import type { RequestLedger, WorkerLease } from '../../../src/ports/ledger.ts';
import { createLogger } from '../../../src/runtime/logger.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { admissionOf, hurry, inSlot, runningSeat } from './admission.ts';
import { FakeBudgets } from './fake-budgets.ts';
import { FakeCatalog, modelInfo, priceOf } from './fake-catalog.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeLease } from './fake-lease.ts';
import { FakeLedger } from './fake-ledger.ts';
import { FakeProvider } from './fake-provider.ts';
import { FakeRecordSink } from './fake-record-sink.ts';
import { FakeTokenCounter } from './fake-token-counter.ts';

export const RECORD_MAX_BYTES = 100_000;
export const codec = createAvroCodec({
  schemas: loadSchemas(),
  framing: { kind: 'single-object' },
  maxBytes: RECORD_MAX_BYTES,
});
const topics = topicNames('chat');
/** Its process starts with the first schema. */
const schemas = new IsolatedSchemaChecker({ logger: createLogger({ level: 'silent' }) });
const metrics = createMetrics(openTelemetryMetrics.getMeter('test'));

/** A default that nobody chose: the specification's. */
export function specified(value: number): Default {
  return { value, isConfigured: false };
}

/** A decoded request, by default one message to gpt-4. */
export function chatRequest(members: Partial<ChatRequestInput> = {}): ChatRequest {
  const request: ChatRequestInput = {
    requestId: 'request-1',
    model: 'gpt-4',
    messages: [{ role: 'user', content: 'Say hello to the world.' }],
    ...members,
  };
  return codec.decode('ChatRequest', codec.encode('ChatRequest', request)).record;
}

/** The parts of `HandlerOptions` by name, so that a test can replace one. */
export type HandlingParts = HandlerOptions['planning'] &
  HandlerOptions['budgets'] &
  HandlerOptions['checker'] &
  HandlerOptions['outcomes'] &
  Pick<HandlerOptions['caller'], 'progress' | 'failures'> & {
    readonly admission: Admission;
    readonly ledger: RequestLedger;
    readonly lease: WorkerLease;
    readonly requestTimeoutMs: number;
    readonly policy: Omit<CallPolicy, 'requestTimeoutMs'>;
  };

/** All dependencies of request handling, in memory. */
export class Handling {
  readonly clock = new FakeClock();
  readonly ledger = new FakeLedger();
  readonly lease = new FakeLease();
  readonly catalog = new FakeCatalog();
  readonly budgets = new FakeBudgets();
  readonly sink = new FakeRecordSink();
  readonly tokens = new FakeTokenCounter();
  readonly memory = new MemoryBudget(1_000_000_000);
  readonly stop = new AbortController();
  /** Reports only when a test says so. */
  readonly progress = new ProgressReporter(this.ledger, 2_147_483_647);
  /** Verified only when a test says so. */
  readonly claims: HeldClaims;
  readonly provider: FakeProvider;
  readonly options: HandlingParts;
  private made: { readonly by: HandlingParts; readonly claims: Claims } | null = null;
  private nextOffset = 7;

  constructor(provider: FakeProvider = new FakeProvider(), overrides: Partial<HandlingParts> = {}) {
    this.provider = provider;
    this.sink.quick = true;
    this.catalog.models.set('openai/gpt-4', modelInfo('gpt-4'));
    this.catalog.prices.push(priceOf('gpt-4'));
    const chunks = new ChunkPublisher({
      sink: this.sink,
      codec,
      topic: topics.chunks,
      clock: this.clock,
      maxBufferedBytes: 1_000_000,
      spacingMs: 0,
    });
    const { ledger = this.ledger } = overrides;
    this.claims = new HeldClaims({ ledger, intervalMs: 2_147_483_647, onWanted: () => undefined });
    this.options = {
      ledger: this.ledger,
      lease: this.lease,
      clock: this.clock,
      catalog: this.catalog,
      budgets: this.budgets,
      budgetPolicy: { whenLedgerIsDown: 'refuse', ledgerMaxAgeMs: 60_000 },
      chunks,
      progress: this.progress,
      failures: new FailureLog(createLogger({ level: 'silent' })),
      logger: createLogger({ level: 'silent' }),
      metrics,
      schemas,
      tokens: this.tokens,
      outputs: new OutputRecords(topics, 'group a'),
      providers: new Map([[provider.name, provider]]),
      codec,
      recordMaxBytes: RECORD_MAX_BYTES,
      requestTimeoutMs: 60_000,
      defaults: {
        provider: 'openai',
        model: 'gpt-4',
        temperature: specified(0.7),
        maxOutputTokens: specified(4_000),
      },
      policy: {
        retryAttempts: 3,
        retryDelayMs: 0,
        firstTokenTimeoutMs: 120_000,
        idleTimeoutMs: 30_000,
        restartOnBreak: true,
      },
      admission: admissionOf(hurry()),
      ...overrides,
    };
  }

  /** What the parts make, as they are now. */
  get handler(): HandlerOptions {
    const { admission, ledger, lease, requestTimeoutMs, policy, ...parts } = this.options;
    const { clock } = parts;
    const by = this.made?.by;
    if (this.made === null || by?.admission !== admission || by.requestTimeoutMs !== requestTimeoutMs) {
      const claims = new Claims({ ledger, lease, held: this.claims, admission, clock, requestTimeoutMs });
      this.made = { by: { ...this.options }, claims };
    }
    return {
      planning: parts,
      admission,
      claims: this.made.claims,
      budgets: parts,
      caller: {
        ...parts,
        output: parts,
        policy: { ...policy, requestTimeoutMs },
      },
      checker: parts,
      outcomes: parts,
    };
  }

  /** A record of the request topic, each at an offset of its own. */
  record(members: Partial<ChatRequestInput> = {}, record: Partial<InboundRecord> = {}): InboundRecord {
    const offset = this.nextOffset;
    this.nextOffset += 1;
    const request = chatRequest(members);
    return {
      topic: 'chat.requests',
      partition: 3,
      offset,
      timestamp: this.clock.now() - 40,
      key: Buffer.from('conversation-1'),
      value: codec.encode('ChatRequest', request),
      headers: {},
      ...record,
    };
  }

  job(record: InboundRecord, members: Partial<RequestToHandle> = {}): RequestToHandle {
    return {
      accepted: decodeRequest(record, { codec, tenantOfTopic: new Map(), readBody, jsonMaxBytes: 100_000 }),
      acceptedAt: this.clock.now(),
      acceptedMonotonic: this.clock.monotonic(),
      trace: ROOT_CONTEXT,
      memory: this.memory.open(0),
      seat: members.seat ?? runningSeat(this.options.admission),
      cancelled: new AbortController().signal,
      givenUp: null,
      ...members,
    };
  }

  handle(record: InboundRecord, members: Partial<RequestToHandle> = {}): Promise<HandledRequest> {
    return inSlot(this.options.admission, (seat) =>
      handleRequest(this.job(record, { seat, ...members }), this.handler, this.stop.signal),
    );
  }

  /** The calls that the ledger knows of a request. */
  attempts(requestId = 'request-1', tenantId = 'default') {
    return this.ledger.rows.get(`${tenantId} ${requestId}`)?.attempts ?? [];
  }

  /** What was published outside the transaction, in order. */
  published(): OutboundRecord[] {
    return this.sink.sends.flat();
  }

  chunks() {
    return this.published()
      .filter(({ topic }) => topic === topics.chunks)
      .map(({ value }) => codec.decode('ChatChunk', value).record);
  }

  messagesSent() {
    return this.published()
      .filter(({ topic }) => topic === topics.messageSent)
      .map(({ value }) => codec.decode('MessageSent', value).record);
  }
}

/** The records of an outcome by what they are; a kind that is not there is undefined. */
export function outcomeOf(records: readonly OutboundRecord[]) {
  const valueIn = (topic: string) => records.find((record) => record.topic === topic)?.value;
  const [response, generated, cost] = [topics.responses, topics.responseGenerated, topics.costs].map(valueIn);
  return {
    response: response ? codec.decode('ChatResponse', response).record : undefined,
    generated: generated ? codec.decode('ResponseGenerated', generated).record : undefined,
    cost: cost ? codec.decode('CostCalculated', cost).record : undefined,
    dead: records.find((record) => record.topic === topics.dead),
  };
}
