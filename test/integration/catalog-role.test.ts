import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { startService } from '../../src/service/service.ts';
import { startTelemetry } from '../../src/telemetry/start.ts';
import { ModelChangeLog } from '../support/model-changes.ts';
import type { Worker } from '../support/worker.ts';
import { silent, World } from '../support/world.ts';

const KNOWN = ['gpt-4', 'gpt-4o', 'gpt-5', 'o3'];
/** Three at once, so that a partly published set of changes would be visible. */
const NEW = ['gpt-5-new-a', 'gpt-5-new-b', 'gpt-5-new-c'];

let world: World;
let log: ModelChangeLog;

beforeEach(async () => {
  world = await World.create({
    env: { ROLES: 'catalog', CATALOG_SYNC_INTERVAL: '1s', LEASE_MS: '1000' },
  });
  await world.standIn.setModels({ ids: KNOWN });
  log = await ModelChangeLog.read(world);
});
afterEach(async () => {
  await log?.close();
  await world?.close();
});

/** Resolves when a worker holds the lease and waits for its list. */
async function untilItAsks(): Promise<void> {
  const before = await world.standIn.modelListsAsked();
  while ((await world.standIn.modelListsAsked()) === before) await new Promise(setImmediate);
}

async function servePrices(entries: readonly object[]): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((_, response) => response.end(JSON.stringify(entries))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/prices.json`, close };
}

/** Once a last change is visible, everything announced before it is visible too. */
async function untilAnnounced(ids: readonly string[]): Promise<void> {
  await world.standIn.setModels({ ids: [...ids, 'the-end'] });
  await log.seen('the-end');
}

describe('the catalog role', () => {
  it('lists the provider’s models repeatedly, and announces each change once', async () => {
    await world.startWorker();
    await world.standIn.setModels({ ids: [...KNOWN, 'gpt-5.9-new'] });
    await log.seen('gpt-5.9-new');
    await world.standIn.setModels({ ids: KNOWN });
    await log.seen('gpt-5.9-new', 'REMOVED');
    await world.standIn.setModels({ ids: [...KNOWN, 'gpt-5.9-new'] });
    await untilAnnounced([...KNOWN, 'gpt-5.9-new']);

    expect(log.of('gpt-5.9-new')).toEqual(['ADDED', 'DEPRECATED', 'REMOVED', 'UPDATED']);
    expect(log.of('gpt-4o')).toEqual(['ADDED', 'PRICED']);
    const added = log.all.find(({ model }) => model === 'gpt-5.9-new');
    expect(added).toMatchObject({ provider: 'openai', source: 'inferred' });
    expect(added?.details).toContainEqual({
      property: 'maxTokensParameter',
      before: null,
      after: 'max_completion_tokens',
    });
    expect(new Set(log.all.map(({ eventId }) => eventId)).size).toBe(log.all.length);
  });

  it('changes nothing when a list fails or is too short, and logs it', async () => {
    const worker = await world.startWorker();
    await world.standIn.setModels({ ids: [...KNOWN, 'first'] });
    await log.seen('first');
    await world.standIn.setModels({ ids: ['first'] });
    await worker.logged('ShortModelList');
    await world.standIn.setModels({ status: 500 });
    await worker.logged('HTTP 500');
    const metrics = await (await fetch(`http://127.0.0.1:${worker.httpPort}/metrics`)).text();
    expect(metrics).toMatch(/completionbus_catalog_steps_total\{.*error_type="ShortModelList"/);
    expect(metrics).toMatch(/completionbus_catalog_steps_total\{.*error_type="provider_error"/);

    await untilAnnounced([...KNOWN, 'first']);
    for (const model of KNOWN) expect(log.of(model)).not.toContain('DEPRECATED');
  });
});

