import { Big } from 'big.js';
import { lifecycleAt } from '../../catalog/models/model-info.ts';
import { misspelled } from '../../catalog/models/nearest-names.ts';
import { unlistedModel } from '../../catalog/models/unlisted-model.ts';
import type { ChatRequest, Problem } from '../../contract/record-types.ts';
import { priceOfCall } from '../../domain/cost/price-call.ts';
import {
  budgetExceeded,
  contextOverflow,
  foreignCurrency,
  invalidRequest,
  modelRemoved,
  unknownProvider,
} from '../../domain/failures/refusals.ts';
import { effortOf, refusedParameters, takesParameter } from '../../domain/parameters/refused-parameters.ts';
import { estimateInput, type InputEstimate } from '../../domain/tokens/estimate-tokens.ts';
import { knowsEncoding, tokenRules } from '../../domain/tokens/token-rules.ts';
import type { Catalog, ModelInfo } from '../../ports/catalog.ts';
import type { ChatProvider } from '../../ports/provider.ts';
import type { TokenCounter } from '../../ports/tokens.ts';
import { type AllowedRetries, type EstimatedCost, estimateCallCost } from './estimate-call-cost.ts';

/** A default of the service for a parameter that the caller left out. */
export interface Default {
  readonly value: number;
  /** True: an operator's default, sent unless the model is known to refuse it. False: sent only if the model is known to take it. */
  readonly isConfigured: boolean;
}

export interface CallDefaults {
  readonly provider: string;
  readonly model: string;
  /** Null: nothing is sent. */
  readonly temperature: Default | null;
  /** Null: nothing is sent. */
  readonly maxOutputTokens: Default | null;
  /** Whether to refuse a prompt that certainly does not fit into the model's context. Default: false. */
  readonly refuseOverflow?: boolean;
  /** The retries that the estimate includes. Default: none. */
  readonly retries?: AllowedRetries;
}

const noRetries: AllowedRetries = { retryAttempts: 0, restartOnBreak: false };

/** Everything that is decided before a call. Only here are the gaps that the caller left filled. */
export interface CallPlan {
  readonly provider: ChatProvider;
  readonly requestedModel: string;
  readonly model: ModelInfo;
  /** Null: not sent. */
  readonly temperature: number | null;
  /** Null: not sent. */
  readonly maxOutputTokens: number | null;
  readonly estimatedInputTokens: number;
  /** The same tokens by part, with their bounds. */
  readonly input: InputEstimate;
  /** The highest expected cost, retries included; null without a price or a limit on the output. */
  readonly estimatedCost: EstimatedCost | null;
  /** The same for one call. */
  readonly callCost: EstimatedCost | null;
  readonly warnings: readonly Problem[];
}

/** Counts every text to its end, for decisions that depend on the number. */
export function countingExactly(tokens: TokenCounter): TokenCounter {
  return { counting: (encoding) => tokens.counting(encoding, { exact: true }) };
}

