import type { ChatRequest } from '../contract/record-types.ts';
import type { CompletionDelta } from '../domain/completion/completion-delta.ts';
import type { ReportedUsage } from '../domain/cost/usage.ts';
import type { RateLimits } from '../domain/limits/rate-limits.ts';
import type { Adaptation } from '../domain/parameters/adaptation.ts';
import type { ModelInfo } from './catalog.ts';

/** One call to be made: the caller's request, with all defaults resolved. */
export interface ProviderCall {
  /** Sent as X-Client-Request-Id: `<requestId>/<attempt>`. */
  readonly clientRequestId: string;
  readonly request: ChatRequest;
  readonly model: ModelInfo;
  /** Null: not sent. */
  readonly temperature: number | null;
  /** Null: not sent. */
  readonly maxOutputTokens: number | null;
  /** Changes of form that the provider demanded when it refused the earlier calls. */
  readonly adaptations?: readonly Adaptation[];
  /** Milliseconds until the first piece with content must have arrived. */
  readonly firstTokenTimeoutMs: number;
  /** Milliseconds until an answer that is not streamed must be complete. Default: the same. */
  readonly unstreamedTimeoutMs?: number;
  /** Milliseconds between two pieces. */
  readonly idleTimeoutMs: number;
  /**
   * Called once, when the call is about to be written to a connection. Without this callback, the call never left the
   * service.
   */
  readonly onSent?: () => void;
  /**
   * Called with the number of bytes that were read but not returned yet: a body or an event that has not ended.
   *
   * @returns a promise to await before more is read, if memory is short. It rejects if the call has to end
   */
  readonly hold?: (bytes: number) => Promise<void> | undefined;
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

/** The events of one read from the network. */
export interface ProviderEvents {
  readonly deltas: readonly CompletionDelta[];
  /** The last usage reported in this read; null when no usage was. */
  readonly usage: ReportedUsage | null;
}

/** One streamed answer. If it ends early, iterating throws `ChatFailure` or the signal's reason. */
export interface ProviderStream extends AsyncIterable<ProviderEvents> {
  /** Grows while the stream is read; complete after the first events. */
  readonly served: ServedBy;
  /** The provider's limits as reported when the answer began; null when they were not. */
  readonly rateLimits: RateLimits | null;
}

export interface ChatProvider {
  /** Configured provider name, e.g. openai. */
  readonly name: string;
  /** Configured name of what the provider bills; never the key. */
  readonly account: string | null;
  /** The region that processes its calls, such as eu; null or absent if the endpoint has no region. */
  readonly region?: string | null;
  /**
   * Makes exactly one call and never retries it. Resolves when the answer begins.
   * @throws ChatFailure with the provider's words, without prompts or secrets; the signal's reason when aborted
   */
  stream(call: ProviderCall, signal: AbortSignal): Promise<ProviderStream>;
}
