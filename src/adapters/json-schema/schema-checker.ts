import { RepeatLimiter } from '../../domain/limits/repeat-limiter.ts';
import { FairQueue } from '../../domain/queues/fair-queue.ts';
import type {
  CheckResult,
  SchemaAsker,
  SchemaChecker,
  SchemaVerdict,
  ValueToCheck,
} from '../../ports/schemas.ts';
import type { Logger } from '../../runtime/logger.ts';
import { CheckJob, type JobItem, type KnownSchema } from './check-job.ts';
import { CheckerProcesses, type StartProcess } from './checker-processes.ts';
import type { BatchResult } from './engine/checker-protocol.ts';
import { type CacheLimits, SchemaCache } from './engine/schema-cache.ts';
import { TenantTime } from './tenant-time.ts';

/** Far above what a model can make use of. */
const MAX_SCHEMA_CHARACTERS = 65_536;
/** Twice the longest answer of a model; handing it over takes about a millisecond. */
const MAX_VALUE_CHARACTERS = 1_048_576;
/** What all checks of one answer may take, and all schemas of one request. */
const ANSWER_LIMIT_MS = 250;
const DEFINITIONS_LIMIT_MS = 1_000;
/** How long a request waits to know its schemas before it is sent; longer while there was no process yet. */
const VERDICT_WAIT_MS = 1_000;
const FIRST_WAIT_MS = 5_000;
/** How long an answer waits for its checks, its turn included. */
const CHECK_WAIT_MS = 5_000;
const MAX_WAITING_PER_TENANT = 2_048;
/** Jobs that are handed over at once. */
const BATCH_JOBS = 16;
/** A schema that took too long so often is not tried again while it is known. */
const MAX_OVERRUNS = 3;
/** A job with which the process has ended so often is not tried again. */
const MAX_LOSSES = 3;
/** What a tenant is charged for a process that its check has ended. */
const LOSS_CHARGE_MS = 2_000;
/** And where it may have been another's: enough to hand over its items one by one for a while. */
const SUSPICION_CHARGE_MS = 500;
/** Schemas that the process is thought to know. */
const MAX_SENT = 1_000;
/** How long lost processes are only counted after one was logged. */
const LOSS_QUIET_MS = 60_000;
const CACHE_LIMITS: CacheLimits = { maxEntries: 500, maxCharacters: 4 * 1024 * 1024 };

export interface SchemaCheckerOptions {
  readonly logger: Logger;
  /** The process was ended, or died. */
  readonly onProcessLost?: (reason: string) => void;
  /** An answer's checks have ended, their turn included. */
  readonly onChecked?: (durationMs: number) => void;
  readonly cacheLimits?: CacheLimits;
  readonly startProcess?: StartProcess;
}

/**
 * Looks at schemas and answers in a process that can be ended. The service itself neither compiles a caller's schema nor
 * parses an answer: it remembers what became of which text, lets tenants take turns, and watches the process.
 */
export class IsolatedSchemaChecker implements SchemaChecker {
  readonly #options: SchemaCheckerOptions;
  readonly #processes: CheckerProcesses;
  readonly #losses = new RepeatLimiter(LOSS_QUIET_MS);
  readonly #schemas: SchemaCache<KnownSchema>;
  readonly #queue = new FairQueue<CheckJob>(() => 1);
  readonly #waiting = new Map<string, number>();
  readonly #time = new TenantTime();
  /** Of the queue, but next: what a batch had no time for. One job of each tenant at most. */
  #next: CheckJob[] = [];
  /** What the process is doing. */
  #batch: readonly CheckJob[] = [];
  #batchItems = 0;
  readonly #sent = new Set<number>();
  #lastId = 0;
  #wasReady = false;
  #closed = false;

  constructor(options: SchemaCheckerOptions) {
    this.#options = options;
    this.#schemas = new SchemaCache(options.cacheLimits ?? CACHE_LIMITS);
    const listener = {
      onIdle: () => {
        this.#wasReady = true;
        this.#handOver();
      },
      onDone: (jobs: BatchResult) => this.#done(jobs),
      onLost: (reason: string) => this.#lost(reason),
    };
    this.#processes = new CheckerProcesses(listener, options.startProcess);
  }

