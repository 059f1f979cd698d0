import type { ChatRequest, Problem, Usage } from './contract/records.ts';
import type { Budget, BudgetUse } from './domain/budget.ts';
import type { CompletionDelta } from './domain/completion-delta.ts';
import type { CountTokens } from './domain/estimate-tokens.ts';
import type { DecimalText, Price } from './domain/price.ts';
import type { RateLimits } from './domain/rate-limits.ts';
import type { ModelParameters } from './domain/refused-parameters.ts';
import type { EncodingName } from './domain/token-rules.ts';
import type { ToldUsage } from './domain/usage.ts';

/* ---------- Kafka: records in, records out ---------- */

export type HeaderValue = Uint8Array | string | (Uint8Array | string)[] | undefined;
export type RecordHeaders = Record<string, HeaderValue>;

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Where a record lies: what tells an original from a publisher's repetition. */
export interface RecordSource extends TopicPartition {
  readonly offset: number;
  /** Broker or producer time of the record, epoch ms: tells records of a recreated topic apart. */
  readonly timestamp: number;
}

/** A record as it lies in a request topic. */
export interface InboundRecord extends RecordSource {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: RecordHeaders;
}

/** A record to be written. Without `partition` the key decides (murmur2). */
export interface OutboundRecord {
  readonly topic: string;
  readonly partition?: number;
  readonly key: Uint8Array | string | null;
  readonly value: Uint8Array | null;
  readonly headers: RecordHeaders;
}

/** Records that one fetch brought for one partition, in log order. */
export interface FetchedRecords extends TopicPartition {
  /** The offset that was asked for; records may begin later where the log has a gap. */
  readonly fetchedOffset: number;
  /** The offset after the last one of the partition. */
  readonly highWatermark: number;
  readonly records: readonly InboundRecord[];
}

/** What the source of requests tells. Called synchronously; must not throw. */
export interface RequestSourceListener {
  /** A new assignment, before anything of it is fetched: pauses and seeks made inside hold from the first fetch on. */
  assigned(memberId: string, partitions: readonly TopicPartition[]): void;
  /** Records were fetched. The position moves past them if true is returned, else it stays. */
  fetched(batch: FetchedRecords): boolean;
  /** Reading has come to an offset: everything before it was handed over, or is no record (markers, aborted ones). */
  progressed?(partition: TopicPartition, nextOffset: number, highWatermark: number): void;
  /** The source has left the group and comes back by itself: nothing is assigned until `assigned` is called again. */
  interrupted(error: Error): void;
  /** The source is dead and does not come back by itself. */
  crashed(error: Error): void;
}

/** A group member that reads topics. It commits no offsets by itself. */
export interface RequestSource {
  start(listener: RequestSourceListener): Promise<void>;
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
  seek(partition: TopicPartition, offset: number): void;
  /** When partitions are divided the next time, this member gets none; it stays a member until `stop`. */
  advertiseDraining(): void;
  /** Leaves the group and closes. */
  stop(): Promise<void>;
  /** Milliseconds since the last answer of a broker to a fetch, by a monotonic clock; null before the first. */
  lastFetchAgeMs(): number | null;
}

/** What the group's coordinator keeps for a partition. */
export interface CommittedPosition {
  /** The first offset that is not settled; null when nothing was committed. */
  readonly offset: number | null;
  /** The offset map as text; empty when there is none. */
  readonly metadata: string;
  /** The oldest offset that the log still has. */
  readonly logStart: number;
  /** The offset after the newest record. */
  readonly logEnd: number;
  /** Another one than before: the topic was deleted and created again. Null from brokers that have no such ids. */
  readonly topicId: string | null;
}

/** One transaction: the position after it and everything that becomes visible with it. */
export interface Settlement {
  readonly offset: number;
  readonly metadata: string;
  readonly records: readonly OutboundRecord[];
  /** The topic that the offset is of: nothing is committed when its name belongs to another one now. Null is not compared. */
  readonly topicId: string | null;
}

/** A broker refused a record itself (its size, its form), so that sending it again never helps. */
export class RecordRefused extends Error {
  override readonly name = 'RecordRefused';
}

