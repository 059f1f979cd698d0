import { describe, expect, it } from 'vitest';
import { changePrice, type PriceChange } from '../../../../src/catalog/prices/change-price.ts';
import { formatPriceFile } from '../../../../src/catalog/prices/format-price-file.ts';
import { importPrices } from '../../../../src/catalog/prices/import-prices.ts';
import { findPrice, priceTimelines } from '../../../../src/catalog/prices/versions/find-price.ts';
import { versionsOfFile } from '../../../../src/catalog/prices/versions/price-versions.ts';
import type { PriceStore, PriceVersion } from '../../../../src/catalog/stores.ts';

/** Prices in memory. `onAppend` runs before each append, as another writer would. */
class Store implements PriceStore {
  versions: PriceVersion[];
  revision = 0;
  onAppend: (() => void) | null = null;

  constructor(versions: readonly PriceVersion[] = []) {
    this.versions = [...versions];
  }

  list = async () => [...this.versions];
  history = async (provider: string, model: string) => ({
    revision: this.revision,
    versions: this.versions.filter((one) => one.provider === provider && one.model === model),
  });
  append = async (_provider: string, _model: string, revision: number, added: readonly PriceVersion[]) => {
    const other = this.onAppend;
    this.onAppend = null;
    other?.();
    if (revision !== this.revision) return false;
    this.revision += 1;
    this.versions.push(...added);
    return true;
  };
}

const at = (text: string) => Date.parse(text);
const full = {
  provider: 'openai',
  model: 'gpt-x',
  currency: 'USD',
  effectiveFrom: '2025-01-01',
  components: { input: '2', output: '8', cachedInput: '0.5', webSearch: '0.01' },
  tiers: [{ aboveInputTokens: 200_000, components: { input: '4', output: '12' } }],
  serviceTiers: { flex: { components: { input: '1', output: '4' } } },
  source: 'the page',
};
const storeOf = (...entries: object[]) =>
  new Store(versionsOfFile({ name: 'prices.json', text: JSON.stringify(entries) }));

const change = (components: Record<string, string>, members: Partial<PriceChange> = {}): PriceChange => ({
  provider: 'openai',
  model: 'gpt-x',
  effectiveFrom: at('2025-06-01'),
  effectiveTo: null,
  currency: null,
  source: 'by hand',
  components,
  replace: false,
  corrects: null,
  ...members,
});

const FIRST = 'openai/gpt-x@2025-01-01T00:00:00.000Z';

describe('a price that is set', () => {
  it('changes the named amounts and keeps cached, search, tiers and service tiers', async () => {
    const store = storeOf(full);
    const done = await changePrice(store, change({ input: '3' }), false);
    expect(done.differences).toEqual([
      {
        name: 'openai/gpt-x@2025-06-01T00:00:00.000Z',
        changes: [{ figure: 'input', before: '2', after: '3' }],
      },
    ]);
    expect(store.versions[1]).toMatchObject({
      components: { ...full.components, input: '3' },
      tiers: full.tiers,
      serviceTiers: full.serviceTiers,
      currency: 'USD',
      source: 'by hand',
    });
  });

  it('keeps no amount when it replaces all', async () => {
    const store = storeOf(full);
    await changePrice(store, change({ input: '3', output: '9' }, { replace: true }), false);
    expect(store.versions[1]?.components).toEqual({ input: '3', output: '9' });
    expect(store.versions[1]).not.toHaveProperty('tiers');
    expect(store.versions[1]).not.toHaveProperty('serviceTiers');
  });

  it('keeps the amounts in force at its start, not later ones', async () => {
    const store = storeOf(full, {
      ...full,
      effectiveFrom: '2025-09-01',
      components: { input: '7', output: '7', cachedInput: '7' },
    });
    await changePrice(store, change({ input: '3' }), false);
    expect(store.versions[2]?.components).toMatchObject({ input: '3', output: '8', cachedInput: '0.5' });
  });

  it('of a dated snapshot keeps its base model’s amounts', async () => {
    const store = storeOf(full);
    await changePrice(store, change({ output: '9' }, { model: 'gpt-x-2025-05-05' }), false);
    expect(store.versions[1]).toMatchObject({
      model: 'gpt-x-2025-05-05',
      components: { ...full.components, output: '9' },
    });
  });

  it('adds no version for equal amounts in any notation', async () => {
    const store = storeOf(full);
    const done = await changePrice(store, change({ input: '2.000', cachedInput: '0.50' }), false);
    expect(done).toMatchObject({ unchanged: [FIRST], added: [], changed: [] });
    expect(store.versions).toHaveLength(1);
    const all = await changePrice(store, change({ input: '2', output: '8' }, { replace: true }), false);
    expect(all.changed).toHaveLength(1);
  });

  it('is a new version if it has an end, even for equal amounts', async () => {
    const store = storeOf(full);
    await changePrice(store, change({ input: '2' }, { effectiveTo: at('2025-07-01') }), false);
    expect(store.versions).toHaveLength(2);
  });

  it.each([
    [
      'a model without a price',
      change({ input: '1' }, { model: 'new' }),
      'no price to keep the rest of: set --output too',
    ],
    ['half of a replacement', change({ output: '1' }, { replace: true }), 'needs --input'],
    ['another currency with kept amounts', change({ input: '1' }, { currency: 'EUR' }), 'priced in USD'],
    ['an invalid amount', change({ input: 'x' }), 'components.input: must be'],
  ])('is refused for %s', async (_what, wanted, message) => {
    const store = storeOf(full);
    await expect(changePrice(store, wanted, false)).rejects.toThrow(message);
    expect(store.versions).toHaveLength(1);
  });

  it('changes the currency when it replaces all', async () => {
    const store = storeOf(full);
    const euros = change({ input: '1', output: '2' }, { currency: 'EUR', replace: true });
    await changePrice(store, euros, false);
    expect(store.versions[1]).toMatchObject({ currency: 'EUR' });
  });

  it('keeps the amounts that another writer set in the meantime', async () => {
    const store = storeOf(full);
    const other = versionsOfFile({
      name: 'other.json',
      text: JSON.stringify([
        { ...full, effectiveFrom: '2025-05-01', components: { input: '2', output: '99' } },
      ]),
    });
    store.onAppend = () => {
      store.versions.push(...other);
      store.revision += 1;
    };
    await changePrice(store, change({ input: '3' }), false);
    expect(store.versions.at(-1)?.components).toEqual({ input: '3', output: '99' });
  });

  it('writes nothing in a dry run', async () => {
    const store = storeOf(full);
    expect((await changePrice(store, change({ input: '3' }), true)).changed).toHaveLength(1);
    expect(store.versions).toHaveLength(1);
  });
});