  /** Starts the process, so that the first request with schemas need not wait for it. */
  start(): void {
    this.#processes.start();
  }

  async verdicts(schemas: readonly string[], asker: SchemaAsker): Promise<readonly SchemaVerdict[]> {
    const known = schemas.map((text) => this.#known(text));
    const unknown = [...new Set(known.filter(({ verdict }) => verdict === null))];
    if (unknown.length > 0) {
      const items = unknown.map((schema) => ({ schema, value: null }));
      const waitMs = this.#wasReady ? VERDICT_WAIT_MS : FIRST_WAIT_MS;
      await this.#run(items, asker, DEFINITIONS_LIMIT_MS, waitMs);
    }
    return known.map(
      ({ verdict }) => verdict ?? { kind: 'unchecked', reason: 'the schema was not checked in time' },
    );
  }

  async check(values: readonly ValueToCheck[], asker: SchemaAsker): Promise<readonly CheckResult[]> {
    const startedAt = performance.now();
    const items = values.map(({ schemaJson, ...value }) => ({
      schema: schemaJson === null ? null : this.#known(schemaJson),
      value,
    }));
    const results = await this.#run(items, asker, ANSWER_LIMIT_MS, CHECK_WAIT_MS);
    this.#options.onChecked?.(performance.now() - startedAt);
    return results;
  }

  /** Ends the process. What waits is not checked. */
  close(): void {
    this.#closed = true;
    for (const job of [...this.#batch, ...this.#next]) job.giveUp('the worker stops');
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
      job.giveUp('the worker stops');
    }
    this.#processes.close();
  }

  #known(text: string): KnownSchema {
    if (text.length > MAX_SCHEMA_CHARACTERS) {
      const reason = `the schema has ${text.length} characters, at most ${MAX_SCHEMA_CHARACTERS} are compiled`;
      return {
        id: 0,
        text: '',
        verdict: { kind: 'unchecked', reason },
        isGivenUp: true,
        overruns: new Map(),
      };
    }
    return this.#schemas.getOrMake(text, () => {
      this.#lastId += 1;
      return { id: this.#lastId, text, verdict: null, isGivenUp: false, overruns: new Map() };
    });
  }

