import { createCatalog } from '../../adapters/mongo/catalog/catalog-cache.ts';
import { connectDatabase, ensureIndexes } from '../../adapters/mongo/client/database.ts';
import { readBody } from '../../adapters/openai/json-body/read-body.ts';
import { regionOf } from '../../adapters/openai/region-of.ts';
import { createTokenCounter } from '../../adapters/tokenizer/token-counter.ts';
import { shippedModels, shippedPrices } from '../../catalog/files/shipped-catalog.ts';
import type { ChatRequest } from '../../contract/record-types.ts';
import { lowestCost } from '../../domain/cost/estimate-cost.ts';
import type { Price } from '../../domain/cost/price.ts';
import { priceOfCall } from '../../domain/cost/price-call.ts';
import { invalidRequest } from '../../domain/failures/refusals.ts';
import type { InputEstimate } from '../../domain/tokens/estimate-tokens.ts';
import { tokenRules } from '../../domain/tokens/token-rules.ts';
import { type CallPlan, countingExactly, planCall } from '../../pipeline/admission/plan-call.ts';
import { validateRequest } from '../../pipeline/handling/validate-request.ts';
import { decodeJsonRequest } from '../../pipeline/intake/decode-json-request.ts';
import type { Catalog } from '../../ports/catalog.ts';
import type { ChatProvider } from '../../ports/provider.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import type { Tool } from '../options/tool.ts';
import { createFileCatalog } from './file-catalog.ts';
import { parseRequestBody } from './request-body.ts';

export interface EstimateOptions {
  readonly model?: string;
  /** A Chat Completions body in JSON. */
  readonly file?: string;
  readonly maxOutputTokens?: number;
  /** A price file, or `shipped`. Then no database is needed, and the models are the shipped ones. */
  readonly prices?: string;
  readonly json?: boolean;
}

/** The printed estimate; in JSON with these names. Amounts are decimal text. */
export interface RequestEstimate {
  readonly model: string;
  readonly encoding: string;
  readonly inputTokens: InputEstimate;
  /** Of all choices together; null without a limit. */
  readonly maxOutputTokens: number | null;
  readonly lowestCost: string | null;
  /** Of one call. */
  readonly highestCost: string | null;
  /** The amount that is checked against `maxCost` and budgets. */
  readonly highestCostWithRetries: string | null;
  /** The configured number (`AI_OPENAI_RETRY_ATTEMPTS`). */
  readonly retries: number;
  readonly currency: string | null;
  readonly price: Pick<Price, 'id' | 'source'> | null;
}

/** `estimate [TEXT]`: what a request would count and cost now, as the service estimates it. Nothing is sent. */
export async function estimate(
  tool: Tool,
  text: string | undefined,
  options: EstimateOptions,
  now: number,
): Promise<void> {
  const request = readRequest(tool, text, options, now);
  const estimated = await withCatalog(tool, options.prices, (catalog) =>
    estimateRequest(tool, request, catalog, now),
  );
  tool.print(options.json ? `${JSON.stringify(estimated)}\n` : describeEstimate(estimated));
}

async function estimateRequest(
  { config }: Tool,
  request: ChatRequest,
  catalog: Catalog,
  now: number,
): Promise<RequestEstimate> {
  const { defaults, openai } = config;
  const region = regionOf(openai.baseUrl);
  const providers = new Map([[unreachable.name, { ...unreachable, region }]]);
  const counter = await createTokenCounter();
  const plan = planCall(
    // The command reports the highest cost, so it must not refuse the request for it.
    { ...request, maxCost: null },
    providers,
    catalog,
    {
      provider: unreachable.name,
      model: defaults.model,
      temperature: defaults.temperature,
      maxOutputTokens: defaults.maxOutputTokens,
      retries: openai,
    },
    now,
    // The command has time to count every text to its end.
    countingExactly(counter),
  );
  const price = priceOfCall(
    { provider: plan.provider.name, model: plan.model.id, region, startedAt: now },
    catalog,
  );
  return {
    model: plan.model.id,
    encoding: tokenRules(plan.model.id).encoding,
    inputTokens: plan.input,
    maxOutputTokens: allChoices(plan, request),
    lowestCost: price && lowestCost(plan.input.atLeast, price, request.serviceTier),
    highestCost: plan.callCost?.amount ?? null,
    highestCostWithRetries: plan.estimatedCost?.amount ?? null,
    retries: openai.retryAttempts,
    currency: price?.currency ?? null,
    price: price && { id: price.id, source: price.source },
  };
}

