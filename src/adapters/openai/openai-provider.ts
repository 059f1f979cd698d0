import OpenAI from 'openai';
import type { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { withAdaptation } from '../../domain/parameters/adaptation.ts';
import { isObject } from '../../domain/text/is-object.ts';
import type { ChatProvider, ProviderCall, ProviderStream } from '../../ports/provider.ts';
import { type ErrorContext, mapError, mapErrorBody } from './errors/map-error.ts';
import { parseRateLimits } from './errors/rate-limit-headers.ts';
import { ChatEndpoint } from './http/chat-endpoint.ts';
import {
  createHttpTransport,
  type HttpAnswer,
  type HttpsProxy,
  type HttpTransport,
  isOk,
  readError,
} from './http/http-transport.ts';
import { InflatedBody } from './http/inflated-body.ts';
import { readRequestId } from './http/metadata-text.ts';
import { regionOf } from './region-of.ts';
import { findAdaptation } from './request/find-adaptation.ts';
import { KnownAdaptations } from './request/known-adaptations.ts';
import { mapRequest, type WireBody } from './request/map-request.ts';
import { CallGuard, type CallLimits } from './stream/call-guard.ts';
import { CompletionStream } from './stream/completion-stream.ts';
import { HeldBytes } from './stream/held-bytes.ts';
import { StreamDecoder } from './stream/stream-decoder.ts';
import { textOrNull } from './wire/wire.ts';

export interface OpenAiProviderOptions {
  readonly apiKey: string;
  readonly organization?: string | null;
  readonly project?: string | null;
  /** E.g. https://api.openai.com/v1, or that of any server with the same API. */
  readonly baseUrl: string;
  /** What the provider bills, as the configuration names it; never the key. */
  readonly account?: string | null;
  /** Default openai. */
  readonly name?: string;
  /** Sent with each call, over the headers that the service has for the same name. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Added to the address of each call. */
  readonly query?: Readonly<Record<string, string>>;
  readonly proxy?: HttpsProxy | null;
  /** Whether calls ask for usage with `stream_options`. Default: true. */
  readonly streamOptions?: boolean;
}

export interface OpenAiProvider extends ChatProvider {
  /** Closes all connections; calls in flight fail. */
  close(): Promise<void>;
}

/** The SDK's timer is out of the way at the longest time that a timer takes: 24 days. */
const NO_TIMEOUT_MS = 2_147_483_647;

/** A provider that speaks OpenAI's Chat Completions API. Each call is one HTTP request, without retries. */
export function createOpenAiProvider(options: OpenAiProviderOptions): OpenAiProvider {
  const name = options.name ?? 'openai';
  const transport = createHttpTransport(options.proxy);
  const endpoint = new ChatEndpoint(createClient(options, transport), transport);
  const known = new KnownAdaptations(options.streamOptions === false ? ['without_stream_options'] : []);
  const isOpenAi = /(^|\.)api\.openai\.com$/.test(new URL(options.baseUrl).hostname);

  /** 1. guard the call, 2. send it, 3. decode what comes back. */
  async function stream(call: ProviderCall, signal: AbortSignal): Promise<ProviderStream> {
    const context: ErrorContext = { provider: name, model: call.model.id, apiKey: options.apiKey };
    const { adaptations = [] } = call;
    const request = mapRequest(call, {
      includeObfuscationOption: isOpenAi,
      adaptations: adaptations.reduce(withAdaptation, known.of(call.model.id)),
    });
    const guard = new CallGuard(name, limitsOf(call, request), signal);
    const onSent = () => {
      guard.isSent = true;
      call.onSent?.();
    };
    try {
      const answer = await endpoint.post(request, call.clientRequestId, guard.signal, onSent);
      guard.providerRequestId = readRequestId(answer.headers, options.apiKey);
      const body = new InflatedBody(answer.body, answer.headers.get('content-encoding'));
      if (!isOk(answer)) {
        throw await refusalOf({ ...answer, body }, request, guard.providerRequestId, context);
      }
      known.remember(call.model.id, adaptations);
      const decoder = new StreamDecoder(context, guard.providerRequestId, {
        expectedChoices: call.request.n ?? 1,
        head: answer,
      });
      const rateLimits = parseRateLimits(answer.headers);
      const completion = new CompletionStream(body, decoder, guard, new HeldBytes(call, guard), rateLimits);
      // An error in place of an answer is thrown here; a stream begins when it is read.
      if (isDeclaredWhole(answer)) await completion.prime();
      return completion;
    } catch (error) {
      guard.dispose();
      guard.throwIfEnded();
      throw mapError(error, context, Date.now());
    }
  }

  const region = regionOf(options.baseUrl);
  return { name, account: options.account ?? null, region, stream, close: () => transport.close() };
}

/** An answer in one piece comes when it is complete: what is waited for then is all of it. */
function limitsOf(call: ProviderCall, { stream }: WireBody): CallLimits {
  const { firstTokenTimeoutMs, idleTimeoutMs, unstreamedTimeoutMs = firstTokenTimeoutMs } = call;
  if (stream !== false) return { firstTokenTimeoutMs, idleTimeoutMs };
  return { firstTokenTimeoutMs: unstreamedTimeoutMs, idleTimeoutMs, setting: 'AI_OPENAI_UNSTREAMED_TIMEOUT' };
}

/** What a status that is not 2xx comes to. */
async function refusalOf(
  { status, headers, body }: HttpAnswer,
  sent: WireBody,
  providerRequestId: string | null,
  context: ErrorContext,
): Promise<ChatFailure> {
  const { error, text } = await readError(body);
  const param = isObject(error) ? textOrNull(error['param']) : null;
  const adaptation = findAdaptation(sent, { httpStatus: status, param, text });
  const envelope = { httpStatus: status, headers, providerRequestId, adaptation };
  return mapErrorBody(error, envelope, context, Date.now());
}

/** The SDK's client as the service uses it: with its own transport, without retries, and without values from the environment. */
export function createClient(options: OpenAiProviderOptions, transport: HttpTransport): OpenAI {
  return new OpenAI({
    apiKey: options.apiKey,
    // Null, not absent: the SDK would take absent values from the environment, in spite of the configuration.
    organization: options.organization ?? null,
    project: options.project ?? null,
    adminAPIKey: null,
    webhookSecret: null,
    baseURL: options.baseUrl,
    defaultHeaders: { ...options.headers },
    defaultQuery: { ...options.query },
    // A retry is a second bill. The ledger controls retries.
    maxRetries: 0,
    timeout: NO_TIMEOUT_MS,
    // At debug level the SDK logs prompts.
    logLevel: 'off',
    fetch: transport.fetch,
  });
}

/** What the answer says it is; its first bytes decide. */
function isDeclaredWhole({ headers }: HttpAnswer): boolean {
  return /^(application\/json|text\/html)\b/i.test(headers.get('content-type') ?? '');
}