  async #run(
    items: readonly JobItem[],
    asker: SchemaAsker,
    limitMs: number,
    waitMs: number,
  ): Promise<readonly CheckResult[]> {
    asker.signal.throwIfAborted();
    const job = new CheckJob(items, asker, limitMs);
    this.#giveUpHopeless(job);
    if (job.isDone) return job.results;
    this.#enqueue(job);
    this.#processes.start();
    if (this.#processes.isIdle) this.#handOver();
    await job.untilDone(waitMs);
    return job.results;
  }

  /** Ends what cannot be checked whatever the process does. */
  #giveUpHopeless(job: CheckJob): void {
    const { tenantId } = job.asker;
    if (this.#closed) job.giveUp('the worker stops');
    else if (this.#processes.hasFailed) job.giveUp('the checker process does not start');
    else if (this.#time.isUsedUp(tenantId, performance.now()))
      job.giveUp("this tenant's schemas took too much time lately");
    else if ((this.#waiting.get(tenantId) ?? 0) >= MAX_WAITING_PER_TENANT)
      job.giveUp("too many of this tenant's checks are waiting");
    else job.skip(reasonAgainst);
  }

  #handOver(): void {
    if (this.#batch.length > 0) return;
    const jobs = this.#nextJobs();
    if (jobs.length === 0) return;
    this.#batch = jobs;
    if (this.#sent.size > MAX_SENT) this.#sent.clear();
    const toRun = jobs.map((job) => job.toRun(this.#sent));
    this.#batchItems = toRun.reduce((sum, { items }) => sum + items.length, 0);
    this.#processes.run(toRun);
  }

  /** Jobs that somebody still waits for, tenants in turn. What may be slow, or end the process, goes alone. */
  #nextJobs(): CheckJob[] {
    const jobs: CheckJob[] = [];
    while (jobs.length < BATCH_JOBS) {
      const job = this.#next.shift() ?? this.#dequeue();
      if (job === undefined) break;
      this.#giveUpUsedUp(job);
      if (job.isDone) continue;
      job.isAlone ||= this.#time.isSlow(job.asker.tenantId, performance.now());
      if (job.isAlone && jobs.length > 0) {
        this.#next.unshift(job);
        break;
      }
      jobs.push(job);
      if (job.isAlone) break;
    }
    return jobs;
  }

  #dequeue(): CheckJob | undefined {
    const job = this.#queue.shift();
    if (job === undefined) return undefined;
    const { tenantId } = job.asker;
    const left = (this.#waiting.get(tenantId) ?? 1) - 1;
    if (left > 0) this.#waiting.set(tenantId, left);
    else this.#waiting.delete(tenantId);
    return job;
  }

  #giveUpUsedUp(job: CheckJob): void {
    if (this.#time.isUsedUp(job.asker.tenantId, performance.now()))
      job.giveUp("this tenant's schemas took too much time lately");
  }

  #done(done: BatchResult): void {
    const jobs = this.#batch;
    this.#batch = [];
    for (const [index, { results, ranMs, slowMs }] of done.entries()) {
      const job = jobs[index] as CheckJob;
      this.#time.charge(job.asker.tenantId, slowMs, performance.now());
      job.take(results, ranMs, this.#sent);
    }
    this.#putBack(jobs.filter((job) => !job.isDone));
  }

  /** One job of each tenant stays next; further ones take their turn again. */
  #putBack(jobs: readonly CheckJob[]): void {
    const tenants = new Set(this.#next.map(({ asker }) => asker.tenantId));
    for (const job of jobs) {
      job.skip(reasonAgainst);
      if (job.isDone) continue;
      const { tenantId } = job.asker;
      if (tenants.has(tenantId)) this.#enqueue(job);
      else this.#next.push(job);
      tenants.add(tenantId);
    }
  }

  #enqueue(job: CheckJob): void {
    const { tenantId } = job.asker;
    this.#queue.push(tenantId, job);
    this.#waiting.set(tenantId, (this.#waiting.get(tenantId) ?? 0) + 1);
  }

  #lost(reason: string): void {
    const jobs = this.#batch;
    this.#batch = [];
    this.#sent.clear();
    const [first] = jobs;
    const guilty = jobs.length === 1 && this.#batchItems === 1 ? first : undefined;
    this.#options.onProcessLost?.(reason);
    this.#logLoss(reason, first?.asker ?? null);
    guilty?.blame();
    for (const job of jobs) {
      // What may be guilty is tried again alone; then it is known.
      const chargeMs = job === guilty ? LOSS_CHARGE_MS : SUSPICION_CHARGE_MS;
      this.#time.charge(job.asker.tenantId, chargeMs, performance.now());
      job.isAlone = true;
      job.losses += 1;
      if (job.losses >= MAX_LOSSES) job.giveUp('the check was interrupted too often');
    }
    this.#putBack(jobs.filter((job) => !job.isDone));
  }

  /** @param asker whose check it was doing, or the first of several; null when it was doing none */
  #logLoss(reason: string, asker: SchemaAsker | null): void {
    const suppressed = this.#losses.take('lost', performance.now());
    if (suppressed === null) return;
    const { requestId = null, tenantId = null } = asker ?? {};
    this.#options.logger.warn(
      { requestId, tenantId, reason, suppressed },
      'the JSON Schema checker process crashed and was replaced; a check that crashes it again is not_checked',
    );
  }
}

/** Why an item need not be given to the process; null when it has to be. */
function reasonAgainst({ schema, value }: JobItem, tenantId: string): string | null {
  if (value !== null && value.text.length > MAX_VALUE_CHARACTERS)
    return `it has ${value.text.length} characters, at most ${MAX_VALUE_CHARACTERS} are checked`;
  if (schema === null) return null;
  const { verdict } = schema;
  if (schema.isGivenUp) return verdict !== null && verdict.kind !== 'usable' ? verdict.reason : '';
  return (schema.overruns.get(tenantId) ?? 0) >= MAX_OVERRUNS
    ? 'checks with this schema take too long'
    : null;
}