function allChoices({ maxOutputTokens, model }: CallPlan, { n }: ChatRequest): number | null {
  const perChoice = maxOutputTokens ?? model.maxOutputTokens;
  return perChoice === null ? null : perChoice * Math.max(1, n ?? 1);
}

function readRequest(
  { config, readFile }: Tool,
  text: string | undefined,
  { file, model, maxOutputTokens }: EstimateOptions,
  now: number,
): ChatRequest {
  if ((text === undefined) === (file === undefined))
    throw new Error('give either a text or a request’s file (--file)');
  const json =
    file === undefined
      ? JSON.stringify({ messages: [{ role: 'user', content: text }] })
      : readFile(file, '--file');
  if (file !== undefined) parseRequestBody(file, json);
  const value = Buffer.from(json);
  const record = {
    topic: 'estimate',
    partition: 0,
    offset: 0,
    timestamp: now,
    key: null,
    value,
    headers: {},
  };
  const read = decodeJsonRequest(record, value, { readBody, jsonMaxBytes: config.limits.recordMaxBytes });
  const request = {
    ...read.request,
    model: model ?? read.request.model,
    maxOutputTokens: maxOutputTokens ?? read.request.maxOutputTokens,
  };
  const problems = [...read.problems, ...validateRequest(request, read.problems)];
  if (problems.length > 0) throw invalidRequest(problems);
  return request;
}

/** Calls are planned for this provider, but never made. */
const unreachable: ChatProvider = {
  name: 'openai',
  account: null,
  stream: async () => Promise.reject(new Error('nothing is sent')),
};

async function withCatalog<T>(
  { config, logger, readFile }: Tool,
  prices: string | undefined,
  work: (catalog: Catalog) => Promise<T>,
): Promise<T> {
  if (prices !== undefined) {
    const file = prices === 'shipped' ? shippedPrices : { name: prices, text: readFile(prices, '--prices') };
    return work(createFileCatalog(shippedModels, file));
  }
  const { db, close } = await connectDatabase(config.mongo);
  try {
    await ensureIndexes(db);
    const catalog = await createCatalog({
      db,
      refreshMs: config.catalog.refreshMs,
      clock: systemClock,
      onRefreshFailed: (error) =>
        logger.error(
          { err: error },
          'models and prices could not be refreshed; using those of the last read',
        ),
    });
    try {
      return await work(catalog);
    } finally {
      catalog.stop();
    }
  } finally {
    await close();
  }
}

/** The estimate as text, one line per item. */
export function describeEstimate(estimated: RequestEstimate): string {
  const { inputTokens: input, currency } = estimated;
  const parts = (['messages', 'tools', 'images', 'audio', 'overhead'] as const)
    .filter((part) => input[part] > 0)
    .map((part) => `  ${part}: ${input[part]}`);
  const most =
    input.atMost === null
      ? 'no known limit: a file or an earlier audio answer is in it'
      : `at most ${input.atMost}`;
  const range = input.atLeast === input.atMost ? '' : ` (at least ${input.atLeast}, ${most})`;
  const output =
    estimated.maxOutputTokens === null ? 'without a limit' : `at most ${estimated.maxOutputTokens} tokens`;
  const cost = (amount: string | null) => (amount === null ? 'unknown' : `${amount} ${currency}`);
  return [
    `${estimated.model}, ${estimated.encoding}`,
    `input ${input.total} tokens${range}`,
    ...parts,
    `output ${output}`,
    `lowest cost ${cost(estimated.lowestCost)}`,
    `highest cost ${cost(estimated.highestCost)}`,
    ...(estimated.retries > 0 && estimated.highestCostWithRetries !== null
      ? [`with ${estimated.retries} retries ${cost(estimated.highestCostWithRetries)}`]
      : []),
    estimated.price === null
      ? 'no price is known'
      : `price ${estimated.price.id}, from ${estimated.price.source}`,
    '',
  ].join('\n');
}