/** A fenced transactional producer of one lane. */
export interface LaneProducer {
  /**
   * Commits offsets and records in one transaction. Any rejection leaves the outcome in doubt: the producer must be
   * closed and the lane opened again. Rejects with `RecordRefused` when a record itself was refused.
   */
  settle(settlement: Settlement): Promise<void>;
  close(): Promise<void>;
}

/** What a lane needs of the cluster. */
export interface LaneTransport {
  /** Asks the group's coordinator now: is the group stable and does this member hold the partition? */
  holds(memberId: string, partition: TopicPartition): Promise<boolean>;
  /** A new producer with the lane's transactional id. When it resolves, every earlier one is fenced and every earlier transaction complete. */
  fence(partition: TopicPartition): Promise<LaneProducer>;
  /** Reads what is committed. Only true after `fence`. */
  committedPosition(partition: TopicPartition): Promise<CommittedPosition>;
  /** The id that the topic has now; null when the broker has no ids. Rejects when there is no such topic. */
  topicId(topic: string): Promise<string | null>;
  /** Identifies the cluster whose offsets a map speaks of. */
  readonly clusterId: string;
}

/** Writes records outside any transaction: in order, one send at a time, the identical records again after an error. */
export interface RecordSink {
  /** Resolves when all records are acknowledged. */
  send(records: readonly OutboundRecord[]): Promise<void>;
  close(): Promise<void>;
}

/* ---------- MongoDB: ledger, leases, catalog ---------- */

export interface RequestIdentity {
  readonly tenantId: string;
  readonly requestId: string;
}

export type AttemptDisposition = 'RUNNING' | 'ACCEPTED' | 'RETRIED' | 'ABORTED' | 'FAILED' | 'ORPHANED';

/** One provider call as the ledger keeps it: written before the call is made, completed after it. */
export interface AttemptRow {
  /** From 1, never reused for a request, also across workers. */
  readonly attempt: number;
  readonly disposition: AttemptDisposition;
  readonly provider: string;
  readonly account: string | null;
  /** As served, else as asked for. */
  readonly model: string;
  /** As served. */
  readonly serviceTier: string | null;
  readonly providerRequestId: string | null;
  readonly providerResponseId: string | null;
  /** Epoch ms: decides the price and the billing day. */
  readonly startedAt: number;
  /** Null while running: then what is known is `estimatedInputTokens`. */
  readonly usage: Usage | null;
  readonly estimatedInputTokens: number;
  /** Text that had arrived when the worker last said so, in UTF-8 bytes: what is known of an attempt whose worker died. */
  readonly outputBytes: number;
}

/** How far a running attempt has come. */
export interface AttemptProgress {
  readonly identity: RequestIdentity;
  readonly token: string;
  readonly attempt: number;
  readonly outputBytes: number;
}

/** What an attempt is before it is made. */
export type AttemptDraft = Pick<
  AttemptRow,
  'provider' | 'account' | 'model' | 'startedAt' | 'estimatedInputTokens'
>;

/** The outcome of a request, as single-object Avro, so that any later version of the service can read it. */
export interface StoredOutcome {
  readonly response: Uint8Array;
  readonly responseGenerated: Uint8Array;
  /** Null when nothing was used. */
  readonly cost: Uint8Array | null;
  /** False for a failure that used nothing and may be retried: another record with the same id runs afresh. */
  readonly remembered: boolean;
}

export interface ClaimRequest {
  readonly identity: RequestIdentity;
  /** Hash of what was asked for; the same id with another hash is a conflict. */
  readonly bodyHash: Uint8Array;
  readonly source: RecordSource;
  /** Fresh for every claim. */
  readonly token: string;
  readonly owner: string;
  /** The attempt that will be made at once if the claim succeeds; null when none will be (a request refused beforehand). */
  readonly draft: AttemptDraft | null;
  /** An owner that the caller has seen dead: its claim may be taken over. */
  readonly deadOwner: string | null;
  /** Epoch ms. */
  readonly now: number;
}