it('imports prices from PRICE_SOURCE: changes are announced, suspicious ones are quarantined', async () => {
  const entry = (model: string, components: object) => ({
    provider: 'openai',
    model,
    currency: 'USD',
    effectiveFrom: '2026-11-01',
    components,
    source: 'https://example.com/pricing',
  });
  const source = await servePrices([
    entry('gpt-4', { input: '29', output: '60' }),
    entry('gpt-4-0613', { input: '1', output: '60' }),
  ]);
  try {
    const worker = await world.startWorker({ PRICE_SOURCE: source.url });
    await worker.logged('prices accept');
    await log.until(({ priceId }) => priceId === 'openai/gpt-4@2026-11-01T00:00:00.000Z');
    expect(log.all.find(({ priceId }) => priceId?.endsWith('2026-11-01T00:00:00.000Z'))).toMatchObject({
      model: 'gpt-4',
      change: 'PRICED',
      details: [{ property: 'price.inputPerMillion', before: '30', after: '29' }],
    });
    const metrics = await (await fetch(`http://127.0.0.1:${worker.httpPort}/metrics`)).text();
    expect(metrics).toMatch(/^completionbus_catalog_prices_waiting(\{.*\})? 1$/m);
  } finally {
    await source.close();
  }
});

it('a worker that loses its lease in the middle of a run restarts it, and announces once', async () => {
  const telemetry = startTelemetry({ serviceName: 'completion-bus', serviceVersion: '1', env: {} });
  const source = await servePrices([]);
  const service = await startService({
    config: loadConfig({ ...world.env, PRICE_SOURCE: source.url }, { readFile: () => '', serve: true }),
    logger: silent,
    telemetry,
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    onFatal: (error) => {
      throw error;
    },
  });
  try {
    await log.seen('o3');
    await world.standIn.setModels({ ids: [...KNOWN, ...NEW], hold: true });
    await untilItAsks();
    await world.loseLeases();
    await untilItAsks();
    await untilAnnounced([...KNOWN, ...NEW]);
    for (const model of NEW) expect(log.of(model)).toEqual(['ADDED']);
  } finally {
    await service.stop();
    await source.close();
    await telemetry.shutdown();
  }
});

it('a worker frozen while it waits for its list applies no changes when it wakes', async () => {
  const frozen = await world.startWorker();
  await log.seen('o3');
  // The list it will receive lacks a model that exists again by the time it wakes.
  await world.standIn.setModels({ ids: [...KNOWN, 'gpt-5-old'], hold: true });
  await untilItAsks();
  frozen.signal('SIGSTOP');
  const other = await world.startWorker();
  await world.standIn.setModels({ ids: [...KNOWN, ...NEW] });
  await log.seen('gpt-5-new-a');
  frozen.signal('SIGCONT');
  await frozen.logged('catalog upkeep failed');
  await untilAnnounced([...KNOWN, ...NEW]);
  for (const model of NEW) expect(log.of(model)).toEqual(['ADDED']);
  expect(log.of('gpt-5-old')).toEqual([]);
  expect(await other.stop()).toBe(0);
});

describe('of two catalog workers, one killed while it holds the lease', () => {
  const points: [string, (holder: Worker) => Promise<unknown>][] = [
    ['while it waits for the list', async () => undefined],
    [
      'when it has stored what is new and not announced it',
      async () => {
        const stored = await world.changesStored();
        await world.standIn.setModels({ ids: [...KNOWN, ...NEW] });
        await stored.next();
      },
    ],
    [
      'when what is new is visible and not forgotten yet',
      async () => {
        await world.standIn.setModels({ ids: [...KNOWN, ...NEW] });
        await log.seen('gpt-5-new-a');
      },
    ],
  ];

  it.each(points)('%s: exactly one set of changes', async (_what, reached) => {
    const holder = await world.startWorker();
    await log.seen('o3');
    await world.standIn.setModels({ ids: [...KNOWN, ...NEW], hold: true });
    await untilItAsks();
    const other = await world.startWorker();

    await reached(holder);
    await holder.kill();
    await world.standIn.setModels({ ids: [...KNOWN, ...NEW] });
    await untilAnnounced([...KNOWN, ...NEW]);

    for (const model of NEW) expect(log.of(model)).toEqual(['ADDED']);
    expect(new Set(log.all.map(({ eventId }) => eventId)).size).toBe(log.all.length);
    expect(await other.stop()).toBe(0);
  });
});
