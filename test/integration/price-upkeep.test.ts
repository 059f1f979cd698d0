import { randomUUID } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createPriceStore } from '../../src/adapters/mongo/catalog/catalog-store.ts';
import { createChangeOutbox } from '../../src/adapters/mongo/catalog/change-outbox.ts';
import { createWaitingPrices } from '../../src/adapters/mongo/catalog/quarantined-prices.ts';
import { ensureIndexes } from '../../src/adapters/mongo/client/database.ts';
import { acceptPrices } from '../../src/catalog/prices/accept-prices.ts';
import { importPriceSource } from '../../src/catalog/prices/import-price-source.ts';
import { importPrices } from '../../src/catalog/prices/import-prices.ts';

const mongodbUrl =
  process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/?replicaSet=rs0&directConnection=true';
const client = new MongoClient(mongodbUrl);
const db = client.db(`price-upkeep-${randomUUID()}`);
const prices = createPriceStore(db);
const waiting = createWaitingPrices(db);
const signal = new AbortController().signal;

beforeAll(() => client.connect());
beforeEach(async () => {
  await db.dropDatabase();
  await ensureIndexes(db);
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

type Components = Record<string, string>;

const fileOf = (...entries: [model: string, effectiveFrom: string, components: Components][]) => ({
  name: 'source.json',
  text: JSON.stringify(
    entries.map(([model, effectiveFrom, components]) => ({
      provider: 'openai',
      model,
      currency: 'USD',
      effectiveFrom,
      components,
      source: 'https://example.com/pricing',
    })),
  ),
});

function run(file: ReturnType<typeof fileOf> | null) {
  const read = file === null ? null : async () => file;
  return importPriceSource({ read, prices, waiting, now: Date.now }, signal);
}

const inputsOf = async (model: string) =>
  (await prices.history('openai', model)).versions.map(({ components }) => components.input);
const first = ['gpt-x', '2025-01-01', { input: '1', output: '2' }] as const;

describe('the price source', () => {
  it('adds a version for each change, and finds nothing to do the second time', async () => {
    const file = fileOf([...first], ['gpt-x', '2026-01-01', { input: '1.5', output: '2' }]);
    expect(await run(file)).toEqual({ refused: [], held: [] });
    expect(await inputsOf('gpt-x')).toEqual(['1', '1.5']);
    expect(await run(file)).toEqual({ refused: [], held: [] });
    expect(await inputsOf('gpt-x')).toEqual(['1', '1.5']);
  });

  it('accepts the whole history of an unpriced model without quarantine', async () => {
    await run(fileOf([...first], ['gpt-x', '2026-01-01', { input: '100', output: '2' }]));
    expect(await inputsOf('gpt-x')).toEqual(['1', '100']);
  });

  it('quarantines a suspicious version once, and imports the others', async () => {
    await run(fileOf([...first]));
    const file = fileOf(
      [...first],
      ['gpt-x', '2026-01-01', { input: '3', output: '2' }],
      ['gpt-x', '2026-06-01', { input: '1.2', output: '2' }],
      ['gpt-y', '2025-01-01', { input: '7', output: '7' }],
    );
    const { held } = await run(file);
    expect(held).toMatchObject([
      { reasons: ['inputPerMillion 1 → 3'], isNew: true, isDated: true, version: { model: 'gpt-x' } },
    ]);
    expect(await inputsOf('gpt-x')).toEqual(['1', '1.2']);
    expect(await inputsOf('gpt-y')).toEqual(['7']);
    expect((await run(file)).held).toMatchObject([{ isNew: false }]);
    expect(await waiting.list()).toHaveLength(1);
  });

  it('drops quarantined versions that the source has withdrawn', async () => {
    await run(fileOf([...first]));
    await run(fileOf([...first], ['gpt-x', '2026-01-01', { input: '9', output: '2' }]));
    await run(fileOf([...first]));
    expect(await waiting.list()).toEqual([]);
  });

  it('recognises a version without its own date, which starts with its import', async () => {
    await run(fileOf([...first]));
    const now = Date.UTC(2026, 3, 1);
    const read = async () => fileOf(['gpt-x', new Date(now).toISOString(), { input: '3', output: '2' }]);
    const { held } = await importPriceSource({ read, prices, waiting, now: () => now }, signal);
    expect(held).toMatchObject([{ isDated: false, since: now }]);
    const accepted = await acceptPrices(prices, waiting, await waiting.list(), now + 1);
    expect(accepted.accepted).toMatchObject([{ effectiveFrom: now + 1 }]);
  });

  it('leaves prices unchanged when it cannot be read', async () => {
    await run(fileOf([...first]));
    await expect(run({ name: 'source.json', text: '{' })).rejects.toThrow(/none of it was/);
    expect(await inputsOf('gpt-x')).toEqual(['1']);
  });

  it('defaults to the prices that ship with the service, for unpriced models', async () => {
    await importPrices(prices, fileOf(['gpt-4', '2025-01-01', { input: '1', output: '1' }]));
    await run(null);
    expect(await inputsOf('gpt-4')).toEqual(['1']);
    expect((await inputsOf('gpt-3.5-turbo')).length).toBeGreaterThan(1);
    const { changes } = await createChangeOutbox(db).pending(1_000);
    expect(changes.map(({ number }) => number)).toEqual(changes.map((_, index) => index + 1));
    expect(changes.every(({ change }) => change.change === 'PRICED')).toBe(true);
  });
});

describe('accepting prices', () => {
  const dated = fileOf([...first], ['gpt-x', '2026-01-01', { input: '3', output: '2' }]);

  it('puts them into force at their date, or now if they have none', async () => {
    await run(fileOf([...first]));
    await run(dated);
    const [price] = await waiting.list();
    if (price === undefined) throw new Error('nothing waits');
    const now = Date.UTC(2026, 2, 1);
    const { accepted } = await acceptPrices(prices, waiting, [price], now);
    expect(accepted.map(({ id }) => id)).toEqual(['openai/gpt-x@2026-01-01T00:00:00.000Z']);
    const undated = {
      ...price,
      isDated: false,
      version: { ...price.version, components: { input: '4', output: '2' } },
    };
    const later = await acceptPrices(prices, waiting, [undated], now);
    expect(later.accepted).toMatchObject([
      { id: 'openai/gpt-x@2026-03-01T00:00:00.000Z', effectiveFrom: now, effectiveTo: null },
    ]);
    expect(await inputsOf('gpt-x')).toEqual(['1', '3', '4']);
    expect(await waiting.list()).toEqual([]);
  });

  it('adds nothing when they were accepted before but not removed from the list', async () => {
    await run(fileOf([...first]));
    await run(dated);
    const list = await waiting.list();
    await acceptPrices(prices, waiting, list, Date.now());
    const again = await acceptPrices(prices, waiting, list, Date.now());
    expect(again.refused).toEqual([]);
    expect(await inputsOf('gpt-x')).toEqual(['1', '3']);
  });

  it('reports why a version cannot be added, and keeps it quarantined', async () => {
    await run(fileOf([...first]));
    await run(dated);
    await importPrices(prices, fileOf(['gpt-x', '2026-01-01', { input: '1.1', output: '2' }]));
    const { accepted, refused } = await acceptPrices(prices, waiting, await waiting.list(), Date.now());
    expect(accepted).toEqual([]);
    expect(refused).toMatchObject([{ reason: expect.stringContaining('never overwritten') }]);
    expect(await waiting.list()).toHaveLength(1);
  });
});