export type Claim =
  /**
   * The request is the caller's. `attempt` is the number of the draft; `earlier` are calls of earlier claims, complete
   * (orphans included); `deaths` is how many workers died while they had it.
   */
  | {
      readonly kind: 'claimed';
      readonly attempt: number;
      readonly earlier: readonly AttemptRow[];
      readonly deaths: number;
    }
  /** Its claims outlived too many dead workers; the claim is the caller's, but no call may be made. */
  | { readonly kind: 'poisoned'; readonly deaths: number; readonly earlier: readonly AttemptRow[] }
  /** It has an outcome. `replay`: this record is a repetition. `settled`: this very record's outcome is already visible. */
  | {
      readonly kind: 'done';
      readonly outcome: StoredOutcome;
      readonly replay: boolean;
      readonly settled: boolean;
    }
  /** The id was used for a different request. */
  | { readonly kind: 'conflict' }
  /** Another worker, or another record in this one, has it. */
  | { readonly kind: 'held'; readonly owner: string };

/** The ledger of requests. Every write is majority and journaled, and after the claim conditional on its token. */
export interface RequestLedger {
  claim(request: ClaimRequest): Promise<Claim>;
  /** Writes the row of a further attempt before its call. `completed` are this claim's earlier attempts. False: the claim was lost. */
  beginAttempt(
    identity: RequestIdentity,
    token: string,
    attempt: AttemptRow,
    completed: readonly AttemptRow[],
  ): Promise<boolean>;
  /** Stores the outcome and ends the claim. False: the claim was lost. Repeating it with the same token is harmless. */
  complete(
    identity: RequestIdentity,
    token: string,
    outcome: StoredOutcome,
    attempts: readonly AttemptRow[],
  ): Promise<boolean>;
  /** Gives the claim back without an outcome (a drain that ran out of time). */
  release(identity: RequestIdentity, token: string, attempts: readonly AttemptRow[]): Promise<void>;
  /**
   * Writes how far running attempts have come, as far as the claims are still the caller's; an attempt never goes back.
   * Not waited for: rejects when the ledger is away.
   */
  reportProgress(running: readonly AttemptProgress[]): Promise<void>;
  /** Marks outcomes as visible for their records. Best effort. */
  markSettled(
    settled: readonly { readonly identity: RequestIdentity; readonly source: RecordSource }[],
  ): Promise<void>;
}

/** One lease per worker, kept alive by a beat. */
export interface WorkerLease {
  /**
   * The worker id to claim under, as soon as its lease is held; a new one after the lease was lost.
   *
   * @throws the signal's reason
   */
  held(signal: AbortSignal): Promise<string>;
  /**
   * Whether `owner` is dead: this process has itself watched its beat stand still for a whole lease, or it has no lease document.
   * Resolves as soon as it is known: true when dead, false when it has beaten meanwhile.
   */
  isDead(owner: string, signal: AbortSignal): Promise<boolean>;
}

export interface ModelInfo extends ModelParameters {
  readonly provider: string;
  readonly contextWindow: number | null;
  readonly maxOutputTokens: number | null;
  /** `max_completion_tokens` or `max_tokens`. */
  readonly maxTokensParameter: 'max_completion_tokens' | 'max_tokens';
  /** Whether it can be asked to answer piece by piece; else the answer comes in one piece. */
  readonly streams: boolean;
  /** A deprecated model works until the provider takes it away; a removed one does not. */
  readonly lifecycle: 'active' | 'deprecated' | 'removed';
  /** When the provider takes it away, epoch ms; null when it has not said. */
  readonly shutdownAt: number | null;
}

/** Models and prices, from memory: answers at once and goes on answering while the database is away. */
export interface Catalog {
  /** The model with this id, else the one that has the name as an alias. Null when the catalog knows neither. */
  model(provider: string, name: string): ModelInfo | null;
  /** Ids and aliases of models that work, of those whose names are most alike to this one; at most three. */
  nearest(provider: string, name: string): readonly string[];
  /** The version in force at an instant (epoch ms); null when there is none. */
  price(provider: string, model: string, at: number): Price | null;
}

/** What a request asks of the budgets of its tenant. */
export interface Reservation {
  readonly identity: RequestIdentity;
  readonly amount: DecimalText;
  readonly currency: string;
  /** When the call begins, epoch ms: decides the day and the month. */
  readonly at: number;
  readonly budgets: readonly Budget[];
}

