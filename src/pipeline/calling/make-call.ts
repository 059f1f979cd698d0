import type { Choice, Usage } from '../../contract/record-types.ts';
import { deltaBytes } from '../../domain/completion/completion-delta.ts';
import { CompletionFold } from '../../domain/completion/fold-completion.ts';
import { plainUsage, type ReportedUsage } from '../../domain/cost/usage.ts';
import { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { Internal } from '../../domain/failures/failure-classes.ts';
import { estimateTextTokens } from '../../domain/tokens/estimate-tokens.ts';
import type { AttemptDisposition } from '../../ports/ledger.ts';
import type { ProviderStream, ServedBy } from '../../ports/provider.ts';
import { untilAborted } from '../../runtime/until-aborted.ts';
import { endChatSpan, injectContext, runInContext, startChatSpan } from '../../telemetry/spans.ts';
import type { Permit } from '../admission/permit.ts';
import { hasUnencodableValues } from '../chunks/chunk-failure.ts';
import type { ChunkPublisher } from '../chunks/chunk-publisher.ts';
import type { ChunkStream } from '../chunks/chunk-stream.ts';
import { newAttempt } from '../claims/own-claim.ts';
import type { Answer, ChunksEnd } from '../outcome/answer.ts';
import { announceCall } from './announce-call.ts';
import type { CallToMake } from './call-to-make.ts';
import type { CallerOptions } from './caller-options.ts';
import type { FailureLog } from './failure-log.ts';
import { firstTokenTimeout } from './first-token-timeout.ts';
import { usageOfCall } from './usage-of-call.ts';

const nobody: ServedBy = {
  responseId: null,
  model: null,
  serviceTier: null,
  systemFingerprint: null,
  moderationJson: null,
  providerRequestId: null,
};

/** How the stream of a call ended. */
interface EndedStream {
  /** Null if no answer started. */
  readonly stream: ProviderStream | null;
  readonly fold: CompletionFold;
  readonly reported: ReportedUsage | null;
  /** Whether more of the answer came behind that report. */
  readonly wentOn: boolean;
  readonly sent: boolean;
  readonly firstChunkMs: number | null;
  /** The error that ended it early; null if it is complete. */
  readonly thrown: unknown;
  readonly inOutage: boolean;
}

/**
 * Makes one call. Its chunks are published while it answers. However it ends, its row records what it used.
 *
 * @throws the signal's reason if it fires and is not a `ChatFailure`
 */
export async function makeCall(
  call: CallToMake,
  permit: Permit,
  attempt: number,
  startedAt: number,
  options: CallerOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const { plan, claim, job } = call;
  const { request } = job.accepted;
  const { clock, metrics } = options;
  const began = clock.monotonic();
  const span = startChatSpan(job.trace, {
    provider: plan.provider.name,
    requestModel: plan.model.id,
    attempt,
    temperature: plan.temperature,
    maxOutputTokens: plan.maxOutputTokens,
    conversationId: request.conversationId,
  });

  // 1 Announce the call, send it, and publish what arrives.
  announceCall(call, attempt, startedAt, options);
  const chunks = request.stream ? openChunks(call, attempt, options.chunks) : null;
  const ended = await readAnswer(call, permit, attempt, chunks, options, signal);
  const { stream, fold, firstChunkMs, inOutage } = ended;

  // 2 Read what arrived, and what it used.
  let { thrown } = ended;
  let choices: Choice[] = [];
  let usage: Usage | null;
  try {
    choices = fold.result();
    usage = usageOfCall({ ...ended, begun: stream !== null, choices }, plan, options.tokens);
  } catch (error) {
    thrown ??= error;
    usage = plainUsage(plan.estimatedInputTokens, estimateTextTokens(fold.textBytes), 'PARTIAL');
  }
  const failure = stream === null ? asFailure(thrown) : failureOfAnswer(thrown, signal);
  const disposition = dispositionOf(thrown, signal);
  const served = stream?.served ?? { ...nobody, providerRequestId: failure?.providerRequestId ?? null };
  claim.ended({
    ...newAttempt(plan, attempt, startedAt),
    disposition,
    model: served.model ?? plan.model.id,
    requestedModel: plan.model.id,
    reportedCost: ended.reported?.reportedCost ?? null,
    estimatedCost: plan.callCost,
    searchContextSize: request.webSearch?.contextSize ?? null,
    serviceTier: served.serviceTier,
    providerRequestId: served.providerRequestId,
    providerResponseId: served.responseId,
    usage,
  });

  // 3 Report the call.
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
  if (failure !== null) logFailure(failure, call, attempt, options.failures);

  // 4 An attempt without any chunk needs no last chunk, unless it is the answer.
  const published = chunks !== null && (thrown === null || chunks.count > 0) ? chunks.finish() : null;
  if (failure === null && thrown !== null) throw thrown;
  return {
    attempt,
    choices: hasUnencodableValues(failure) ? [] : choices,
    extraJson: hasUnencodableValues(failure) ? null : fold.extraJson,
    usage,
    served,
    chunkCount: published?.chunkCount ?? 0,
    chunksAcknowledged: endOfChunks(chunks, published?.acknowledged ?? null, failure, call, attempt, options),
    firstChunkMs,
    failure,
    inOutage,
  };
}

/** Never rejects: the result holds the error that ended the stream. */
async function readAnswer(
  { plan, claim, job, adaptations = [] }: CallToMake,
  permit: Permit,
  attempt: number,
  chunks: ChunkStream | null,
  { clock, policy, progress }: CallerOptions,
  signal: AbortSignal,
): Promise<EndedStream> {
  const { request } = job.accepted;
  const began = clock.monotonic();
  const fold = new CompletionFold();
  const running = { identity: claim.identity, token: claim.token, attempt, outputBytes: 0 };
  let stream: ProviderStream | null = null;
  let sent = false;
  let reported: ReportedUsage | null = null;
  let wentOn = false;
  let firstChunkMs: number | null = null;
  let thrown: unknown = null;
  let inOutage = false;
  const hold = (unreadBytes: number): Promise<void> | undefined => {
    const short = job.memory.grow(fold.bytes + unreadBytes);
    return short && untilAborted(short, signal);
  };
  progress.begin(running);
  permit.begin();
  try {
    stream = await plan.provider.stream(
      {
        clientRequestId: `${request.requestId}/${attempt}`,
        request,
        model: plan.model,
        temperature: plan.temperature,
        maxOutputTokens: plan.maxOutputTokens,
        adaptations,
        firstTokenTimeoutMs: firstTokenTimeout(plan.model, request, policy),
        ...(policy.unstreamedTimeoutMs === undefined
          ? {}
          : { unstreamedTimeoutMs: policy.unstreamedTimeoutMs }),
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
      if (usage !== null) reported = usage;
      wentOn = usage === null && (wentOn || deltas.some((delta) => deltaBytes(delta) > 0));
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
    progress.end(running);
    job.memory.endStream();
  }
  return { stream, fold, reported, wentOn, sent, firstChunkMs, thrown, inOutage };
}

/** If its chunks cannot be published, the call has failed, even if that shows only after its end. It is billed all the same. */
async function endOfChunks(
  chunks: ChunkStream | null,
  acknowledged: Promise<void> | null,
  failure: ChatFailure | null,
  call: CallToMake,
  attempt: number,
  options: CallerOptions,
): Promise<ChunksEnd> {
  try {
    await acknowledged;
  } catch (error) {
    const unpublished =
      asFailure(error) ?? new Internal('the chunks of the answer were not published', false);
    call.claim.unpublished(attempt);
    if (failure === null) logFailure(unpublished, call, attempt, options.failures);
    return { chunkCount: chunks?.count ?? 0, failure: unpublished };
  }
  return { chunkCount: acknowledged === null ? 0 : (chunks?.count ?? 0), failure: null };
}

function logFailure(failure: ChatFailure, call: CallToMake, attempt: number, log: FailureLog): void {
  const { claim, plan, job } = call;
  const facts = { ...claim.identity, provider: plan.provider.name, model: plan.model.id, attempt };
  runInContext(job.trace, () => log.note(failure, facts));
}

function openChunks(call: CallToMake, attempt: number, publisher: ChunkPublisher): ChunkStream {
  const headers = {};
  injectContext(call.job.trace, headers);
  const { requestId, tenantId } = call.claim.identity;
  const { reply } = call.job.accepted;
  const info = {
    requestId,
    tenantId,
    attempt,
    headers,
    ...(reply !== null && { ownHeaders: reply.headers }),
  };
  return publisher.open(info, reply?.partition ?? null);
}

/** A bug of the service fails an answer that has started. It is paid for, so it is not requested again. Null for an abort. */
function failureOfAnswer(thrown: unknown, signal: AbortSignal): ChatFailure | null {
  const isAbort = signal.aborted && thrown === signal.reason;
  if (thrown === null || thrown instanceof ChatFailure || isAbort) return asFailure(thrown);
  return new Internal(
    "the service could not process the provider's answer; the call is billed. Operator: search the log for the request id",
    false,
    { cause: withoutMessage(thrown) },
  );
}

/** Null if it is not a failure of the request: the service stops, or the partition was reassigned. */
function asFailure(thrown: unknown): ChatFailure | null {
  return thrown instanceof ChatFailure ? thrown : null;
}

function dispositionOf(thrown: unknown, signal: AbortSignal): AttemptDisposition {
  if (thrown === null) return 'ACCEPTED';
  return signal.aborted && thrown === signal.reason ? 'ABORTED' : 'FAILED';
}

/** Messages of errors may quote the answer, and a stack begins with the message. */
function withoutMessage(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  const { name, message, stack = '' } = error;
  const start = stack.indexOf(message);
  const frames =
    start < 0
      ? []
      : stack
          .slice(start + message.length)
          .split('\n')
          .slice(1);
  const bare = new Error('message omitted: it may quote the answer');
  bare.name = name;
  bare.stack = [name, ...frames].join('\n');
  return bare;
}
