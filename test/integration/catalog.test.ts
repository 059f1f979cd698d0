import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { Decimal128, MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CachedCatalog, createCatalog } from '../../src/adapters/mongo/catalog/catalog-cache.ts';
import { createModelStore, createPriceStore } from '../../src/adapters/mongo/catalog/catalog-store.ts';
import {
  bindDatabase,
  connectDatabase,
  ensureIndexes,
  UnusableDatabase,
} from '../../src/adapters/mongo/client/database.ts';
import type { CatalogFile } from '../../src/catalog/files/catalog-file.ts';
import { shippedModels, shippedPrices } from '../../src/catalog/files/shipped-catalog.ts';
import { importModels } from '../../src/catalog/models/import-models.ts';
import { formatPriceFile } from '../../src/catalog/prices/format-price-file.ts';
import { importPrices } from '../../src/catalog/prices/import-prices.ts';
import { type CatalogModel, NEVER_LISTED } from '../../src/catalog/stores.ts';
import { type MongoProxy, startMongoProxy } from '../support/mongo-proxy.ts';

const mongodbUrl =
  process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/?replicaSet=rs0&directConnection=true';
const databaseName = `catalog-test-${randomUUID()}`;
const client = new MongoClient(mongodbUrl);
const db = client.db(databaseName);
const models = createModelStore(db);
const prices = createPriceStore(db);
const clock = { now: Date.now, monotonic: () => performance.now() };

let catalogs: CachedCatalog[] = [];
async function catalogOf(
  options: { refreshMs?: number; through?: MongoClient; onRefreshFailed?: () => void } = {},
) {
  const catalog = await createCatalog({
    db: (options.through ?? client).db(databaseName),
    refreshMs: options.refreshMs ?? 60_000,
    clock,
    onRefreshFailed: options.onRefreshFailed ?? (() => undefined),
  });
  catalogs.push(catalog);
  return catalog;
}

const priceFile = (...entries: object[]): CatalogFile => ({
  name: 'prices.json',
  text: JSON.stringify(
    entries.map((entry) => ({
      provider: 'openai',
      model: 'gpt-test',
      currency: 'USD',
      effectiveFrom: '2025-01-01',
      components: { input: '1', output: '2' },
      source: 'https://example.com/pricing',
      ...entry,
    })),
  ),
});

const catalogModel = (id: string): CatalogModel => ({
  provider: 'openai',
  id,
  contextWindow: 1_000,
  maxOutputTokens: null,
  maxTokensParameter: 'max_tokens',
  refusedParameters: [],
  refusedWhileReasoning: [],
  defaultReasoningEffort: null,
  capabilities: ['chat', 'streaming'],
  aliases: [],
  snapshot: null,
  shutdownAt: null,
  source: 'test',
  ...NEVER_LISTED,
});

