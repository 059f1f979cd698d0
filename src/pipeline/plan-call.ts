import { Big } from 'big.js';
import type { ChatRequest, Problem } from '../contract/records.ts';
import { highestCost } from '../domain/estimate-cost.ts';
import { estimateInput, type InputEstimate } from '../domain/estimate-tokens.ts';
import type { Price } from '../domain/price.ts';
import {
  budgetExceeded,
  foreignCurrency,
  invalidRequest,
  modelRemoved,
  unknownProvider,
} from '../domain/refusals.ts';
import { refusedParameters, takesParameter } from '../domain/refused-parameters.ts';
import { tokenRules } from '../domain/token-rules.ts';
import type { Catalog, ChatProvider, ModelInfo, TokenCounter } from '../ports.ts';

export interface CallDefaults {
  readonly provider: string;
  readonly model: string;
  readonly temperature: number;
  readonly maxOutputTokens: number;
}

/** Everything that is decided before a call: what the caller left open is filled in here and nowhere else. */
export interface CallPlan {
  readonly provider: ChatProvider;
  readonly requestedModel: string;
  readonly model: ModelInfo;
  /** Null: not sent. */
  readonly temperature: number | null;
  /** Null: not sent. */
  readonly maxOutputTokens: number | null;
  readonly estimatedInputTokens: number;
  /** The same by part, with its bounds. */
  readonly input: InputEstimate;
  /** The highest cost that is expected, as decimal text; null without a price or a limit on the output. */
  readonly estimatedCost: { readonly amount: string; readonly currency: string } | null;
  readonly warnings: readonly Problem[];
}

/** Counts every text to its end, for where the number decides something. */
export function countingExactly(tokens: TokenCounter): TokenCounter {
  return { counting: (encoding) => tokens.counting(encoding, { exact: true }) };
}

/**
 * Chooses provider and model (none: the default; an alias: the model that it stands for) and fills in the service's
 * defaults: a temperature only where the model takes one, a token limit only as large as the model and the prompt leave.
 *
 * @param now epoch ms: decides the price of the estimate
 * @param tokens counts by the model's encoding
 * @throws ChatFailure when the request names a provider that is not configured or a model that was removed, sets what the
 *   model refuses, or may cost more than it allows
 */
export function planCall(
  request: ChatRequest,
  providers: ReadonlyMap<string, ChatProvider>,
  catalog: Catalog,
  defaults: CallDefaults,
  now: number,
  tokens: TokenCounter,
): CallPlan {
  const providerName = request.provider ?? defaults.provider;
  const provider = providers.get(providerName);
  if (provider === undefined) throw unknownProvider(providerName, [...providers.keys()]);
  const requestedModel = request.model ?? defaults.model;
  const model = catalog.model(providerName, requestedModel) ?? unlistedModel(providerName, requestedModel);
  if (model.lifecycle === 'removed') {
    throw modelRemoved(requestedModel, catalog.nearest(providerName, requestedModel));
  }
  const refused = refusedParameters(request, model);
  if (refused.length > 0) throw invalidRequest(refused);
  const rules = tokenRules(model.id);
  // Every text is counted only where the number decides something.
  const input = estimateInput(
    request,
    rules.images,
    tokens.counting(rules.encoding, { exact: request.maxCost !== null }),
  );
  const estimatedInputTokens = input.total;
  const takes = (parameter: string) => takesParameter(model, parameter, request.reasoningEffort);
  const maxOutputTokens =
    request.maxOutputTokens === null && !takes(model.maxTokensParameter)
      ? null
      : outputLimit(request.maxOutputTokens, defaults.maxOutputTokens, model, estimatedInputTokens);
  const price = catalog.price(providerName, model.id, now);
  const estimatedCost = estimateCost(request, model, input, maxOutputTokens, price);
  checkBudget(request, estimatedCost);
  return {
    provider,
    requestedModel,
    model,
    temperature: request.temperature ?? (takes('temperature') ? defaults.temperature : null),
    maxOutputTokens,
    estimatedInputTokens,
    input,
    estimatedCost,
    warnings: model.lifecycle === 'deprecated' ? [deprecatedModel(model)] : [],
  };
}

/** It works until the provider takes it away; whoever uses it should hear of that before. */
function deprecatedModel({ id, shutdownAt }: ModelInfo): Problem {
  const until =
    shutdownAt === null
      ? 'the provider does not list it any more'
      : `the provider shuts it down on ${dateOf(shutdownAt)}`;
  return {
    path: 'model',
    code: 'deprecated_model',
    message: `model ${id} is deprecated: ${until}; choose another model`,
  };
}

const dateOf = (at: number) => new Date(at).toISOString().slice(0, 10);

/** A model that the catalog does not know is passed on as it is: the provider decides, and its price is unknown. */
function unlistedModel(provider: string, id: string): ModelInfo {
  return {
    provider,
    id,
    contextWindow: null,
    maxOutputTokens: null,
    maxTokensParameter: 'max_completion_tokens',
    refusedParameters: [],
    refusedWhileReasoning: [],
    streams: true,
    lifecycle: 'active',
    shutdownAt: null,
  };
}

function checkBudget({ maxCost, maxCostCurrency }: ChatRequest, estimate: CallPlan['estimatedCost']): void {
  if (maxCost === null) return;
  if (estimate === null) throw budgetExceeded(maxCost, null);
  if (maxCostCurrency !== null && maxCostCurrency !== estimate.currency) {
    throw foreignCurrency(maxCostCurrency, estimate.currency);
  }
  if (new Big(estimate.amount).gt(maxCost))
    throw budgetExceeded(maxCost, `${estimate.amount} ${estimate.currency}`);
}

/** Null without a price, or when there is no limit to what is read or written. */
function estimateCost(
  request: ChatRequest,
  model: ModelInfo,
  input: InputEstimate,
  maxOutputTokens: number | null,
  price: Price | null,
): CallPlan['estimatedCost'] {
  // A model reads no more than its context, and every choice may be as long as the limit lets it.
  const inputTokens = input.atMost ?? model.contextWindow;
  const perChoice = maxOutputTokens ?? model.maxOutputTokens;
  if (price === null || inputTokens === null || perChoice === null) return null;
  const usage = {
    inputTokens,
    audioTokens: Math.min(input.audioAtMost, inputTokens),
    outputTokens: perChoice * Math.max(1, request.n ?? 1),
    audioOutput: request.modalities.includes('audio'),
  };
  const amount = highestCost(usage, price, request.serviceTier);
  return amount === null ? null : { amount, currency: price.currency };
}

function outputLimit(
  asked: number | null,
  byDefault: number,
  model: ModelInfo,
  estimatedInputTokens: number,
): number | null {
  if (asked !== null) return asked === 0 ? null : asked;
  const left =
    model.contextWindow === null ? Number.POSITIVE_INFINITY : model.contextWindow - estimatedInputTokens;
  return Math.max(1, Math.min(byDefault, model.maxOutputTokens ?? Number.POSITIVE_INFINITY, left));
}
