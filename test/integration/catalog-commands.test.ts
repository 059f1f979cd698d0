import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CommandLine } from '../../src/cli/options/tool.ts';
import { ModelChangeLog } from '../support/model-changes.ts';
import { runCommand } from '../support/run-command.ts';
import { World } from '../support/world.ts';

let world: World;
let log: ModelChangeLog;

beforeAll(async () => {
  world = await World.create({ partitions: 1 });
  log = await ModelChangeLog.read(world);
});
afterAll(async () => {
  await log?.close();
  await world?.close();
});

const run = (args: string, options: Partial<CommandLine> = {}) =>
  runCommand(world.env, args.split(' '), options);
const KNOWN = ['gpt-4', 'gpt-4o', 'gpt-5', 'o3'];

describe('models sync', () => {
  it('prints what changed, and announces it with earlier imports', async () => {
    await world.standIn.setModels({ ids: [...KNOWN, 'gpt-5-next'] });
    expect(await run('models sync')).toEqual({ code: 0, stdout: 'added openai/gpt-5-next\n', stderr: '' });
    await log.seen('gpt-5-next');
    expect(log.of('gpt-4')).toEqual(['ADDED', 'PRICED']);
    expect(await run('models sync')).toMatchObject({ code: 0, stdout: '', stderr: 'nothing has changed\n' });
  });

  it('deprecates a model that is missing a third time', async () => {
    await world.standIn.setModels({ ids: KNOWN });
    await run('models sync');
    await run('models sync');
    const { stdout } = await run('models sync');
    expect(stdout).toMatch(/^deprecated openai\/gpt-5-next: deprecatedAt null → \d{4}-.*Z\n$/);
    await log.seen('gpt-5-next', 'DEPRECATED');
  });

  it('accepts a short list only with the option, and says so', async () => {
    await world.standIn.setModels({ ids: ['gpt-4'] });
    const { code, stderr } = await run('models sync');
    expect(code).toBe(1);
    expect(stderr).toMatch(/lists 1 of the 5 models.*--accept-short/);
    expect(await run('models sync --accept-short')).toMatchObject({ code: 0 });
  });

  it('prints the provider’s error, and which setting is missing', async () => {
    await world.standIn.setModels({ status: 401 });
    const refused = await run('models sync');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/HTTP 401.*AI_OPENAI_API_KEY/);
    const { stderr } = await run('models sync', { env: { ...world.env, AI_OPENAI_API_KEY: '' } });
    expect(stderr).toMatch(/set AI_OPENAI_API_KEY/);
  });
});

