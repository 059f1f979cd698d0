import type { ChatRequest } from '../contract/record-types.ts';
import type { CompletionDelta } from '../domain/completion/completion-delta.ts';
import type { ReportedUsage } from '../domain/cost/usage.ts';
import type { RateLimits } from '../domain/limits/rate-limits.ts';
import type { Adaptation } from '../domain/parameters/adaptation.ts';
import type { ModelInfo } from './catalog.ts';

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
  /** What the provider wanted to have sent otherwise when it refused the calls before this one. */
  readonly adaptations?: readonly Adaptation[];
  /** Milliseconds until the first piece with content must have arrived. */
  readonly firstTokenTimeoutMs: number;
  /** Milliseconds until an answer that is not streamed must be complete. Default: the same. */
  readonly unstreamedTimeoutMs?: number;
  /** Milliseconds between two pieces. */
  readonly idleTimeoutMs: number;
  /**
   * Called once when there is a connection and the call is about to be written to it. A call for which it was not called
   * never left the service.
   */
  readonly onSent?: () => void;
  /**
   * Called with the number of bytes that were read but not returned yet: a body or an event that has not ended.
   *
   * @returns a promise to wait for before more is read, when memory is short; it rejects when the call is to end
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

/** What came in by one read from the network. */
export interface ProviderEvents {
  readonly deltas: readonly CompletionDelta[];
  /** The last usage reported in this read; null when no usage was. */
  readonly usage: ReportedUsage | null;
}

/** One streamed answer. Iterating throws `ChatFailure` for whatever ends it early, or the signal's reason. */
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
  /** Where its endpoint processes calls, such as eu; null or absent when the endpoint is in no region. */
  readonly region?: string | null;
  /**
   * Makes exactly one call, never repeats it. Resolves when the answer begins.
   * @throws ChatFailure with the provider's words, without prompts or secrets; the signal's reason when aborted
   */
  stream(call: ProviderCall, signal: AbortSignal): Promise<ProviderStream>;
}
