import { Big } from 'big.js';
import { eventId } from '../contract/event-id.ts';
import type { CostCalculated, CostLine, ProviderCall } from '../contract/record-types.ts';
import type { Price } from '../domain/cost/price.ts';
import { priceCall, priceOfCall } from '../domain/cost/price-call.ts';
import { sumUsage } from '../domain/cost/usage.ts';
import type { Catalog } from '../ports/catalog.ts';

/** `late_price`: calls had none when they were charged. `price_corrected`: another one is known to have been in force. */
export type AdjustmentReason = 'late_price' | 'price_corrected';

/** A charge with its adjustments so far, in the order of the log. */
export interface Bill {
  readonly charge: CostCalculated;
  readonly adjustments: readonly CostCalculated[];
}

/**
 * Builds the events that correct a bill to the prices in force when its calls were sent: one event per currency, with signed
 * lines for the changed calls only. Returns no event if nothing changes. A price that is split into versions of the same
 * figures changes nothing.
 *
 * The same bill and prices give the same events, ids included.
 *
 * @param revision of the first event: one more than the request's highest so far
 * @param occurredAt epoch ms
 */
export function buildAdjustments(
  bill: Bill,
  prices: Pick<Catalog, 'price'>,
  reason: AdjustmentReason,
  revision: number,
  occurredAt: number,
): CostCalculated[] {
  const calls = bill.charge.calls.map((call) => latestState(call, bill));
  const adjusted = calls.flatMap((call) => adjustCall(call, bill, prices, reason));
  return [...Map.groupBy(adjusted, ({ currency }) => currency)].map(([currency, ofCurrency], index) =>
    adjustmentEvent(bill.charge, ofCurrency, { reason, currency, revision: revision + index, occurredAt }),
  );
}

interface AdjustedCall {
  readonly currency: string;
  readonly call: ProviderCall;
  /** Signed. */
  readonly lines: readonly UnnumberedLine[];
}

type UnnumberedLine = Omit<CostLine, 'lineNumber'>;

function adjustCall(
  call: ProviderCall,
  bill: Bill,
  prices: Pick<Catalog, 'price'>,
  reason: AdjustmentReason,
): AdjustedCall[] {
  const wasPriced = call.costStatus === 'PRICED';
  if (wasPriced === (reason === 'late_price')) return [];
  const price = priceOfCall(call, prices);
  if (price === null || price.id === call.priceId) return [];
  const cost = priceCall(call, price);
  if (cost.status === 'UNPRICED') return [];

  const wanted = cost.lines.map((line) => ({ ...line, attempt: call.attempt, currency: price.currency }));
  const changed = signedDifference(linesOf(call.attempt, bill), wanted);
  const byCurrency = Map.groupBy(changed, ({ currency }) => currency);
  // A call that costs nothing has no lines. Its adjustment is still needed to mark it as priced.
  if (!wasPriced && byCurrency.size === 0) byCurrency.set(price.currency, []);
  return [...byCurrency].map(([currency, lines]) => ({
    currency,
    call: {
      ...call,
      ...pricedBy(price, call.model),
      amount: sumAmounts(lines),
    },
    lines: lines.map(({ currency: _currency, ...line }) => line),
  }));
}

function pricedBy(price: Price, model: string): Partial<ProviderCall> {
  return {
    pricedModel: price.model === model ? null : price.model,
    costStatus: 'PRICED',
    unpricedReason: null,
    priceId: price.id,
    priceEffectiveFrom: price.effectiveFrom,
    priceSource: price.source,
  };
}

/** The call with the price that it was last billed at. */
function latestState(call: ProviderCall, { adjustments }: Bill): ProviderCall {
  const adjusted = adjustments.flatMap(({ calls }) =>
    calls.filter(({ attempt }) => attempt === call.attempt),
  );
  return adjusted.at(-1) ?? call;
}

type CurrencyLine = UnnumberedLine & { readonly currency: string };

/** The lines that a call was charged so far. */
function linesOf(attempt: number, { charge, adjustments }: Bill): CurrencyLine[] {
  return [charge, ...adjustments].flatMap(({ lines, currency }) =>
    lines
      .filter((line) => line.attempt === attempt)
      .map(({ lineNumber: _number, ...line }) => ({ ...line, currency: currency ?? '' })),
  );
}

/** The lines that turn one list of lines into another: first those that are reversed, then those that are added. */
function signedDifference(charged: readonly CurrencyLine[], wanted: readonly CurrencyLine[]): CurrencyLine[] {
  const signed = [...charged.map((line) => ({ ...line, quantity: -line.quantity })), ...wanted];
  const postings = Map.groupBy(signed, ({ direction, kind, unit, unitSize, unitPrice, currency }) =>
    JSON.stringify([direction, kind, unit, unitSize, new Big(unitPrice).toFixed(), currency]),
  );
  return [...postings.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const quantity = others.reduce((sum, line) => sum + line.quantity, first.quantity);
    if (quantity === 0) return [];
    const amount = new Big(first.unitPrice).times(quantity).times(new Big(1).div(first.unitSize)).toFixed();
    return [{ ...first, quantity, unitPrice: new Big(first.unitPrice).toFixed(), amount }];
  });
}

function adjustmentEvent(
  charge: CostCalculated,
  adjusted: readonly AdjustedCall[],
  {
    reason,
    currency,
    revision,
    occurredAt,
  }: { reason: AdjustmentReason; currency: string; revision: number; occurredAt: number },
): CostCalculated {
  const lines = adjusted
    .flatMap((call) => call.lines)
    .map((line, index) => ({ lineNumber: index + 1, ...line }));
  const calls = adjusted.map(({ call }) => call);
  const total = (direction?: string) =>
    sumAmounts(lines.filter((line) => direction === undefined || line.direction === direction));
  return {
    ...charge,
    eventId: eventId(charge.tenantId, charge.requestId, currency, 'ADJUSTMENT', revision),
    kind: 'ADJUSTMENT',
    revision,
    adjustsEventId: charge.eventId,
    reason,
    costStatus: 'PRICED',
    currency,
    inputCost: total('input'),
    outputCost: total('output'),
    otherCost: total('other'),
    totalCost: total(),
    acceptedCost: calls.find(({ disposition }) => disposition === 'ACCEPTED')?.amount ?? null,
    usage: sumUsage(calls.map(({ usage }) => usage)),
    calls,
    lines,
    occurredAt,
  };
}

function sumAmounts(lines: readonly { readonly amount: string }[]): string {
  return lines.reduce((sum, { amount }) => sum.plus(amount), new Big(0)).toFixed();
}
