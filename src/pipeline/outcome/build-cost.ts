import { Big } from 'big.js';
import { eventId } from '../../contract/event-id.ts';
import type {
  CostCalculated,
  CostLine,
  CostStatus,
  ProviderCall,
  ResponseStatus,
} from '../../contract/record-types.ts';
import type { CallCost } from '../../domain/cost/calculate-cost.ts';
import { priceCall, priceOfCall } from '../../domain/cost/price-call.ts';
import { plainUsage, sumUsage } from '../../domain/cost/usage.ts';
import { estimateTextTokens } from '../../domain/tokens/estimate-tokens.ts';
import type { Catalog } from '../../ports/catalog.ts';
import type { AttemptRow } from '../../ports/ledger.ts';
import type { EchoedRequest } from '../intake/bare-request.ts';

/**
 * The bill of a request: every call that used or may have used tokens, each with the price in force when it was sent.
 *
 * @param attempts all calls of the request, including earlier claims. A call whose `usage` is null used nothing. Exceptions are
 *   RUNNING and ORPHANED calls, of which only what was sent is known.
 * @param acceptedAttempt the attempt whose answer is the outcome; null if no answer is
 * @param estimatedCost what was estimated before sending, decimal text
 * @param occurredAt epoch ms
 * @returns null if nothing was used
 */
export function buildCost(
  request: EchoedRequest,
  attempts: readonly AttemptRow[],
  acceptedAttempt: number | null,
  requestStatus: ResponseStatus,
  estimatedCost: string | null,
  catalog: Pick<Catalog, 'price'>,
  occurredAt: number,
): CostCalculated | null {
  const calls = attempts
    .map((attempt) => ({ ...attempt, usage: knownUsage(attempt) }))
    .flatMap((attempt) =>
      attempt.usage === null ? [] : [priceAttempt({ ...attempt, usage: attempt.usage }, catalog)],
    );
  if (calls.length === 0) return null;

  const currency = calls.find((call) => call.currency !== null)?.currency ?? null;
  const priced = calls.map((call) =>
    call.currency === null || call.currency === currency ? call : leaveUnpriced(call),
  );
  const costStatus = overallStatus(priced.map(({ cost }) => cost));
  const lines = numberLines(priced);
  const total = (direction?: string) => (costStatus === 'PRICED' ? sumLines(lines, direction) : null);
  const accepted = priced.find(({ call }) => call.attempt === acceptedAttempt);
  return {
    eventId: eventId(request.tenantId, request.requestId, currency ?? '', 'CHARGE', 0),
    kind: 'CHARGE',
    revision: 0,
    adjustsEventId: null,
    reason: null,
    requestId: request.requestId,
    tenantId: request.tenantId,
    conversationId: request.conversationId,
    userId: request.userId,
    labels: request.labels,
    requestStatus,
    costStatus,
    currency,
    inputCost: total('input'),
    outputCost: total('output'),
    otherCost: total('other'),
    totalCost: total(),
    acceptedCost: accepted?.call.amount ?? null,
    estimatedCost,
    usage: sumUsage(priced.map(({ call }) => call.usage)),
    calls: priced.map(({ call }) => call),
    lines,
    usageAt: Math.min(...priced.map(({ call }) => call.startedAt)),
    occurredAt,
  };
}

interface PricedCall {
  readonly call: ProviderCall;
  readonly cost: CallCost;
  readonly currency: string | null;
}

type UsedAttempt = AttemptRow & { readonly usage: NonNullable<AttemptRow['usage']> };

function knownUsage(attempt: AttemptRow): AttemptRow['usage'] {
  if (attempt.usage !== null) return attempt.usage;
  // Its worker died after sending it. Of the answer, only what had arrived at the last beat is known.
  if (attempt.disposition !== 'ORPHANED' && attempt.disposition !== 'RUNNING') return null;
  const output = estimateTextTokens(attempt.outputBytes);
  return plainUsage(attempt.estimatedInputTokens, output, output > 0 ? 'PARTIAL' : 'ESTIMATED');
}

function priceAttempt(attempt: UsedAttempt, catalog: Pick<Catalog, 'price'>): PricedCall {
  const price = priceOfCall(attempt, catalog);
  const cost = priceCall(attempt, price);
  const isPriced = cost.status === 'PRICED';
  return {
    cost,
    currency: isPriced ? (price?.currency ?? null) : null,
    call: {
      attempt: attempt.attempt,
      disposition: attempt.disposition === 'RUNNING' ? 'ORPHANED' : attempt.disposition,
      provider: attempt.provider,
      account: attempt.account,
      model: attempt.model,
      pricedModel: price === null || price.model === attempt.model ? null : price.model,
      serviceTier: attempt.serviceTier,
      providerRequestId: attempt.providerRequestId,
      providerResponseId: attempt.providerResponseId,
      startedAt: attempt.startedAt,
      usage: attempt.usage,
      costStatus: cost.status,
      unpricedReason: isPriced ? null : cost.reason,
      priceId: isPriced ? (price?.id ?? null) : null,
      priceEffectiveFrom: isPriced ? (price?.effectiveFrom ?? null) : null,
      priceSource: isPriced ? (price?.source ?? null) : null,
      amount: isPriced ? cost.amount : null,
      requestedModel: attempt.requestedModel ?? null,
      region: attempt.region ?? null,
      searchContextSize: attempt.searchContextSize ?? null,
      reportedCost: attempt.reportedCost ?? null,
      estimatedCost: attempt.estimatedCost?.amount ?? null,
      estimatedCurrency: attempt.estimatedCost?.currency ?? null,
    },
  };
}

/** Amounts of two currencies have no sum. The other currency gets its own event, which `costs reprice` publishes. */
function leaveUnpriced({ call }: PricedCall): PricedCall {
  const cost = { status: 'UNPRICED', reason: 'currency_mismatch' } as const;
  const unpriced = { costStatus: cost.status, priceId: null, priceEffectiveFrom: null, priceSource: null };
  return {
    cost,
    currency: null,
    call: { ...call, ...unpriced, unpricedReason: cost.reason, pricedModel: null, amount: null },
  };
}

function overallStatus(costs: readonly CallCost[]): CostStatus {
  const pricedCount = costs.filter((cost) => cost.status === 'PRICED').length;
  if (pricedCount === costs.length) return 'PRICED';
  return pricedCount === 0 ? 'UNPRICED' : 'PARTLY_PRICED';
}

function numberLines(priced: readonly PricedCall[]): CostLine[] {
  return priced
    .flatMap(({ call, cost }) =>
      cost.status === 'PRICED' ? cost.lines.map((line) => ({ attempt: call.attempt, ...line })) : [],
    )
    .map((line, index) => ({ lineNumber: index + 1, ...line }));
}

function sumLines(lines: readonly CostLine[], direction?: string): string {
  return lines
    .filter((line) => direction === undefined || line.direction === direction)
    .reduce((sum, line) => sum.plus(line.amount), new Big(0))
    .toFixed();
}
