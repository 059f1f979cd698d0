import { Big } from 'big.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainUsage } from '../../../../src/domain/cost/usage.ts';
import { buildCost } from '../../../../src/pipeline/outcome/build-cost.ts';
import { costWarnings } from '../../../../src/pipeline/outcome/cost-warnings.ts';
import type { AttemptRow } from '../../../../src/ports/ledger.ts';
import { buildAdjustments } from '../../../../src/spend/build-adjustment.ts';
import { FakeCatalog, priceOf } from '../../../support/fakes/fake-catalog.ts';
import { chatRequest, codec } from '../../../support/fakes/handling.ts';

const NOW = Date.UTC(2026, 0, 2);
const request = chatRequest({ conversationId: 'c-1', userId: 'u-1', labels: { team: 'search' } });

function attemptRow(attempt: number, members: Partial<AttemptRow> = {}): AttemptRow {
  return {
    attempt,
    disposition: 'ACCEPTED',
    provider: 'openai',
    account: 'acme-project',
    model: 'gpt-4',
    serviceTier: null,
    providerRequestId: `req_${attempt}`,
    providerResponseId: `chatcmpl-${attempt}`,
    startedAt: NOW + attempt,
    usage: plainUsage(100, 50, 'PROVIDER'),
    estimatedInputTokens: 80,
    outputBytes: 0,
    ...members,
  };
}

function catalogOf(...prices: Parameters<typeof priceOf>[]): FakeCatalog {
  const catalog = new FakeCatalog();
  for (const [model, members] of prices) catalog.prices.push(priceOf(model, members));
  return catalog;
}

const cost = (
  attempts: readonly AttemptRow[],
  catalog = catalogOf(['gpt-4']),
  accepted: number | null = attempts.length,
) => buildCost(request, attempts, accepted, 'COMPLETED', '0.5', catalog, NOW + 60_000);

