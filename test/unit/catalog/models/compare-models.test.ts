import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Comparison,
  compareModels,
  DEPRECATED_AFTER_LISTS,
  REMOVED_AFTER_LISTS,
  ShortModelList,
} from '../../../../src/catalog/models/compare-models.ts';
import { describeModelChange } from '../../../../src/catalog/prices/describe-change.ts';
import {
  type CatalogModel,
  lifecycleOf,
  type ModelFacts,
  NEVER_LISTED,
} from '../../../../src/catalog/stores.ts';

const START = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;

const factsOf = (id: string, members: Partial<ModelFacts> = {}): ModelFacts => ({
  provider: 'openai',
  id,
  contextWindow: 1_000,
  maxOutputTokens: null,
  maxTokensParameter: 'max_tokens',
  refusedParameters: [],
  refusedWhileReasoning: [],
  defaultReasoningEffort: null,
  capabilities: ['chat'],
  aliases: [],
  snapshot: null,
  shutdownAt: null,
  source: 'inferred',
  ...members,
});

function compare(known: readonly CatalogModel[], listed: readonly string[], more: Partial<Comparison> = {}) {
  return compareModels({
    provider: 'openai',
    known,
    listed,
    factsOf,
    replaceable: new Set(['inferred']),
    acceptShort: false,
    now: START,
    ...more,
  });
}

/** The catalog after some lists, an hour apart, and the changes that each list made. */
function afterLists(lists: readonly (readonly string[])[], first: readonly CatalogModel[] = []) {
  let known = first;
  const changes = lists.map((listed, index) => {
    const before = new Map(known.map((model) => [model.id, model]));
    known = compare(known, listed, { now: START + index * HOUR });
    return known.flatMap((model) => {
      const change = describeModelChange(before.get(model.id) ?? null, model, START + index * HOUR);
      return change === null ? [] : [`${change.change} ${model.id}`];
    });
  });
  return { known, changes };
}

const modelOf = (known: readonly CatalogModel[], id: string) => known.find((model) => model.id === id);

