import { Big } from 'big.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CostCalculated, ProviderCall } from '../../../src/contract/record-types.ts';
import type { Price } from '../../../src/domain/cost/price.ts';
import { priceCall } from '../../../src/domain/cost/price-call.ts';
import { plainUsage } from '../../../src/domain/cost/usage.ts';
import type { InboundRecord } from '../../../src/ports/kafka.ts';
import { BillLog } from '../../../src/spend/bill-log.ts';
import { type AdjustmentReason, type Bill, buildAdjustments } from '../../../src/spend/build-adjustment.ts';
import { sampleCost } from '../../contract/sample-records.ts';
import { FakeCatalog, priceOf } from '../../support/fakes/fake-catalog.ts';

const NOW = Date.UTC(2026, 0, 2);
const SENT = Date.UTC(2026, 0, 1);

interface CallOf {
  readonly model?: string;
  readonly input?: number;
  readonly output?: number;
  readonly at?: number;
  readonly tier?: string;
  readonly disposition?: ProviderCall['disposition'];
}

/** A charge that the service creates with the prices of a catalog. */
function chargeOf(catalog: FakeCatalog, ...calls: readonly CallOf[]): CostCalculated {
  const priced = calls.map((one, index) => {
    const {
      model = 'gpt-x',
      input = 100,
      output = 50,
      at = SENT,
      tier = null,
      disposition = 'ACCEPTED',
    } = one;
    const used = { model, serviceTier: tier, usage: plainUsage(input, output, 'PROVIDER') };
    const price = catalog.price('openai', model, at);
    const cost = priceCall(used, price);
    const isPriced = cost.status === 'PRICED';
    const attempt = index + 1;
    const call: ProviderCall = {
      attempt,
      disposition,
      provider: 'openai',
      account: null,
      pricedModel: null,
      providerRequestId: null,
      providerResponseId: null,
      startedAt: at,
      ...used,
      costStatus: cost.status,
      unpricedReason: isPriced ? null : cost.reason,
      priceId: isPriced ? (price?.id ?? null) : null,
      priceEffectiveFrom: null,
      priceSource: null,
      amount: isPriced ? cost.amount : null,
      requestedModel: null,
      searchContextSize: null,
      region: null,
      reportedCost: null,
      estimatedCost: null,
      estimatedCurrency: null,
    };
    return { call, currency: isPriced ? (price?.currency ?? null) : null, lines: isPriced ? cost.lines : [] };
  });
  const lines = priced
    .flatMap(({ call, lines: ofCall }) => ofCall.map((line) => ({ attempt: call.attempt, ...line })))
    .map((line, index) => ({ lineNumber: index + 1, ...line }));
  const count = priced.filter(({ currency }) => currency !== null).length;
  const isPriced = count === priced.length;
  return {
    ...sampleCost,
    costStatus: isPriced ? 'PRICED' : count === 0 ? 'UNPRICED' : 'PARTLY_PRICED',
    currency: priced.find(({ currency }) => currency !== null)?.currency ?? null,
    totalCost: isPriced ? sumOf(lines) : null,
    calls: priced.map(({ call }) => call),
    lines,
    usageAt: SENT,
  };
}

function sumOf(lines: readonly { readonly amount: string }[]): string {
  return lines.reduce((sum, { amount }) => sum.plus(amount), new Big(0)).toFixed();
}

function catalogOf(...prices: Price[]): FakeCatalog {
  const catalog = new FakeCatalog();
  catalog.prices.push(...prices);
  return catalog;
}

const adjust = (
  charge: CostCalculated,
  catalog: FakeCatalog,
  reason: AdjustmentReason = 'late_price',
  adjustments: readonly CostCalculated[] = [],
) => buildAdjustments({ charge, adjustments }, catalog, reason, adjustments.length + 1, NOW);

/** The total of a bill: all lines of all its events. */
const billed = ({ charge, adjustments }: Bill) =>
  sumOf([charge, ...adjustments].flatMap(({ lines }) => lines));

const thirty = priceOf('gpt-x');
const none = catalogOf();