describe('buildCost', () => {
  it('prices one call to the last decimal, and names who pays', () => {
    expect(cost([attemptRow(1)])).toMatchObject({
      kind: 'CHARGE',
      revision: 0,
      requestId: 'request-1',
      tenantId: 'default',
      conversationId: 'c-1',
      userId: 'u-1',
      labels: { team: 'search' },
      requestStatus: 'COMPLETED',
      costStatus: 'PRICED',
      currency: 'USD',
      inputCost: '0.003',
      outputCost: '0.003',
      otherCost: '0',
      totalCost: '0.006',
      acceptedCost: '0.006',
      estimatedCost: '0.5',
      occurredAt: NOW + 60_000,
      calls: [
        {
          attempt: 1,
          account: 'acme-project',
          providerRequestId: 'req_1',
          providerResponseId: 'chatcmpl-1',
          pricedModel: null,
          priceId: 'price-gpt-4',
          priceEffectiveFrom: 0,
          priceSource: 'https://example.com/pricing',
        },
      ],
      lines: [
        { lineNumber: 1, attempt: 1, direction: 'input', quantity: 100, unitPrice: '30', amount: '0.003' },
        { lineNumber: 2, attempt: 1, direction: 'output', quantity: 50, unitPrice: '60', amount: '0.003' },
      ],
    });
  });

  it('builds no event when no call used anything', () => {
    expect(cost([])).toBeNull();
    expect(cost([attemptRow(1, { disposition: 'FAILED', usage: null })])).toBeNull();
  });

  it('leaves out calls that used nothing, and numbers the remaining lines without gaps', () => {
    const event = cost([
      attemptRow(1, { disposition: 'RETRIED', usage: plainUsage(10, 1, 'PARTIAL') }),
      attemptRow(2, { disposition: 'RETRIED', usage: null }),
      attemptRow(3),
    ]);
    expect(event?.calls.map(({ attempt }) => attempt)).toEqual([1, 3]);
    expect(event?.lines.map(({ lineNumber, attempt }) => [lineNumber, attempt])).toEqual([
      [1, 1],
      [2, 1],
      [3, 3],
      [4, 3],
    ]);
    expect(event).toMatchObject({
      totalCost: '0.00636',
      acceptedCost: '0.006',
      usage: { inputTokens: 110, outputTokens: 51, confidence: 'PARTIAL' },
    });
  });

  it.each(['ORPHANED', 'RUNNING'] as const)(
    'takes a call that is left %s for an orphan that used its estimate',
    (disposition) => {
      const event = cost([attemptRow(1, { disposition, usage: null }), attemptRow(2)]);
      expect(event?.calls[0]).toMatchObject({
        disposition: 'ORPHANED',
        usage: { inputTokens: 80, outputTokens: 0, confidence: 'ESTIMATED' },
        amount: '0.0024',
      });
    },
  );

  it('counts the part of an orphan’s answer that had arrived at its worker’s last heartbeat', () => {
    const orphan = attemptRow(1, { disposition: 'ORPHANED', usage: null, outputBytes: 399 });
    expect(cost([orphan])).toMatchObject({
      totalCost: '0.0084',
      usage: { inputTokens: 80, outputTokens: 100, confidence: 'PARTIAL' },
    });
  });

  it('prefers an orphan’s known usage to its estimate', () => {
    const orphan = attemptRow(1, { disposition: 'ORPHANED', usage: plainUsage(7, 3, 'PARTIAL') });
    expect(cost([orphan])?.usage).toMatchObject({ inputTokens: 7, confidence: 'PARTIAL' });
  });

  it('never adds amounts of two currencies: a call in a second currency has no price in this event', () => {
    const catalog = catalogOf(['gpt-4'], ['gpt-5', { currency: 'EUR' }]);
    const event = cost(
      [attemptRow(1, { disposition: 'RETRIED' }), attemptRow(2, { model: 'gpt-5' })],
      catalog,
    );
    expect(event).toMatchObject({
      costStatus: 'PARTLY_PRICED',
      currency: 'USD',
      totalCost: null,
      acceptedCost: null,
      calls: [
        { costStatus: 'PRICED', amount: '0.006' },
        { costStatus: 'UNPRICED', unpricedReason: 'currency_mismatch', priceId: null, amount: null },
      ],
    });
    expect(event?.lines.map(({ attempt }) => attempt)).toEqual([1, 1]);
    if (event === null) return;
    const prices = { price: catalog.price.bind(catalog) };
    const adjustments = buildAdjustments({ charge: event, adjustments: [] }, prices, 'late_price', 1, NOW);
    expect(adjustments).toMatchObject([{ currency: 'EUR', totalCost: '0.006', acceptedCost: '0.006' }]);
  });

  it('prices a served model without a price as the requested model, and marks it', () => {
    const attempt = attemptRow(1, { model: 'my-deployment', requestedModel: 'gpt-4' });
    const event = cost([attempt]);
    expect(event).toMatchObject({
      costStatus: 'PRICED',
      totalCost: '0.006',
      calls: [{ model: 'my-deployment', requestedModel: 'gpt-4', pricedModel: 'gpt-4' }],
    });
    expect(costWarnings(event)).toMatchObject([{ path: 'model', code: 'priced_as_requested' }]);
  });

  it.each([
    ['the model itself', 'gpt-4', []],
    ['a dated snapshot', 'gpt-4-2024-08-06', []],
    ['a snapshot with a short date', 'gpt-4-0613', []],
    ['a version', 'gpt-4-001', []],
    ['a snapshot with a date in one piece', 'gpt-4-20240806', []],
    ['a model of another size', 'gpt-4-32k', ['priced_as_requested']],
    ['a model whose name continues', 'gpt-4o', ['priced_as_requested']],
    ['a preview', 'gpt-4-1106-preview', ['priced_as_requested']],
    ['a tag', 'gpt-4:70b', ['priced_as_requested']],
  ])('warns if a model is priced as another one: %s', (_what, model, codes) => {
    const event = cost([attemptRow(1, { model, requestedModel: 'gpt-4' })]);
    expect(event).toMatchObject({ costStatus: 'PRICED', totalCost: '0.006' });
    expect(costWarnings(event).map(({ code }) => code)).toEqual(codes);
  });

  it('does not warn of a fine-tuned model that is priced by its base', () => {
    const model = 'ft:gpt-4o-2024-08-06:acme:support:9f';
    const catalog = catalogOf(['ft:gpt-4o']);
    catalog.pricedAs.set(model, 'ft:gpt-4o');
    const event = cost([attemptRow(1, { model, requestedModel: 'tuned' })], catalog);
    expect(event).toMatchObject({ costStatus: 'PRICED', calls: [{ pricedModel: 'ft:gpt-4o' }] });
    expect(costWarnings(event)).toEqual([]);
  });

  it('prices a served model by its own price when it has one', () => {
    const components = { input: '1', output: '1' };
    const catalog = catalogOf(['gpt-4'], ['cheaper', { components }]);
    const event = cost([attemptRow(1, { model: 'cheaper', requestedModel: 'gpt-4' })], catalog);
    expect(event).toMatchObject({ totalCost: '0.00015', calls: [{ pricedModel: null }] });
    expect(costWarnings(event)).toEqual([]);
  });

  it('finds the late price of a served model by the requested model', () => {
    const attempt = attemptRow(1, { model: 'my-deployment', requestedModel: 'gpt-4' });
    const charge = cost([attempt], catalogOf());
    expect(charge).toMatchObject({ costStatus: 'UNPRICED', calls: [{ unpricedReason: 'no_price' }] });
    if (charge === null) return;
    const adjustments = buildAdjustments(
      { charge, adjustments: [] },
      catalogOf(['gpt-4']),
      'late_price',
      1,
      NOW,
    );
    expect(adjustments).toMatchObject([{ totalCost: '0.006', calls: [{ pricedModel: 'gpt-4' }] }]);
  });

  it.each([
    ['another cost', '0.0061', ['cost_differs']],
    ['none', null, []],
    ['the same cost', '0.006', []],
    ['one that is rounded', '0.0060004', []],
    ['no cost for what is priced', '0', ['cost_differs']],
  ])('records the provider’s own cost, and warns of a difference: %s', (_what, reportedCost, codes) => {
    const event = cost([attemptRow(1, { reportedCost })]);
    expect(event).toMatchObject({ totalCost: '0.006', calls: [{ reportedCost, amount: '0.006' }] });
    expect(costWarnings(event).map(({ code }) => code)).toEqual(codes);
  });

  it('records the expected cost of each call, for budgets', () => {
    const estimatedCost = { amount: '0.25', currency: 'USD' };
    const event = cost([attemptRow(1, { estimatedCost }), attemptRow(2)], catalogOf());
    expect(event?.calls).toMatchObject([
      { costStatus: 'UNPRICED', estimatedCost: '0.25', estimatedCurrency: 'USD' },
      { costStatus: 'UNPRICED', estimatedCost: null, estimatedCurrency: null },
    ]);
  });

  it('charges the search that a search model makes for each answer, which its usage does not report', () => {
    const components = { input: '30', output: '60', webSearch: '0.025' };
    const model = 'gpt-4o-search-preview';
    const catalog = catalogOf([model, { components }]);
    const searched = cost([attemptRow(1, { model })], catalog);
    expect(searched).toMatchObject({ otherCost: '0.025', totalCost: '0.031' });
    expect(searched?.lines.at(-1)).toMatchObject({
      kind: 'web_search',
      unit: 'call',
      quantity: 1,
      unitSize: 1,
    });
    const refused = attemptRow(1, { model, usage: plainUsage(100, 0, 'ESTIMATED') });
    expect(cost([refused], catalog)).toMatchObject({ otherCost: '0', totalCost: '0.003' });
  });

  it('without a price is unpriced: no totals and no currency, but the usage', () => {
    const event = cost([attemptRow(1, { model: 'gpt-5' })]);
    expect(event).toMatchObject({
      costStatus: 'UNPRICED',
      currency: null,
      totalCost: null,
      inputCost: null,
      outputCost: null,
      otherCost: null,
      acceptedCost: null,
      lines: [],
      usage: { inputTokens: 100 },
      calls: [
        {
          costStatus: 'UNPRICED',
          unpricedReason: 'no_price',
          priceId: null,
          priceEffectiveFrom: null,
          priceSource: null,
          amount: null,
          pricedModel: null,
        },
      ],
    });
  });

  it('with one call priced and one not is partly priced: it has lines but no totals', () => {
    const event = cost([attemptRow(1, { model: 'gpt-5', disposition: 'RETRIED' }), attemptRow(2)]);
    expect(event).toMatchObject({
      costStatus: 'PARTLY_PRICED',
      currency: 'USD',
      totalCost: null,
      inputCost: null,
      acceptedCost: '0.006',
      calls: [{ unpricedReason: 'no_price' }, { unpricedReason: null }],
      lines: [
        { lineNumber: 1, attempt: 2 },
        { lineNumber: 2, attempt: 2 },
      ],
    });
  });

  it('gives the reason why a call is unpriced, and the model name that was looked up', () => {
    const catalog = catalogOf(['gpt-4']);
    catalog.pricedAs.set('gpt-4-0613', 'gpt-4');
    const usage = { ...plainUsage(10, 5, 'PROVIDER'), cachedInputTokens: 11 };
    expect(cost([attemptRow(1, { model: 'gpt-4-0613', usage })], catalog)?.calls[0]).toMatchObject({
      costStatus: 'UNPRICED',
      unpricedReason: 'invalid_usage',
      pricedModel: 'gpt-4',
      priceId: null,
    });
  });

  it('names the model whose price was used when it is not the served one', () => {
    const catalog = catalogOf(['gpt-4']);
    catalog.pricedAs.set('gpt-4-0613', 'gpt-4');
    expect(cost([attemptRow(1, { model: 'gpt-4-0613' })], catalog)?.calls[0]).toMatchObject({
      model: 'gpt-4-0613',
      pricedModel: 'gpt-4',
      amount: '0.006',
    });
  });

  it('prices each call by the version in force when it was sent, and reports the earliest', () => {
    const catalog = catalogOf(
      ['gpt-4', { effectiveTo: NOW, id: 'old' }],
      ['gpt-4', { effectiveFrom: NOW, id: 'new', components: { input: '3', output: '6' } }],
    );
    const event = cost([attemptRow(2), attemptRow(1, { startedAt: NOW - 1 })], catalog);
    expect(event?.usageAt).toBe(NOW - 1);
    expect(event?.calls.map(({ priceId, amount }) => [priceId, amount])).toEqual([
      ['new', '0.0006'],
      ['old', '0.006'],
    ]);
  });

  it('has the same id for any attempts, and a different one in another currency', () => {
    const inEuro = catalogOf(['gpt-4', { currency: 'EUR' }]);
    expect(cost([attemptRow(1)])?.eventId).toBe(cost([attemptRow(1), attemptRow(2)])?.eventId);
    expect(cost([attemptRow(1)], inEuro)?.eventId).not.toBe(cost([attemptRow(1)])?.eventId);
  });

  it('has no accepted part when no answer was accepted', () => {
    expect(cost([attemptRow(1, { disposition: 'FAILED' })], undefined, null)).toMatchObject({
      totalCost: '0.006',
      acceptedCost: null,
    });
  });

  it('adds up for any usage and prices: lines to calls, to directions and to the total', () => {
    const tokens = fc.integer({ min: 0, max: 2_000_000 });
    const price = fc.integer({ min: 0, max: 10 ** 9 }).map((millionths) => {
      const digits = String(millionths).padStart(7, '0');
      return `${digits.slice(0, -6)}.${digits.slice(-6)}`;
    });
    const usage = fc.tuple(tokens, tokens, tokens, tokens).map(([plain, cached, written, thought]) => ({
      ...plainUsage(plain + cached, written + thought, 'PROVIDER'),
      cachedInputTokens: cached,
      reasoningTokens: thought,
    }));
    const sum = (amounts: readonly (string | null)[]) =>
      amounts.reduce((total, amount) => total.plus(amount ?? 0), new Big(0)).toFixed();
    fc.assert(
      fc.property(
        fc.array(usage, { minLength: 1, maxLength: 5 }),
        fc.record({ input: price, output: price, cachedInput: price }),
        (usages, components) => {
          const attempts = usages.map((used, index) => attemptRow(index + 1, { usage: used }));
          const event = cost(attempts, catalogOf(['gpt-4', { components }]));
          if (event === null) throw new Error('there is no bill');
          expect(event.totalCost).toBe(sum(event.lines.map(({ amount }) => amount)));
          expect(event.totalCost).toBe(sum(event.calls.map(({ amount }) => amount)));
          expect(event.totalCost).toBe(sum([event.inputCost, event.outputCost, event.otherCost]));
          // Exact on the wire too: decimals there have twelve places.
          expect(codec.decode('CostCalculated', codec.encode('CostCalculated', event)).record).toEqual(event);
        },
      ),
      { numRuns: 50 },
    );
  });
});
