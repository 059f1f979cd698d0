import type { RecordCodec } from '../contract/codec.ts';
import { eventId } from '../contract/event-id.ts';
import type { ChatRequest, Choice, Usage } from '../contract/records.ts';
import { ChatFailure } from '../domain/chat-failure.ts';
import { estimateTextTokens } from '../domain/estimate-tokens.ts';
import { Internal } from '../domain/failure-classes.ts';
import type { Line } from '../domain/fair-queue.ts';
import { CompletionFold } from '../domain/fold-completion.ts';
import { plainUsage, type ToldUsage } from '../domain/usage.ts';
import type {
  AttemptDisposition,
  AttemptRow,
  Clock,
  OutboundRecord,
  ProviderStream,
  RequestIdentity,
  ServedBy,
  TokenCounter,
} from '../ports.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { endChatSpan, injectContext, runInContext, startChatSpan } from '../telemetry.ts';
import type { ChunkPublisher } from './chunk-publisher.ts';
import { hasUnencodableValues } from './chunks/chunk-failure.ts';
import type { ChunkStream } from './chunks/chunk-stream.ts';
import type { FailureLog } from './failure-log.ts';
import type { RequestMemory } from './memory-budget.ts';
import type { OutputOrigin, OutputRecords } from './output-records.ts';
import type { Permit } from './permit.ts';
import type { CallPlan } from './plan-call.ts';
import type { ProgressReporter } from './progress-reporter.ts';
import type { RetryPolicy } from './retry-policy.ts';
import { untilAborted } from './until-aborted.ts';
import { usageOfCall } from './usage-of-call.ts';