beforeAll(async () => {
  await client.connect();
});
beforeEach(async () => {
  await db.dropDatabase();
  await ensureIndexes(db);
});
afterEach(() => {
  for (const catalog of catalogs) catalog.stop();
  catalogs = [];
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

describe('the catalog', () => {
  it('answers from what ships with the service', async () => {
    await importModels(models, shippedModels);
    await importPrices(prices, shippedPrices);
    const catalog = await catalogOf();

    expect(catalog.model('openai', 'gpt-4')).toMatchObject({
      contextWindow: 8192,
      maxTokensParameter: 'max_tokens',
    });
    expect(catalog.model('openai', 'no-such-model')).toBeNull();
    const at = Date.UTC(2026, 5, 1);
    expect(catalog.price('openai', 'gpt-4', at)).toMatchObject({ components: { input: '30', output: '60' } });
    expect(catalog.price('openai', 'no-such-model', at)).toBeNull();
    expect(catalog.price('azure', 'gpt-4', at)).toBeNull();
  });

  it('derives from its capabilities whether a model streams, and reads models stored before a field existed', async () => {
    await importModels(models, shippedModels);
    const rows = db.collection<{ _id: string }>('models');
    await rows.updateOne({ _id: 'openai/gpt-4' }, { $set: { capabilities: ['chat'] } });
    await rows.updateOne({ _id: 'openai/o3' }, { $unset: { refusedWhileReasoning: '' } });
    const catalog = await catalogOf();

    expect(catalog.model('openai', 'gpt-4')?.streams).toBe(false);
    expect(catalog.model('openai', 'o3')).toMatchObject({ streams: true, refusedWhileReasoning: [] });
    expect(catalog.model('openai', 'gpt-5.1')?.refusedWhileReasoning).toContain('temperature');
  });

  it('prices a dated snapshot as its base model, under the base model’s name', async () => {
    await importPrices(prices, priceFile({ model: 'gpt-4o' }));
    const catalog = await catalogOf();
    expect(catalog.price('openai', 'gpt-4o-2024-08-06', Date.UTC(2026, 0))).toMatchObject({
      model: 'gpt-4o',
    });
    expect(catalog.price('openai', 'gpt-4o-0806', Date.UTC(2026, 0))).toBeNull();
  });

  it('sees what is imported later, without a restart', async () => {
    const catalog = await catalogOf({ refreshMs: 5 });
    const at = Date.UTC(2026, 0);
    expect(catalog.price('openai', 'gpt-test', at)).toBeNull();
    await importPrices(prices, priceFile({}));
    await expect
      .poll(() => catalog.price('openai', 'gpt-test', at)?.components.input, { interval: 2 })
      .toBe('1');
  });

  it('learns of changes from the database, long before its periodic refresh', async () => {
    const catalog = await catalogOf({ refreshMs: 3_600_000 });
    await importModels(models, shippedModels);
    await expect.poll(() => catalog.model('openai', 'gpt-4'), { timeout: 10_000 }).not.toBeNull();
    await importPrices(prices, priceFile({ model: 'gpt-4' }));
    const at = Date.UTC(2026, 0);
    await expect.poll(() => catalog.price('openai', 'gpt-4', at), { timeout: 10_000 }).not.toBeNull();
  });

  const DISTANT = Date.UTC(2999, 0);

  it('finds a model by its aliases, which hide no other id, and suggests the nearest working names', async () => {
    await models.update(() => [
      { ...catalogModel('a-1'), aliases: ['fast', 'a-2'] },
      catalogModel('a-2'),
      { ...catalogModel('a-3'), removedAt: 1, deprecatedAt: 1 },
      { ...catalogModel('a-4'), shutdownAt: DISTANT },
      { ...catalogModel('a-5'), shutdownAt: 5 },
      { ...catalogModel('a-6'), capabilities: [] },
    ]);
    const catalog = await catalogOf();
    expect(catalog.model('openai', 'fast')?.id).toBe('a-1');
    expect(catalog.model('openai', 'a-2')?.id).toBe('a-2');
    expect(catalog.model('openai', 'a-3')?.lifecycle).toBe('removed');
    expect(catalog.model('openai', 'a-4')).toMatchObject({ lifecycle: 'deprecated', shutdownAt: DISTANT });
    expect(catalog.model('openai', 'a-5')?.lifecycle).toBe('removed');
    expect(catalog.nearest('openai', 'a-3')).toEqual(['a-1', 'a-2', 'a-4']);
    expect(catalog.nearest('acme', 'a-3')).toEqual([]);
  });

  it('keeps answering while the database is down, and reports how old its data is', async () => {
    await importPrices(prices, priceFile({}));
    const proxy: MongoProxy = await startMongoProxy(mongodbUrl);
    const distant = await new MongoClient(proxy.url, { serverSelectionTimeoutMS: 500 }).connect();
    const failed = Promise.withResolvers<void>();
    const catalog = await catalogOf({ refreshMs: 20, through: distant, onRefreshFailed: failed.resolve });

    proxy.cut();
    const cutAt = clock.monotonic();
    await failed.promise;
    expect(catalog.price('openai', 'gpt-test', Date.UTC(2026, 0))).toMatchObject({ model: 'gpt-test' });
    expect(catalog.ageMs()).toBeGreaterThanOrEqual(clock.monotonic() - cutAt - 1);

    proxy.restore();
    // The driver needs a moment to find the server again.
    const isBack = () => catalog.refresh().then(Boolean, () => true);
    await expect.poll(async () => (await isBack()) === false, { timeout: 10_000 }).toBe(true);
    expect(catalog.ageMs()).toBeLessThan(clock.monotonic() - cutAt);
    catalog.stop();
    await distant.close();
    await proxy.close();
  });
});

describe('importing models', () => {
  it('adds and changes what is different, and leaves the rest alone', async () => {
    const file = (...entries: object[]): CatalogFile => ({
      name: 'models.json',
      text: JSON.stringify(
        entries.map((entry) => ({
          provider: 'openai',
          contextWindow: 1000,
          maxOutputTokens: null,
          maxTokensParameter: 'max_tokens',
          refusedParameters: [],
          capabilities: ['chat'],
          ...entry,
        })),
      ),
    });
    expect(await importModels(models, file({ id: 'a' }, { id: 'b' }))).toMatchObject({
      added: ['openai/a', 'openai/b'],
      changed: [],
    });
    expect(
      await importModels(models, file({ id: 'a' }, { id: 'b', contextWindow: 2000 }, { id: 'c' })),
    ).toEqual({
      added: ['openai/c'],
      changed: ['openai/b'],
      unchanged: ['openai/a'],
      refused: [],
    });
    expect((await models.list()).map(({ id, contextWindow }) => [id, contextWindow])).toEqual([
      ['a', 1000],
      ['b', 2000],
      ['c', 1000],
    ]);
  });

  it('finds nothing to do the second time', async () => {
    await importModels(models, shippedModels);
    const { added, changed } = await importModels(models, shippedModels);
    expect([...added, ...changed]).toEqual([]);
  });
});

describe('importing prices', () => {
  it('finds nothing to do the second time', async () => {
    const first = await importPrices(prices, shippedPrices);
    expect(first.refused).toEqual([]);
    const second = await importPrices(prices, shippedPrices);
    expect(second).toMatchObject({ added: [], changed: [], unchanged: first.added, refused: [] });
  });

  it('corrects the shipped prices of an earlier release, and finds nothing to do the second time', async () => {
    const entries = JSON.parse(shippedPrices.text) as { model: string; regionalUplift?: object }[];
    const earlier = entries.map(({ regionalUplift: _uplift, ...entry }) => entry);
    await importPrices(prices, { name: 'earlier.json', text: JSON.stringify(earlier) });
    const uplifted = entries.filter(({ regionalUplift }) => regionalUplift !== undefined);
    expect(uplifted.length).toBeGreaterThan(0);

    const upgrade = await importPrices(prices, shippedPrices, { isNewEdition: true });
    expect(upgrade).toMatchObject({ added: [], refused: [] });
    expect(upgrade.changed).toHaveLength(uplifted.length);
    const [first] = upgrade.differences;
    expect(first?.name).toMatch(/#2$/);
    expect(first?.changes.every(({ figure }) => figure.startsWith('regionalUplift.'))).toBe(true);
    expect(await importPrices(prices, shippedPrices, { isNewEdition: true })).toMatchObject({
      added: [],
      changed: [],
      refused: [],
    });
    const catalog = await catalogOf();
    const now = Date.now();
    for (const { model, regionalUplift } of uplifted)
      expect(catalog.price('openai', model, now)?.regionalUplift).toEqual(regionalUplift);
  });

  it('keeps every figure as a decimal, down to the last digit', async () => {
    const components = {
      input: '123456789.123456',
      output: '0.000001',
      cachedInput: '0',
      reasoning: '0.1',
      webSearch: '0.000000000001',
    };
    const tiers = [{ aboveInputTokens: 272_000, components }];
    const serviceTiers = { flex: { components, tiers }, 'odd.$name': { components } };
    await importPrices(prices, priceFile({ components, tiers, serviceTiers, effectiveTo: '2025-06-01' }));

    const { versions } = await prices.history('openai', 'gpt-test');
    expect(versions).toMatchObject([{ components, tiers, serviceTiers, effectiveTo: Date.UTC(2025, 5) }]);
    const row = await db.collection('prices').findOne({ model: 'gpt-test' });
    expect(row?.['components'].output).toBeInstanceOf(Decimal128);
  });

  it('starts a new version at the given time, past or future, and changes no other', async () => {
    await importPrices(prices, priceFile({}));
    const { changed } = await importPrices(
      prices,
      priceFile(
        { effectiveFrom: '2025-07-01', components: { input: '3', output: '4' } },
        { effectiveFrom: '2025-03-01T12:00:00Z', components: { input: '5', output: '6' } },
      ),
    );
    expect(changed).toEqual([
      'openai/gpt-test@2025-07-01T00:00:00.000Z',
      'openai/gpt-test@2025-03-01T12:00:00.000Z',
    ]);

    const catalog = await catalogOf();
    const inputAt = (...date: [number, number, number?, number?]) =>
      catalog.price('openai', 'gpt-test', Date.UTC(...date))?.components.input;
    expect(inputAt(2024, 11, 31)).toBeUndefined();
    expect(inputAt(2025, 0, 1)).toBe('1');
    expect(inputAt(2025, 2, 1, 11)).toBe('1');
    expect(inputAt(2025, 2, 1, 12)).toBe('5');
    expect(inputAt(2025, 6, 1)).toBe('3');
    expect(inputAt(2030, 0, 1)).toBe('3');
  });

  it('refuses prices that overwrite or overlap, names the conflict, and imports the rest', async () => {
    await importPrices(prices, priceFile({ effectiveTo: '2025-06-01' }));
    const summary = await importPrices(
      prices,
      priceFile(
        { components: { input: '9', output: '9' }, effectiveTo: '2025-06-01' },
        { effectiveFrom: '2025-05-01' },
        { effectiveFrom: '2025-06-01' },
        { model: 'other' },
      ),
    );
    expect(summary).toMatchObject({
      added: ['openai/other@2025-01-01T00:00:00.000Z'],
      changed: ['openai/gpt-test@2025-06-01T00:00:00.000Z'],
      unchanged: [],
      refused: [
        {
          name: 'openai/gpt-test@2025-01-01T00:00:00.000Z',
          reason: expect.stringMatching(/openai\/gpt-test@2025-01-01.*never overwritten/),
        },
        {
          name: 'openai/gpt-test@2025-05-01T00:00:00.000Z',
          reason: expect.stringMatching(/overlaps openai\/gpt-test@2025-01-01.*2025-06-01/),
        },
      ],
    });
  });

  it('writes nothing on a dry run, but reports the same', async () => {
    const dry = await importPrices(prices, priceFile({}), { dryRun: true });
    expect(await db.collection('prices').countDocuments()).toBe(0);
    expect(await importPrices(prices, priceFile({}))).toEqual(dry);
  });

  it('imports a LiteLLM file: from the beginning for an unpriced model, otherwise from now on', async () => {
    const litellm = (input: string): CatalogFile => ({
      name: 'litellm.json',
      text: `{"gpt-test": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": ${input}, "output_cost_per_token": 2e-06, "rpm": 1}}`,
    });
    const now = Date.UTC(2026, 0);
    const first = await importPrices(prices, litellm('1e-06'), { now });
    expect(first).toMatchObject({
      added: ['openai/gpt-test@1970-01-01T00:00:00.000Z'],
      unusedKeys: [{ key: 'rpm', models: 1 }],
      differences: [
        {
          name: 'openai/gpt-test@1970-01-01T00:00:00.000Z',
          changes: [
            { figure: 'currency', before: null, after: 'USD' },
            { figure: 'input', before: null, after: '1' },
            { figure: 'output', before: null, after: '2' },
          ],
        },
      ],
    });
    expect(await importPrices(prices, litellm('0.000001'), { now: now + 1 })).toMatchObject({
      added: [],
      changed: [],
      unchanged: ['openai/gpt-test@1970-01-01T00:00:00.000Z'],
    });
    expect(await importPrices(prices, litellm('3e-06'), { now: now + 2 })).toMatchObject({
      changed: ['openai/gpt-test@2026-01-01T00:00:00.002Z'],
      differences: [{ changes: [{ figure: 'input', before: '1', after: '3' }] }],
    });
    expect(
      await importPrices(prices, litellm('4e-06'), { now, effectiveFrom: Date.UTC(2027, 0) }),
    ).toMatchObject({ changed: ['openai/gpt-test@2027-01-01T00:00:00.000Z'] });
    await expect(importPrices(prices, priceFile({}), { effectiveFrom: 7 })).rejects.toThrow(
      /their own dates/,
    );
  });

  it('never removes a dated snapshot’s earlier price: its own starts now, its base model’s applies before', async () => {
    await importPrices(prices, priceFile({ model: 'gpt-4o' }));
    const text = `{"gpt-4o-2024-08-06": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 7e-06, "output_cost_per_token": 2e-06}}`;
    const now = Date.UTC(2026, 0);
    expect(await importPrices(prices, { name: 'litellm.json', text }, { now })).toMatchObject({
      added: ['openai/gpt-4o-2024-08-06@2026-01-01T00:00:00.000Z'],
      differences: [{ changes: [{ figure: 'input', before: '1', after: '7' }] }],
    });
    const catalog = await catalogOf();
    const inputAt = (at: number) => catalog.price('openai', 'gpt-4o-2024-08-06', at)?.components.input;
    expect([inputAt(now - 1), inputAt(now)]).toEqual(['1', '7']);
  });

  it('exports an import digit for digit, and imports it again as the same versions', async () => {
    const amount = (digits: number) =>
      fc
        .tuple(fc.nat(999_999_999), fc.nat(10 ** Math.min(digits, 9) - 1))
        .map(([whole, fraction]) => `${whole}.${String(fraction).padStart(digits, '0')}`);
    const components = fc.record(
      {
        input: amount(6),
        output: amount(6),
        cachedInput: amount(6),
        reasoning: amount(6),
        webSearch: amount(12),
      },
      { requiredKeys: ['input', 'output'] },
    );
    const tiers = fc.uniqueArray(
      fc.record({ aboveInputTokens: fc.integer({ min: 1, max: 9 }), components }),
      {
        selector: ({ aboveInputTokens }) => aboveInputTokens,
        minLength: 1,
      },
    );
    const tiered = fc.record({ components, tiers }, { requiredKeys: ['components'] });
    const entry = fc.record(
      {
        model: fc.constantFrom('gpt-a', 'gpt-b'),
        effectiveFrom: fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }),
        components,
        tiers,
        serviceTiers: fc.dictionary(fc.constantFrom('flex', 'batch', 'odd.$name'), tiered, { minKeys: 1 }),
      },
      { requiredKeys: ['model', 'effectiveFrom', 'components'] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 4 }), async (entries) => {
        await db.collection('prices').deleteMany({});
        await db.collection('priceHistories').deleteMany({});
        await importPrices(prices, priceFile(...entries));
        const before = await prices.list();
        const exported = formatPriceFile(before);

        await db.collection('prices').deleteMany({});
        await db.collection('priceHistories').deleteMany({});
        await importPrices(prices, { name: 'export.json', text: exported });
        const after = await prices.list();
        expect(formatPriceFile(after)).toBe(exported);
        const withoutHash = (versions: typeof before) =>
          versions.map(({ sourceHash: _hash, ...version }) => version);
        expect(withoutHash(after)).toEqual(withoutHash(before));
      }),
      { numRuns: 12 },
    );
  });

  it('never leaves an overlap, however many writers run at once', async () => {
    const writers = Array.from({ length: 24 }, (_, index) =>
      importPrices(
        createPriceStore(db),
        priceFile({
          effectiveFrom: `2025-${String((index % 12) + 1).padStart(2, '0')}-01`,
          effectiveTo: `2025-${String((index % 12) + 1).padStart(2, '0')}-28`,
          components: { input: String(index), output: '1' },
        }),
      ),
    );
    const wide = Array.from({ length: 4 }, () =>
      importPrices(
        createPriceStore(db),
        priceFile({ effectiveFrom: '2025-02-15', effectiveTo: '2025-11-15' }),
      ),
    );
    const summaries = await Promise.all([...writers, ...wide]);
    for (const { refused, added, changed } of summaries) {
      // The writer that lost gets the id of the conflicting version.
      expect(refused.length + added.length + changed.length).toBeLessThanOrEqual(1);
      for (const { reason } of refused) expect(reason).toContain('openai/gpt-test@2025-');
    }

    const { versions, revision } = await prices.history('openai', 'gpt-test');
    const written = summaries.flatMap(({ added, changed }) => [...added, ...changed]);
    expect(versions).toHaveLength(written.length);
    expect(revision).toBe(versions.length);
    for (const [index, version] of versions.entries()) {
      expect(version.effectiveTo).toBeLessThanOrEqual(
        versions[index + 1]?.effectiveFrom ?? Number.POSITIVE_INFINITY,
      );
    }
  });
});

