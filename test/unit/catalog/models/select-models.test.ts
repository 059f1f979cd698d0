import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ModelCriteria,
  type PricedModel,
  selectModels,
  sortOrders,
} from '../../../../src/catalog/models/select-models.ts';
import { type CatalogModel, capabilities } from '../../../../src/catalog/stores.ts';
import { catalogModel, priceOf } from '../../../support/fakes/fake-catalog.ts';

function priced(
  id: string,
  members: Partial<CatalogModel> = {},
  amounts: [string, string] | null = ['1', '2'],
) {
  const model = catalogModel(id, members);
  const price =
    amounts === null ? null : priceOf(id, { components: { input: amounts[0], output: amounts[1] } });
  return { model, price };
}

const NOW = Date.UTC(2026, 0, 1);

const all: PricedModel[] = [
  priced('seer', { capabilities: ['chat', 'vision', 'tools'] }, ['0.5', '9']),
  priced('large', { contextWindow: 200_000, maxOutputTokens: 900 }, ['10', '1']),
  priced('cheap', { capabilities: ['chat', 'tools'], aliases: ['Thrifty'] }, ['0.5', '1']),
  priced('odd', { contextWindow: null, maxOutputTokens: null }, null),
  priced('old', { shutdownAt: NOW + 1 }),
  priced('ended', { shutdownAt: NOW }),
  priced('gone', { removedAt: 1 }),
  priced('other', { provider: 'acme' }, ['9', '9']),
];
const ids = (criteria: ModelCriteria) => selectModels(all, criteria, NOW).map(({ model }) => model.id);

describe('selecting models', () => {
  it.each<[string, ModelCriteria, string[]]>([
    ['nothing: those that work, by name', {}, ['other', 'cheap', 'large', 'odd', 'old', 'seer']],
    ['everything that they can do', { can: ['tools', 'vision'] }, ['seer']],
    ['the provider', { provider: 'acme' }, ['other']],
    ['a part of the id', { name: 'EE' }, ['seer']],
    ['a part of an alias', { name: 'thrift' }, ['cheap']],
    ['the context, which must be known', { minContext: 1_001 }, ['large']],
    ['the output, which must be known', { minOutput: 101 }, ['large']],
    ['the price of input, which must be known', { maxInputPrice: '0.50' }, ['cheap', 'seer']],
    ['the price of output', { maxInputPrice: '0.5', maxOutputPrice: '1' }, ['cheap']],
    ['the lifecycle', { lifecycle: ['removed', 'deprecated'] }, ['ended', 'gone', 'old']],
  ])('filters by %s', (_what, criteria, expected) => {
    expect(ids(criteria)).toEqual(expected);
  });

  it.each<[NonNullable<ModelCriteria['sort']>, string[]]>([
    ['price', ['cheap', 'seer', 'old', 'other', 'large', 'odd']],
    ['context', ['large', 'other', 'cheap', 'old', 'seer', 'odd']],
    ['output', ['large', 'other', 'cheap', 'old', 'seer', 'odd']],
  ])('sorts by %s, with unknown values at the end', (sort, expected) => {
    expect(ids({ sort })).toEqual(expected);
  });

  const models = fc.array(
    fc
      .record({
        id: fc.string({ minLength: 1, maxLength: 3 }),
        context: fc.option(fc.nat(10)),
        can: fc.subarray([...capabilities]),
        input: fc.option(fc.nat(5)),
      })
      .map(({ id, context, can, input }) =>
        priced(id, { contextWindow: context, capabilities: can }, input === null ? null : [`${input}`, '1']),
      ),
  );

  it('is the same for any input order, and keeps exactly the matching models', () => {
    const criteria = fc.record({
      can: fc.subarray([...capabilities], { maxLength: 2 }),
      minContext: fc.nat(10),
      maxInputPrice: fc.nat(5).map(String),
      sort: fc.constantFrom(...sortOrders),
    });
    fc.assert(
      fc.property(models, criteria, (some, wanted) => {
        const selected = selectModels(some, wanted, NOW);
        const isIn = new Set(selected);
        for (const one of some) {
          const fits =
            wanted.can.every((capability) => one.model.capabilities.includes(capability)) &&
            (one.model.contextWindow ?? -1) >= wanted.minContext &&
            one.price !== null &&
            Number(one.price.components.input) <= Number(wanted.maxInputPrice);
          expect(isIn.has(one)).toBe(fits);
        }
        const keys = (list: readonly PricedModel[]) =>
          list.map(({ model, price }) => [model.id, model.contextWindow, price?.components.input]);
        if (new Set(some.map(({ model }) => model.id)).size === some.length) {
          expect(keys(selectModels(some.toReversed(), wanted, NOW))).toEqual(keys(selected));
        }
      }),
    );
  });
});