describe('models list', () => {
  const listed = async (args: string) => {
    const { code, stdout } = await run(`models list ${args}`.trim());
    expect(code).toBe(0);
    return stdout.split('\n').filter((line) => line !== '');
  };

  it('shows matching models in order, with prices and upcoming shutdowns', async () => {
    await world.endModel('gpt-3.5-turbo', Date.UTC(2999, 9, 23));
    await world.endModel('gpt-4-turbo', Date.UTC(2020, 0, 1));
    const lines = await listed('--can vision,tools --max-input-price 0.2 --sort price');
    const [head, ...rows] = lines.map((line) => line.split(/ {2,}/));
    expect(head).toEqual([
      'model',
      'lifecycle',
      'until',
      'context',
      'max output',
      'input/1M',
      'output/1M',
      'currency',
      'capabilities',
      'aliases',
    ]);
    expect(rows.map(([model]) => model)).toEqual(
      expect.arrayContaining(['openai/gpt-5-nano', 'openai/gpt-4o-mini']),
    );
    const prices = lines.slice(1).map((line) => Number(/ ([\d.]+) +[\d.]+ +USD /.exec(line)?.[1]));
    expect(prices).toEqual(prices.toSorted((one, other) => one - other));
    expect(Math.max(...prices)).toBeLessThanOrEqual(0.2);
    expect(await listed('gpt-35')).toEqual([
      expect.stringMatching(/^model +lifecycle +until +/),
      expect.stringMatching(/^openai\/gpt-3\.5-turbo +deprecated +2999-10-23 +.* +gpt-35-turbo$/),
    ]);
    expect((await listed('gpt-4-turbo --lifecycle removed')).slice(1)).toEqual([
      expect.stringMatching(/^openai\/gpt-4-turbo +removed +2020-01-01 +/),
    ]);
  });

  it('says so when nothing fits, and writes CSV for spreadsheets', async () => {
    expect(await run('models list no-such-model')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'no model fits; see --help for what is left out\n',
    });
    await world.endModel('gpt-4o-2024-08-06', Date.UTC(2999, 0, 14));
    const [head, row] = await listed('gpt-4o-2024-08-06 --output csv');
    expect(head).toMatch(/^model,lifecycle,until,context,max output,/);
    expect(row).toMatch(/^openai\/gpt-4o-2024-08-06,deprecated,2999-01-14,128000,16384,2.5,10,USD,"chat,/);
  });

  it('prints everything as JSON', async () => {
    await world.endModel('gpt-4o-2024-08-06', Date.UTC(2999, 0, 14));
    const [one] = (await listed('gpt-4o-2024-08-06 --json')).map((line) => JSON.parse(line));
    expect(one).toMatchObject({
      id: 'gpt-4o-2024-08-06',
      lifecycle: 'deprecated',
      shutdownAt: '2999-01-14T00:00:00.000Z',
      listedAt: null,
      price: { currency: 'USD', components: { input: expect.stringMatching(/^[\d.]+$/) } },
    });
  });

  it.each([
    ['--can smell', /smell is not one of chat,/],
    ['--min-context many', /whole number/],
    ['--max-input-price cheap', /decimal number/],
    ['--sort beauty', /beauty/],
  ])('refuses %s', async (args, message) => {
    const { code, stderr } = await run(`models list ${args}`);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

describe('models show', () => {
  it.each(['gpt-3.5-turbo', 'openai/gpt-3.5-turbo', 'gpt-35-turbo'])(
    'shows %s with its prices',
    async (name) => {
      const { stdout } = await run(`models show ${name}`);
      expect(JSON.parse(stdout)).toMatchObject({
        id: 'gpt-3.5-turbo',
        aliases: ['gpt-35-turbo'],
        prices: [{ components: { input: '1.5' } }, { components: { input: '0.5' }, effectiveTo: null }],
      });
    },
  );

  it('suggests the nearest names for an unknown name', async () => {
    const { code, stderr } = await run('models show gpt-4oo');
    expect(code).toBe(1);
    expect(stderr).toMatch(/no model gpt-4oo; the nearest are gpt-4o, /);
  });
});

describe('prices accept', () => {
  it('lists quarantined prices, accepts the chosen ones, and names missing ones', async () => {
    expect(await run('prices accept')).toMatchObject({ code: 0, stdout: '', stderr: 'no price waits\n' });
    await world.letPricesWait(['gpt-4', 'o3', 'gpt-5']);
    const { stdout } = await run('prices accept');
    expect(stdout.split('\n').filter(Boolean)).toHaveLength(4);
    expect(stdout).toMatch(
      /^model +waits since +holds from +reasons +source\n(.*\n)*openai\/gpt-4 +\d{4}-.*Z {2}2031-01-01T.*Z {2}inputPerMillion 30 → 99, /,
    );

    expect(await run('prices accept gpt-4 gpt-nowhere')).toMatchObject({
      code: 1,
      stdout: 'accepted openai/gpt-4@2031-01-01T00:00:00.000Z\n',
      stderr: 'no price of gpt-nowhere waits\n',
    });
    const rest = await run('prices accept --all');
    expect(rest.code).toBe(0);
    expect(rest.stdout.split('\n').filter(Boolean)).toHaveLength(2);
    expect(await run('prices accept')).toMatchObject({ stdout: '', stderr: 'no price waits\n' });
    const shown = await run('models show gpt-4');
    expect(JSON.parse(shown.stdout).prices.at(-1)).toMatchObject({ components: { input: '99' } });
  });
});