describe('an adjustment for a price that came late', () => {
  it('charges the unpriced calls, in the charge’s own period, and names the charge', () => {
    const charge = chargeOf(none, {});
    const [event, ...others] = adjust(charge, catalogOf(thirty));
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      kind: 'ADJUSTMENT',
      revision: 1,
      adjustsEventId: charge.eventId,
      reason: 'late_price',
      requestId: charge.requestId,
      tenantId: charge.tenantId,
      labels: charge.labels,
      costStatus: 'PRICED',
      currency: 'USD',
      inputCost: '0.003',
      outputCost: '0.003',
      otherCost: '0',
      totalCost: '0.006',
      acceptedCost: '0.006',
      usageAt: SENT,
      occurredAt: NOW,
      calls: [
        { attempt: 1, costStatus: 'PRICED', unpricedReason: null, priceId: thirty.id, amount: '0.006' },
      ],
      lines: [
        { lineNumber: 1, attempt: 1, kind: 'input', quantity: 100, unitPrice: '30', amount: '0.003' },
        { lineNumber: 2, attempt: 1, kind: 'output', quantity: 50, unitPrice: '60', amount: '0.003' },
      ],
    });
    expect(event?.eventId).not.toBe(charge.eventId);
  });

  it('adds only the unpriced calls, and does not change the price of the others', () => {
    const old = catalogOf(priceOf('gpt-y'));
    const charge = chargeOf(old, { model: 'gpt-y', disposition: 'RETRIED' }, {});
    expect(charge.costStatus).toBe('PARTLY_PRICED');
    const dearer = priceOf('gpt-y', { id: 'dearer', components: { input: '90', output: '90' } });
    const [event] = adjust(charge, catalogOf(dearer, thirty));
    expect(event?.calls.map(({ attempt }) => attempt)).toEqual([2]);
    expect(event?.totalCost).toBe('0.006');
    expect(billed({ charge, adjustments: event === undefined ? [] : [event] })).toBe('0.012');
  });

  it('prices by the version in force when the call was sent', () => {
    const charge = chargeOf(none, {});
    const later = priceOf('gpt-x', { effectiveFrom: SENT + 1 });
    expect(adjust(charge, catalogOf(later))).toEqual([]);
    expect(adjust(charge, catalogOf({ ...later, effectiveFrom: SENT }))).toHaveLength(1);
  });

  it('is not made for a usage that does not add up, a served tier without a price, or a charge that is priced', () => {
    const catalog = catalogOf(thirty);
    const charge = chargeOf(none, {});
    const odd = { ...plainUsage(1, 1, 'PROVIDER'), cachedInputTokens: 2 };
    const wrong = { ...charge, calls: charge.calls.map((call) => ({ ...call, usage: odd })) };
    expect(adjust(wrong, catalog)).toEqual([]);
    expect(adjust(chargeOf(none, { tier: 'flex' }), catalog)).toEqual([]);
    expect(adjust(chargeOf(catalog, {}), catalogOf({ ...thirty, id: 'another' }))).toEqual([]);
  });

  it('marks a free call as priced, once', () => {
    const charge = chargeOf(none, { input: 0, output: 0 });
    const events = adjust(charge, catalogOf(thirty));
    expect(events).toMatchObject([{ totalCost: '0', lines: [], calls: [{ costStatus: 'PRICED' }] }]);
    expect(adjust(charge, catalogOf(thirty), 'late_price', events)).toEqual([]);
  });

  it('is an event for each currency', () => {
    const charge = chargeOf(none, {}, { model: 'gpt-y' });
    const euros = priceOf('gpt-y', { currency: 'EUR' });
    const events = adjust(charge, catalogOf(thirty, euros));
    expect(events.map(({ currency, revision, totalCost }) => [currency, revision, totalCost])).toEqual([
      ['USD', 1, '0.006'],
      ['EUR', 2, '0.006'],
    ]);
    expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(2);
  });
});