/** The budgets of all tenants, and what is reserved of them. */
export interface Budgets {
  /** The budgets that hold for a tenant, from memory; empty for a tenant without any. */
  of(tenantId: string): readonly Budget[];
  /** Milliseconds since spend was last known to be complete, from memory; null when it never was. */
  spendAgeMs(): number | null;
  /**
   * Reserves an amount if it fits into every budget, in one atomic step with the check. A request that has reserved
   * already keeps what it has.
   *
   * @returns the budget that it does not fit into, with its use; null when it is reserved
   * @throws the signal's reason when it fires first
   */
  reserve(
    reservation: Reservation,
    signal: AbortSignal,
  ): Promise<(BudgetUse & { readonly budget: Budget }) | null>;
  /** Gives back what a request has reserved that ended without any cost. Not waited for; else it expires. */
  release(identity: RequestIdentity): void;
}

/* ---------- The provider of models ---------- */

/** One call as it is to be made: the caller's request with everything decided that the caller left open. */
export interface ProviderCall {
  /** Sent as X-Client-Request-Id: `<requestId>/<attempt>`. */
  readonly clientRequestId: string;
  readonly request: ChatRequest;
  readonly model: ModelInfo;
  /** Null: not sent. */
  readonly temperature: number | null;
  /** Null: not sent. */
  readonly maxOutputTokens: number | null;
  /** Milliseconds until the first piece must have arrived. */
  readonly firstTokenTimeoutMs: number;
  /** Milliseconds between two pieces. */
  readonly idleTimeoutMs: number;
}

export interface ServedBy {
  readonly responseId: string | null;
  readonly model: string | null;
  readonly serviceTier: string | null;
  readonly systemFingerprint: string | null;
  /** JSON object of the moderation results, as the provider sent it. */
  readonly moderationJson: string | null;
  readonly providerRequestId: string | null;
}

/** What came in by one read from the network. */
export interface ProviderEvents {
  readonly deltas: readonly CompletionDelta[];
  /** The last usage told in this read; null when none was. */
  readonly usage: ToldUsage | null;
}

/** One streamed answer. Iterating throws `ChatFailure` for whatever ends it early, or the signal's reason. */
export interface ProviderStream extends AsyncIterable<ProviderEvents> {
  /** Grows while the stream is read; complete after the first events. */
  readonly served: ServedBy;
  /** What was told of the provider's limits when the answer began; null when nothing was. */
  readonly rateLimits: RateLimits | null;
}

export interface ChatProvider {
  /** Configured provider name, e.g. openai. */
  readonly name: string;
  /** Configured name of what the provider bills; never the key. */
  readonly account: string | null;
  /**
   * Makes exactly one call, never repeats it. Resolves when the answer begins.
   * @throws ChatFailure with the provider's words, without prompts or secrets; the signal's reason when aborted
   */
  stream(call: ProviderCall, signal: AbortSignal): Promise<ProviderStream>;
}

/* ---------- JSON Schemas of tools and answers ---------- */

/** A value that came as JSON text. */
export interface JsonValue {
  readonly value: unknown;
  /** Of its text. */
  readonly characters: number;
}

/** A schema that values can be held against. */
export interface ValueSchema {
  /**
   * What of a value does not fit: a few problems at most, none of them quoting it. Empty when it fits; null when that
   * could not be found out in time.
   *
   * @param root how every path begins, for example `arguments`
   * @param limitMs how long it may take, in milliseconds
   */
  misfits(json: JsonValue, root: string, limitMs: number): readonly Problem[] | null;
}

/** A schema that no value can be held against: it is wrong, or cannot be used within limits. */
export interface UnusableSchema {
  /** What is wrong with it and where, for whoever wrote it. */
  readonly reason: string;
}

/** Schemas from callers: no schema may hang or harm the worker or have an effect on another one. */
export interface SchemaCompiler {
  /** The same text is compiled once. Never rejects because of a schema. */
  compile(schemaJson: string): Promise<ValueSchema | UnusableSchema>;
}

/* ---------- Tokens ---------- */

/** Counts tokens at once, with encodings that were loaded before the first request. */
export interface TokenCounter {
  /**
   * Begins to count the texts of one request; none may take long, and nothing is thrown.
   *
   * @param exact texts are counted to the end up to a high bound; otherwise only short ones are, and of long ones samples
   */
  counting(encoding: EncodingName, precision: { readonly exact: boolean }): CountTokens;
}

/* ---------- Time ---------- */

/** Clocks as arguments, so that tests need no waiting. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Milliseconds by a clock that never jumps. */
  monotonic(): number;
}