describe('a correction', () => {
  const correction = (components: Record<string, string>, members: Partial<PriceChange> = {}) =>
    change(components, { effectiveFrom: null, corrects: FIRST, ...members });
  const priceIn = (store: Store, time: string) =>
    findPrice(priceTimelines(store.versions), 'openai', 'gpt-x', at(time));

  it('replaces the wrong version, which stays in the history', async () => {
    const store = storeOf(full, { ...full, effectiveFrom: '2025-09-01' });
    const done = await changePrice(store, correction({ input: '1.5' }), false);
    expect(done.differences[0]?.changes).toEqual([{ figure: 'input', before: '2', after: '1.5' }]);
    expect(store.versions).toHaveLength(3);
    expect(priceIn(store, '2025-03-01')).toMatchObject({
      id: `${FIRST}#2`,
      supersedes: FIRST,
      effectiveTo: at('2025-09-01'),
      components: { ...full.components, input: '1.5' },
    });
    expect(priceIn(store, '2025-10-01')?.id).toBe('openai/gpt-x@2025-09-01T00:00:00.000Z');
  });

  it('can be corrected again, even to the original amounts, but only the latest', async () => {
    const store = storeOf(full);
    await changePrice(store, correction({ input: '1.5' }), false);
    await expect(changePrice(store, correction({ input: '1.6' }), false)).rejects.toThrow(
      `by ${FIRST}#2: correct that one`,
    );
    await changePrice(store, correction({ input: '2' }, { corrects: `${FIRST}#2` }), false);
    expect(priceIn(store, '2025-03-01')).toMatchObject({ id: `${FIRST}#3`, components: full.components });
  });

  it('can move the start', async () => {
    const store = storeOf(full);
    await changePrice(store, correction({}, { effectiveFrom: at('2025-02-01') }), false);
    expect(priceIn(store, '2025-01-15')).toBeNull();
    expect(priceIn(store, '2025-02-15')?.components).toEqual(full.components);
  });

  it('without a change adds no version, and without a wrong version is an error', async () => {
    const store = storeOf(full);
    expect(await changePrice(store, correction({ input: '2' }), false)).toMatchObject({ unchanged: [FIRST] });
    expect(store.versions).toHaveLength(1);
    await expect(changePrice(store, correction({}, { corrects: 'x' }), false)).rejects.toThrow(
      'no version x',
    );
  });

  it('is not undone by an import of the wrong file', async () => {
    const store = storeOf(full);
    await changePrice(store, correction({ input: '1.5' }), false);
    const done = await importPrices(store, { name: 'prices.json', text: JSON.stringify([full]) });
    expect(done).toMatchObject({ unchanged: [FIRST], refused: [], changed: [] });
    expect(priceIn(store, '2025-03-01')?.components.input).toBe('1.5');
  });

  it('is exported and imported with its history', async () => {
    const store = storeOf(full, { ...full, effectiveFrom: '2025-09-01' });
    await changePrice(store, correction({ input: '1.5' }), false);
    await changePrice(store, correction({ input: '1.4' }, { corrects: `${FIRST}#2` }), false);
    const file = { name: 'export.json', text: formatPriceFile(store.versions.toReversed()) };
    const other = new Store();
    expect((await importPrices(other, file)).refused).toEqual([]);
    const ids = (versions: readonly PriceVersion[]) => versions.map(({ id }) => id).sort();
    expect(ids(other.versions)).toEqual(ids(store.versions));
    expect((await importPrices(other, file)).unchanged).toHaveLength(4);
    expect(priceIn(other, '2025-03-01')?.components.input).toBe('1.4');
  });

  it('of a version missing from the file is refused by name', async () => {
    const text = JSON.stringify([{ ...full, supersedes: 'openai/gpt-x@2024-01-01T00:00:00.000Z' }]);
    const done = await importPrices(storeOf(), { name: 'prices.json', text });
    expect(done.refused).toMatchObject([{ reason: expect.stringContaining('which does not exist') }]);
  });
});