describe('an adjustment for a price that was corrected', () => {
  const corrected = priceOf('gpt-x', { id: 'corrected', components: { input: '20', output: '60' } });

  it('reverses the charge and charges again, with signed lines only for differences', () => {
    const charge = chargeOf(catalogOf(thirty), {});
    const [event] = adjust(charge, catalogOf(corrected), 'price_corrected');
    expect(event).toMatchObject({
      reason: 'price_corrected',
      totalCost: '-0.001',
      inputCost: '-0.001',
      outputCost: '0',
      calls: [{ priceId: 'corrected', amount: '-0.001' }],
      lines: [
        { kind: 'input', quantity: -100, unitPrice: '30', amount: '-0.003' },
        { kind: 'input', quantity: 100, unitPrice: '20', amount: '0.002' },
      ],
    });
  });

  it('is not made when a version was only split, nor for calls without a price', () => {
    const charge = chargeOf(catalogOf(thirty), {});
    expect(adjust(charge, catalogOf({ ...thirty, id: 'the second half' }), 'price_corrected')).toEqual([]);
    expect(adjust(charge, none, 'price_corrected')).toEqual([]);
    expect(adjust(chargeOf(none, {}), catalogOf(thirty), 'price_corrected')).toEqual([]);
  });

  it('moves a bill to another currency', () => {
    const charge = chargeOf(catalogOf(thirty), {});
    const events = adjust(charge, catalogOf({ ...thirty, id: 'euros', currency: 'EUR' }), 'price_corrected');
    expect(events.map(({ currency, totalCost }) => [currency, totalCost])).toEqual([
      ['USD', '-0.006'],
      ['EUR', '0.006'],
    ]);
  });

  it('leaves each bill at its cost by the latest prices, however often prices change', () => {
    const rate = fc.nat(50).map(String);
    const rates = fc.array(fc.record({ input: rate, output: rate }), { minLength: 1, maxLength: 5 });
    const count = fc.nat(1_000);
    const usages = fc.array(fc.record({ input: count, output: count }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(usages, rates, fc.boolean(), (calls, versions, isLate) => {
        const [first, ...changes] = versions.map((components, index) =>
          catalogOf(priceOf('gpt-x', { id: `version-${index}`, components })),
        );
        if (first === undefined) return;
        const charge = chargeOf(isLate ? none : first, ...calls);
        const adjustments = isLate ? adjust(charge, first) : [];
        for (const catalog of changes) {
          const events = adjust(charge, catalog, 'price_corrected', adjustments);
          for (const { lines, totalCost } of events) expect(sumOf(lines)).toBe(totalCost);
          adjustments.push(...events);
          expect(billed({ charge, adjustments })).toBe(chargeOf(catalog, ...calls).totalCost);
          expect(adjust(charge, catalog, 'price_corrected', adjustments)).toEqual([]);
        }
      }),
    );
  });
});

describe('the bills of a topic', () => {
  const source = (offset: number): InboundRecord => ({
    topic: 'chat.costs',
    partition: 3,
    offset,
    timestamp: NOW,
    key: Buffer.from('key'),
    value: null,
    headers: {},
  });
  const always = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY };
  const late = { ...always, reason: 'late_price' as const };

  it('have an adjustment once, from any publisher, with the next revision', () => {
    const charge = chargeOf(none, {});
    const log = new BillLog(late, catalogOf(thirty));
    log.add(charge, source(0));
    log.add(charge, source(1));
    const due = log.due(NOW);
    expect(due.map(({ event, source: { offset } }) => [event.revision, offset])).toEqual([[1, 0]]);

    const again = new BillLog(late, catalogOf(thirty));
    again.add(charge, source(0));
    for (const { event } of [...due, ...due]) again.add(event, source(2));
    expect(again.due(NOW + 1)).toEqual([]);

    const corrected = catalogOf({ ...thirty, id: 'another', components: { input: '1', output: '1' } });
    const third = new BillLog({ ...always, reason: 'price_corrected' }, corrected);
    third.add(charge, source(0));
    for (const { event } of [...due, ...due]) third.add(event, source(2));
    expect(third.due(NOW + 2).map(({ event }) => [event.revision, event.totalCost])).toEqual([
      [2, '-0.00585'],
    ]);
  });

  it('are those of the requested period', () => {
    const dueWithin = (from: number, to: number) => {
      const log = new BillLog({ ...late, from, to }, catalogOf(thirty));
      log.add(chargeOf(none, {}), source(0));
      return log.due(NOW).length;
    };
    expect([dueWithin(SENT, SENT + 1), dueWithin(SENT + 1, NOW), dueWithin(0, SENT)]).toEqual([1, 0, 0]);
  });

  it('are two when an id is reused after the ledger has forgotten it, and no event id is used twice', () => {
    const log = new BillLog(late, catalogOf(thirty));
    const charge = chargeOf(none, {});
    log.add(charge, source(0));
    log.add({ ...charge, usageAt: SENT + 1, occurredAt: NOW }, source(1));
    const due = log.due(NOW);
    expect(due.map(({ event }) => [event.usageAt, event.revision])).toEqual([
      [SENT, 1],
      [SENT + 1, 2],
    ]);
    expect(new Set(due.map(({ event }) => event.eventId)).size).toBe(2);
  });

  it('need no adjustment for calls at the current price, nor for unknown kinds of events', () => {
    const charge = chargeOf(catalogOf(thirty), {});
    const log = new BillLog({ ...always, reason: 'price_corrected' }, catalogOf(thirty));
    log.add(charge, source(0));
    log.add({ ...charge, kind: 'UNKNOWN', calls: [] }, source(1));
    expect(log.due(NOW)).toEqual([]);
  });
});