describe('a database', () => {
  const owner = { kafkaClusterId: 'cluster-1', groupId: 'completion-bus', topicPrefix: 'chat' };

  it('belongs to the first cluster, group and prefix, also when several workers start at once', async () => {
    await Promise.all(Array.from({ length: 5 }, () => bindDatabase(db, owner)));
    await bindDatabase(db, owner);
  });

  it.each([
    ['cluster', { ...owner, kafkaClusterId: 'cluster-2' }, /cluster 'cluster-1'.*cluster 'cluster-2'/],
    ['group', { ...owner, groupId: 'another' }, /group 'completion-bus'.*group 'another'/],
    ['prefix', { ...owner, topicPrefix: 'talk' }, /prefix 'chat'.*prefix 'talk'/],
  ])('is refused to another %s, and the error names both', async (_what, other, message) => {
    await bindDatabase(db, owner);
    await expect(bindDatabase(db, other)).rejects.toThrow(message);
    await expect(bindDatabase(db, other)).rejects.toBeInstanceOf(UnusableDatabase);
  });

  it('is reached by its address and name', async () => {
    const database = await connectDatabase({
      url: mongodbUrl,
      database: databaseName,
    });
    expect(database.db.databaseName).toBe(databaseName);
    await database.close();
  });

  it('that does not answer causes an error, and leaves nothing open', async () => {
    const url = 'mongodb://127.0.0.1:1/?directConnection=true&serverSelectionTimeoutMS=50';
    await expect(connectDatabase({ url, database: 'x' })).rejects.toThrow(/127\.0\.0\.1:1/);
  });
});