/**
 * Chooses provider and model, and fills in the service's defaults.
 *
 * - A missing model is the default one; an alias stands for its model.
 * - The temperature is set only if the model takes one.
 * - The token limit never exceeds what the model and the prompt leave.
 * - A built-in token limit is not set where it would cut reasoning.
 *
 * @param now epoch ms: decides the price of the estimate
 * @param tokens counts by the model's encoding
 * @throws ChatFailure if the provider is not configured, the model was removed or refuses a parameter, the prompt certainly
 *   does not fit into the context (`refuseOverflow`), or the request may cost more than it allows
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
  const known = catalog.model(providerName, requestedModel);
  const model = known ?? unlistedModel(providerName, requestedModel);
  const lifecycle = lifecycleAt(model, now);
  if (lifecycle === 'removed') {
    throw modelRemoved(requestedModel, catalog.nearest(providerName, requestedModel));
  }
  const refused = refusedParameters(request, model);
  if (refused.length > 0) throw invalidRequest(refused);
  const rules = tokenRules(model.id);
  // Texts are counted to their end only where a decision depends on the number.
  const input = estimateInput(
    request,
    rules.images,
    tokens.counting(rules.encoding, { exact: request.maxCost !== null }),
  );
  if (defaults.refuseOverflow) checkOverflow(request, model, input, tokens);
  const estimatedInputTokens = input.total;
  const maxOutputTokens = outputLimit(request, defaults.maxOutputTokens, model, input);
  const call = { provider: providerName, model: model.id, region: provider.region, startedAt: now };
  const price = priceOfCall(call, catalog);
  const retries = defaults.retries ?? noRetries;
  const cost = estimateCallCost(request, model, input, maxOutputTokens, price, retries);
  const estimatedCost = cost?.request ?? null;
  checkBudget(request, estimatedCost);
  return {
    provider,
    requestedModel,
    model,
    temperature: request.temperature ?? defaultTemperature(request, defaults.temperature, model),
    maxOutputTokens,
    estimatedInputTokens,
    input,
    estimatedCost,
    callCost: cost?.call ?? null,
    warnings: [
      ...(lifecycle === 'deprecated' ? [deprecatedModel(model)] : []),
      ...(known === null
        ? misspelledModel(requestedModel, catalog.nearest(providerName, requestedModel))
        : []),
    ],
  };
}

/** The model works until the provider removes it, so its callers are warned before. */
function deprecatedModel({ id, shutdownAt }: ModelInfo): Problem {
  const until =
    shutdownAt === null
      ? 'the provider no longer lists it'
      : `the provider shuts it down on ${dateOf(shutdownAt)}`;
  return {
    path: 'model',
    code: 'deprecated_model',
    message: `model ${id} is deprecated: ${until}; choose another model`,
  };
}

/** @param nearest the most similar names of the catalog */
function misspelledModel(name: string, nearest: readonly string[]): Problem[] {
  const meant = misspelled(name, nearest);
  if (meant.length === 0) return [];
  const message = `model ${name} is not in the catalog and was called under this name, without a known price; did you mean ${meant.join(' or ')}?`;
  return [{ path: 'model', code: 'unknown_model', message }];
}

const dateOf = (at: number) => new Date(at).toISOString().slice(0, 10);

/** How far an estimate may be off: for a known encoding, and for an unknown one. */
const CERTAINTY = 0.98;
const CERTAINTY_OF_UNKNOWN = 0.65;

/** @throws ChatFailure if the prompt exceeds the context by any count */
function checkOverflow(
  request: ChatRequest,
  { id, contextWindow }: ModelInfo,
  estimate: InputEstimate,
  tokens: TokenCounter,
): void {
  if (contextWindow === null || estimate.atLeast <= contextWindow) return;
  const { images, encoding } = tokenRules(id);
  const { atLeast } = estimateInput(request, images, tokens.counting(encoding, { exact: true }));
  const certain = Math.floor(atLeast * (knowsEncoding(id) ? CERTAINTY : CERTAINTY_OF_UNKNOWN));
  if (certain > contextWindow) throw contextOverflow(id, certain, contextWindow);
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

function defaultTemperature(
  { reasoningEffort }: ChatRequest,
  byDefault: Default | null,
  model: ModelInfo,
): number | null {
  if (byDefault === null || !takesParameter(model, 'temperature', reasoningEffort)) return null;
  return byDefault.isConfigured || isKnown(model) ? byDefault.value : null;
}

function outputLimit(
  { maxOutputTokens, reasoningEffort }: ChatRequest,
  byDefault: Default | null,
  model: ModelInfo,
  input: InputEstimate,
): number | null {
  if (maxOutputTokens !== null) return maxOutputTokens === 0 ? null : maxOutputTokens;
  if (byDefault === null) return null;
  const { maxTokensParameter } = model;
  if (maxTokensParameter !== null && !takesParameter(model, maxTokensParameter, reasoningEffort)) return null;
  const reasons = model.reasons && effortOf(model, reasoningEffort) !== 'none';
  if (!byDefault.isConfigured && (reasons || !isKnown(model))) return null;
  // A high estimate would cut the answer. The provider itself refuses what is really too long.
  const left = model.contextWindow === null ? Number.POSITIVE_INFINITY : model.contextWindow - input.atLeast;
  return Math.max(1, Math.min(byDefault.value, model.maxOutputTokens ?? Number.POSITIVE_INFINITY, left));
}

/** If a model belongs to no family, what it takes is unknown. */
function isKnown({ maxTokensParameter }: ModelInfo): boolean {
  return maxTokensParameter !== null;
}
