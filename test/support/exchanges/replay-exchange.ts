import type { ErrorCode } from '../../../src/domain/failures/chat-failure.ts';
import type { ScriptedAnswer } from './scripted-provider.ts';

/** The exchanges of one provider, written after its public documentation. */
export interface ProviderExchanges {
  /** The first part of the exchanges' ids: `deepseek` of `deepseek/keep-alive`. */
  readonly id: string;
  readonly name: string;
  readonly documentation: string;
  /** Per million tokens, in US dollars, of models that the shipped catalog does not have. */
  readonly prices: Readonly<Record<string, TestPrice>>;
  /** By the second part of their ids. */
  readonly exchanges: Readonly<Record<string, ReplayExchange>>;
}

export interface TestPrice {
  readonly input: string;
  readonly output: string;
  readonly cachedInput?: string;
}

/** A Chat Completions request, what the provider answers, and what the service makes of it. */
export interface ReplayExchange {
  /** Published as JSON. */
  readonly request: Readonly<Record<string, unknown>>;
  /** One answer, or one per call. */
  readonly answer: ScriptedAnswer | readonly ScriptedAnswer[];
  readonly expected: Expectation;
  /** It runs once, whole: what the service learns from the refusal changes its next calls of the model. */
  readonly once?: boolean;
}

/** Everything that is not named has its default: a `COMPLETED` text answer of one call with finish reason `stop`. */
export interface Expectation {
  /** Of the first choice, as the response and the accepted attempt's chunks have it. Default null: no text. */
  readonly text?: string | null;
  /** Texts of the choices after the first. */
  readonly otherTexts?: readonly string[];
  readonly refusal?: string;
  /** Default `stop`; null where the answer broke off. */
  readonly finishReason?: string | null;
  readonly toolCalls?: readonly ExpectedCall[];
  readonly annotations?: readonly { readonly title: string; readonly url: string }[];
  /** Codes of the problems of a structured output. */
  readonly problems?: readonly string[];
  /** Members that the contract does not know, at least these. Each must be in the chunks, too. */
  readonly extra?: { readonly answer?: object; readonly choice?: object };
  /** Codes of the response's warnings, in any order; unless set, they are not looked at. */
  readonly warnings?: readonly string[];
  readonly model?: string;
  readonly serviceTier?: string;
  /** Of the accepted call, or of the last one; null when nothing is reported and nothing is billed. */
  readonly usage: ExpectedUsage | null;
  /** The total of all calls in US dollars, or the reason why it is unpriced. Null when nothing is billed. */
  readonly cost: string | { readonly unpriced: string } | null;
  /** The name whose price was used, where it is not the served one. */
  readonly pricedModel?: string;
  /** The provider's own amount in US dollars. */
  readonly reportedCost?: string;
  /** Default null: the response is `COMPLETED`. */
  readonly error?: ExpectedError;
  /** Default 1. */
  readonly calls?: number;
  /** Of the last call's body, at least. */
  readonly sent?: object;
  /** Members that the last call's body must not have. */
  readonly notSent?: readonly string[];
  /** Members that none of the last call's messages may have. */
  readonly sentNowhere?: readonly string[];
}

export interface ExpectedCall {
  /** Absent: the provider sent none, and the service made one. */
  readonly id?: string;
  readonly name: string;
  /** JSON text, exactly. */
  readonly arguments: string;
  /** Default true. */
  readonly valid?: boolean | null;
  readonly extra?: object;
}

export interface ExpectedUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens?: number | null;
  readonly reasoningTokens?: number | null;
  /** Default `PROVIDER`. */
  readonly confidence?: 'PROVIDER' | 'PARTIAL' | 'ESTIMATED';
  /** Members of the provider's own object, at least. */
  readonly raw?: object;
}

export interface ExpectedError {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly httpStatus?: number | null;
  readonly param?: string | null;
  readonly providerCode?: string | null;
  readonly providerType?: string | null;
  readonly retryAfterMs?: number | null;
  /** A part of the provider's own words. */
  readonly says?: string;
  /** What its words must not have. */
  readonly hides?: string;
}
