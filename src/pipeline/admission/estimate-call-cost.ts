import { Big } from 'big.js';
import type { ChatRequest } from '../../contract/record-types.ts';
import { type HighestUsage, highestCost } from '../../domain/cost/estimate-cost.ts';
import type { Price } from '../../domain/cost/price.ts';
import { searchesTheWeb } from '../../domain/cost/price-call.ts';
import type { InputEstimate } from '../../domain/tokens/estimate-tokens.ts';
import type { ModelInfo } from '../../ports/catalog.ts';

/** Further calls that a request may make after failures. */
export interface AllowedRetries {
  readonly retryAttempts: number;
  /** Whether a broken answer is requested again after its first chunks, for requests that do not say. */
  readonly restartOnBreak: boolean;
}

/** An amount as decimal text. */
export interface EstimatedCost {
  readonly amount: string;
  /** ISO 4217. */
  readonly currency: string;
}

/**
 * The most that a request may cost: one call with the longest answer, fees included, and the allowed retries. A retry counts a
 * whole answer only if broken answers are requested again. Otherwise the failed call had no answer, and is billed by its
 * prompt.
 *
 * @returns `call`: of one call; `request`: with its retries. Null without a price, or if the input or output has no limit
 */
export function estimateCallCost(
  request: ChatRequest,
  model: ModelInfo,
  input: InputEstimate,
  maxOutputTokens: number | null,
  price: Price | null,
  { retryAttempts, restartOnBreak }: AllowedRetries,
): { readonly call: EstimatedCost; readonly request: EstimatedCost } | null {
  // A model reads at most its context. Every choice may be as long as the limit.
  const inputTokens = input.atMost ?? model.contextWindow;
  const perChoice = maxOutputTokens ?? model.maxOutputTokens;
  if (price === null || inputTokens === null || perChoice === null) return null;
  const contextSize = request.webSearch?.contextSize ?? null;
  const usage: HighestUsage = {
    inputTokens,
    audioTokens: Math.min(input.audioAtMost, inputTokens),
    outputTokens: perChoice * Math.max(1, request.n ?? 1),
    audioOutput: request.modalities.includes('audio'),
    ...(searchesTheWeb(model.id) && {
      tools: { webSearches: 1, ...(contextSize === null ? {} : { searchContextSize: contextSize }) },
    }),
  };
  const whole = highestCost(usage, price, request.serviceTier);
  const mayRestart = !request.stream || (request.restartOnBreak ?? restartOnBreak);
  const failed = mayRestart
    ? whole
    : highestCost({ ...usage, outputTokens: 0, tools: {} }, price, request.serviceTier);
  if (whole === null || failed === null) return null;
  const { currency } = price;
  const all = new Big(failed).times(retryAttempts).plus(whole).toFixed();
  return { call: { amount: whole, currency }, request: { amount: all, currency } };
}