export interface CallPolicy extends RetryPolicy {
  readonly firstTokenTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

export interface MakingOptions {
  readonly chunks: ChunkPublisher;
  readonly progress: ProgressReporter;
  readonly failures: FailureLog;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly policy: CallPolicy;
  readonly outputs: OutputRecords;
  readonly wireCodec: RecordCodec;
  readonly tokens: TokenCounter;
}

/** A claimed request that is ready to be sent. */
export interface CallToMake {
  readonly identity: RequestIdentity;
  readonly token: string;
  readonly request: ChatRequest;
  readonly plan: CallPlan;
  /** The number of the first attempt, whose row is in the ledger already. */
  readonly firstAttempt: number;
  readonly startedAt: number;
  /** Epoch ms at which the request's time is up: no call is begun that late. */
  readonly endsAt: number;
  /** For the first call; still held. */
  readonly permit: Permit;
  /** Counts the answer as it arrives. */
  readonly memory: RequestMemory;
  /** For a further one, after a delay. @throws `ChatFailure` when it cannot be waited for any longer */
  readonly nextPermit: (line: Line, delayMs: number) => Promise<Permit>;
  /** The calls of this claim; filled here as they end, so that whoever aborts knows what was used. */
  readonly attempts: AttemptRow[];
  readonly origin: OutputOrigin;
}

/** How the chunks of a call ended. */
export interface ChunksEnd {
  readonly chunkCount: number;
  /** Why they cannot all be published, which makes the answer a failure; null when they are. */
  readonly failure: ChatFailure | null;
}

/** What the last call brought. */
export interface Answer {
  readonly attempt: number;
  readonly choices: Choice[];
  readonly usage: Usage | null;
  readonly served: ServedBy;
  readonly chunkCount: number;
  /** When every chunk of it is acknowledged, or cannot be. Never rejects. */
  readonly chunksAcknowledged: Promise<ChunksEnd>;
  /** From the call to its first piece; null when none came. */
  readonly firstChunkMs: number | null;
  /** Null when it is complete. */
  readonly failure: ChatFailure | null;
  /** It failed because the provider is away, which says nothing about the request. */
  readonly inOutage: boolean;
}

/** The row of a call before it is made. */
export function newAttempt(plan: CallPlan, attempt: number, startedAt: number): AttemptRow {
  return {
    attempt,
    disposition: 'RUNNING',
    provider: plan.provider.name,
    account: plan.provider.account,
    model: plan.model.id,
    serviceTier: null,
    providerRequestId: null,
    providerResponseId: null,
    startedAt,
    usage: null,
    estimatedInputTokens: plan.estimatedInputTokens,
    outputBytes: 0,
  };
}

const nobody: ServedBy = {
  responseId: null,
  model: null,
  serviceTier: null,
  systemFingerprint: null,
  moderationJson: null,
  providerRequestId: null,
};

/**
 * Makes one call: its chunks leave while it answers, and its row says what it used, however it ends.
 *
 * @throws the signal's reason when it fires and is not a `ChatFailure`
 */
export async function makeCall(
  call: CallToMake,
  permit: Permit,
  attempt: number,
  startedAt: number,
  options: MakingOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const { request, plan, attempts } = call;
  const { clock, metrics, policy } = options;
  const began = clock.monotonic();
  const span = startChatSpan(call.origin.trace, {
    provider: plan.provider.name,
    requestModel: plan.model.id,
    attempt,
    temperature: plan.temperature,
    maxOutputTokens: plan.maxOutputTokens,
    conversationId: request.conversationId,
  });
  announceCall(call, attempt, startedAt, options);
  const chunks = request.stream ? openChunks(call, attempt, options.chunks) : null;
  const fold = new CompletionFold();
  const running = { identity: call.identity, token: call.token, attempt, outputBytes: 0 };
  options.progress.begin(running);
  let stream: ProviderStream | null = null;
  let sent = false;
  let told: ToldUsage | null = null;
  let firstChunkMs: number | null = null;
  let thrown: unknown = null;
  let inOutage = false;
  const hold = (unreadBytes: number): Promise<void> | undefined => {
    const short = call.memory.grow(fold.bytes + unreadBytes);
    return short && untilAborted(short, signal);
  };
  permit.begin();
  try {
    stream = await plan.provider.stream(
      {
        clientRequestId: `${request.requestId}/${attempt}`,
        request,
        model: plan.model,
        temperature: plan.temperature,
        maxOutputTokens: plan.maxOutputTokens,
        firstTokenTimeoutMs: policy.firstTokenTimeoutMs,
        idleTimeoutMs: policy.idleTimeoutMs,
        onSent: () => {
          sent = true;
        },
        hold,
      },
      signal,
    );
    permit.answered(stream.rateLimits);
    for await (const { deltas, usage } of stream) {
      if (usage !== null) told = usage;
      if (deltas.length === 0) continue;
      firstChunkMs ??= clock.monotonic() - began;
      for (const delta of deltas) fold.add(delta);
      running.outputBytes = fold.textBytes;
      const full = chunks?.publish(deltas);
      if (full !== undefined) await untilAborted(full, signal);
      const short = hold(0);
      if (short !== undefined) await short;
    }
  } catch (error) {
    thrown = error;
    if (stream === null) inOutage = permit.failed(signal.aborted ? null : asFailure(error));
  } finally {
    options.progress.end(running);
    call.memory.endStream();
  }

  let choices: Choice[] = [];
  let usage: Usage | null;
  try {
    choices = fold.result();
    usage = usageOfCall({ told, thrown, sent, begun: stream !== null, choices }, plan, options.tokens);
  } catch (error) {
    thrown ??= error;
    usage = plainUsage(plan.estimatedInputTokens, estimateTextTokens(fold.textBytes), 'PARTIAL');
  }
  const failure = stream === null ? asFailure(thrown) : failureOfAnswer(thrown, signal);
  const disposition = dispositionOf(thrown, signal);
  const served = stream?.served ?? { ...nobody, providerRequestId: failure?.providerRequestId ?? null };
  attempts.push({
    ...newAttempt(plan, attempt, startedAt),
    disposition,
    model: served.model ?? plan.model.id,
    serviceTier: served.serviceTier,
    providerRequestId: served.providerRequestId,
    providerResponseId: served.responseId,
    usage,
  });
  const labels = { provider: plan.provider.name, requestModel: plan.model.id, responseModel: served.model };
  endChatSpan(span, {
    disposition,
    responseModel: served.model,
    responseId: served.responseId,
    finishReasons: choices.flatMap(({ finishReason }) => (finishReason === null ? [] : [finishReason])),
    serviceTier: served.serviceTier,
    systemFingerprint: served.systemFingerprint,
    providerRequestId: served.providerRequestId,
    timeToFirstChunkMs: firstChunkMs,
    usage,
    failure,
  });
  metrics.providerCall({
    ...labels,
    disposition,
    durationMs: clock.monotonic() - began,
    usage,
    errorCode: failure?.code ?? null,
  });
  if (firstChunkMs !== null) metrics.firstChunk(labels, firstChunkMs);
  if (failure !== null) tellFailure(failure, call, attempt, options.failures);
  // An attempt without any chunk needs no last one, unless it is the answer.
  const published = chunks !== null && (thrown === null || chunks.count > 0) ? chunks.finish() : null;
  if (failure === null && thrown !== null) throw thrown;
  return {
    attempt,
    choices: hasUnencodableValues(failure) ? [] : choices,
    usage,
    served,
    chunkCount: published?.chunkCount ?? 0,
    chunksAcknowledged: endOfChunks(chunks, published?.acknowledged ?? null, failure, call, attempt, options),
    firstChunkMs,
    failure,
    inOutage,
  };
}

/** A call whose chunks cannot be published has failed, also when that turns out after its end: it is billed all the same. */
async function endOfChunks(
  chunks: ChunkStream | null,
  acknowledged: Promise<void> | null,
  failure: ChatFailure | null,
  call: CallToMake,
  attempt: number,
  options: MakingOptions,
): Promise<ChunksEnd> {
  try {
    await acknowledged;
  } catch (error) {
    const unpublished =
      asFailure(error) ?? new Internal('the chunks of the answer were not published', false);
    const place = call.attempts.findIndex((row) => row.attempt === attempt && row.disposition === 'ACCEPTED');
    const row = call.attempts[place];
    if (row !== undefined) call.attempts[place] = { ...row, disposition: 'FAILED' };
    if (failure === null) tellFailure(unpublished, call, attempt, options.failures);
    return { chunkCount: chunks?.count ?? 0, failure: unpublished };
  }
  return { chunkCount: acknowledged === null ? 0 : (chunks?.count ?? 0), failure: null };
}

function tellFailure(failure: ChatFailure, call: CallToMake, attempt: number, log: FailureLog): void {
  const { identity, plan, origin } = call;
  const facts = { ...identity, provider: plan.provider.name, model: plan.model.id, attempt };
  runInContext(origin.trace, () => log.note(failure, facts));
}

/**
 * Best effort, and not waited for: the call does not wait for Kafka. It is announced before there is a connection, and also
 * when there turns out to be none; an event that cannot be encoded does not keep its call from being made.
 */
function announceCall(call: CallToMake, attempt: number, startedAt: number, options: MakingOptions): void {
  const { requestId, tenantId } = call.request;
  options.chunks.announce({ requestId, tenantId, attempt }, () =>
    messageSent(call, attempt, startedAt, options),
  );
}

function messageSent(
  call: CallToMake,
  attempt: number,
  occurredAt: number,
  options: MakingOptions,
): OutboundRecord {
  const { request, plan } = call;
  const id = eventId(request.tenantId, request.requestId, 'MessageSent', attempt);
  const value = options.wireCodec.encode('MessageSent', {
    eventId: id,
    requestId: request.requestId,
    tenantId: request.tenantId,
    conversationId: request.conversationId,
    attempt,
    provider: plan.provider.name,
    model: plan.model.id,
    requestedModel: plan.requestedModel,
    messageCount: request.messages.length,
    estimatedInputTokens: plan.estimatedInputTokens,
    estimatedCost: plan.estimatedCost?.amount ?? null,
    currency: plan.estimatedCost?.currency ?? null,
    stream: request.stream,
    labels: request.labels,
    occurredAt,
  });
  return options.outputs.announced({ name: 'MessageSent', eventId: id, at: occurredAt, value }, call.origin);
}

function openChunks(call: CallToMake, attempt: number, publisher: ChunkPublisher): ChunkStream {
  const headers = {};
  injectContext(call.origin.trace, headers);
  const { requestId, tenantId } = call.request;
  return publisher.open({ requestId, tenantId, attempt, headers });
}

/** A defect of the service fails an answer that has begun, which is paid for and not asked for again. Null for an abort. */
function failureOfAnswer(thrown: unknown, signal: AbortSignal): ChatFailure | null {
  const isAbort = signal.aborted && thrown === signal.reason;
  if (thrown === null || thrown instanceof ChatFailure || isAbort) return asFailure(thrown);
  return new Internal(
    "the service could not process the provider's answer; the call is billed. Operator: search the log for the request id",
    false,
    { cause: withoutMessage(thrown) },
  );
}

/** Null for what is no failure of the request: the service stops, or the partition went elsewhere. */
function asFailure(thrown: unknown): ChatFailure | null {
  return thrown instanceof ChatFailure ? thrown : null;
}

function dispositionOf(thrown: unknown, signal: AbortSignal): AttemptDisposition {
  if (thrown === null) return 'ACCEPTED';
  return signal.aborted && thrown === signal.reason ? 'ABORTED' : 'FAILED';
}

/** Messages of errors may quote what could not be handled. */
function withoutMessage(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  const bare = new Error('its message is left out');
  bare.name = error.name;
  bare.stack = [error.name, ...(error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))].join(
    '\n',
  );
  return bare;
}