describe('comparing the catalog with the provider’s list', () => {
  it('adds new models, and reports them only once', () => {
    const { known, changes } = afterLists([
      ['a', 'b'],
      ['a', 'b'],
    ]);
    expect(changes).toEqual([['ADDED a', 'ADDED b'], []]);
    expect(modelOf(known, 'a')).toMatchObject({ listedAt: START, missedRuns: 0, source: 'inferred' });
  });

  it('deprecates a model after three lists without it and removes it after six, keeping the dates', () => {
    const without = Array.from({ length: REMOVED_AFTER_LISTS + 2 }, () => ['a', 'b']);
    const { known, changes } = afterLists([['a', 'b', 'c'], ...without]);
    const reported = changes.map((of) => of.join());
    expect(reported.indexOf('DEPRECATED c')).toBe(DEPRECATED_AFTER_LISTS);
    expect(reported.indexOf('REMOVED c')).toBe(REMOVED_AFTER_LISTS);
    expect(reported.filter((of) => of.includes(' c'))).toHaveLength(3);
    expect(modelOf(known, 'c')).toMatchObject({
      listedAt: START,
      deprecatedAt: START + DEPRECATED_AFTER_LISTS * HOUR,
      removedAt: START + REMOVED_AFTER_LISTS * HOUR,
    });
  });

  it('resets its count when a model is listed again, and restores the model as updated', () => {
    const missing = Array.from({ length: DEPRECATED_AFTER_LISTS }, () => ['a', 'b']);
    const { known, changes } = afterLists([
      ['a', 'b', 'c'],
      ['a', 'b'],
      ['a', 'b', 'c'],
      ...missing,
      ['a', 'b', 'c'],
    ]);
    expect(changes.flat().filter((of) => of.endsWith(' c'))).toEqual([
      'ADDED c',
      'DEPRECATED c',
      'UPDATED c',
    ]);
    expect(changes.at(-1)).toEqual(['UPDATED c']);
    expect(modelOf(known, 'c')).toMatchObject({ missedRuns: 0, deprecatedAt: null, removedAt: null });
  });

  it('refuses a list without more than half of the models, unless short lists are accepted', () => {
    const { known } = afterLists([['a', 'b', 'c']]);
    expect(() => compare(known, ['a', 'x', 'y', 'z'])).toThrow(ShortModelList);
    expect(() => compare(known, [])).toThrow(/0 of the 3 models.*--accept-short/s);
    expect(compare(known, ['a'], { acceptShort: true })).toHaveLength(3);
    expect(compare(known, ['a', 'b'])).toHaveLength(3);
  });

  it('ignores models from a file and those of other providers', () => {
    const imported = { ...factsOf('mine', { source: 'mine.json' }), ...NEVER_LISTED };
    const foreign = { ...factsOf('a', { provider: 'acme' }), ...NEVER_LISTED, listedAt: 1 };
    const { known } = afterLists(
      Array.from({ length: 9 }, () => ['a']),
      [imported, foreign],
    );
    expect(modelOf(known, 'mine')).toEqual(imported);
    expect(known.filter(({ provider }) => provider === 'acme')).toEqual([]);
  });

  it('replaces inferred facts, but not imported ones', () => {
    const known = [
      { ...factsOf('a'), ...NEVER_LISTED },
      { ...factsOf('b', { source: 'mine.json' }), ...NEVER_LISTED },
    ];
    const compared = compare(known, ['a', 'b'], {
      factsOf: (id) => factsOf(id, { contextWindow: 9, source: 'shipped' }),
    });
    expect(compared.map(({ contextWindow, source }) => [contextWindow, source])).toEqual([
      [9, 'shipped'],
      [1_000, 'mine.json'],
    ]);
  });

  const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
  const lists = fc.array(fc.subarray(ids, { minLength: 1 }), { minLength: 1, maxLength: 30 });

  it('never loses a model, for any lists', () => {
    fc.assert(
      fc.property(lists, (all) => {
        let known: CatalogModel[] = [];
        for (const [index, listed] of all.entries()) {
          const before = new Set(known.map(({ id }) => id));
          known = compare(known, listed, { now: START + index, acceptShort: true });
          expect([...before].every((id) => known.some((model) => model.id === id))).toBe(true);
          expect(new Set(known.map(({ id }) => id)).size).toBe(known.length);
          for (const model of known) {
            if (listed.includes(model.id)) expect(lifecycleOf(model, START)).toBe('active');
            else expect(model.missedRuns).toBeGreaterThan(0);
          }
        }
      }),
    );
  });

  it('announces nothing twice: a repeated list changes a lifecycle only by its count', () => {
    fc.assert(
      fc.property(lists, fc.subarray(ids, { minLength: 1 }), (all, last) => {
        let known: CatalogModel[] = [];
        for (const listed of all) known = compare(known, listed, { acceptShort: true });
        const once = compare(known, last, { acceptShort: true });
        const again = compare(once, last, { acceptShort: true });
        for (const model of again.filter(({ id }) => last.includes(id))) {
          expect(model).toEqual(modelOf(once, model.id));
        }
      }),
    );
  });

  it('lets no accepted list deprecate more than half of the models at once', () => {
    fc.assert(
      fc.property(lists, (all) => {
        let known: CatalogModel[] = [];
        for (const listed of all) {
          const working = known.filter(({ removedAt }) => removedAt === null);
          try {
            const next = compare(known, listed);
            const lost = working.filter(
              ({ id, missedRuns }) => modelOf(next, id)?.missedRuns === missedRuns + 1,
            );
            expect(lost.length).toBeLessThanOrEqual(working.length / 2);
            known = next;
          } catch (error) {
            expect(error).toBeInstanceOf(ShortModelList);
          }
        }
      }),
    );
  });
});
