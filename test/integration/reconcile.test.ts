import { afterEach, beforeEach, expect, it } from 'vitest';
import { createSpendStore } from '../../src/adapters/mongo/spend/spend-store.ts';
import type { CostCalculated } from '../../src/contract/record-types.ts';
import { budgetHolds, spendOf } from '../../src/domain/cost/spend.ts';
import { costCall, costEvent } from '../support/cost-events.ts';
import { runCommand } from '../support/run-command.ts';
import { World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await World.create({ partitions: 1, env: { AI_OPENAI_ADMIN_KEY: 'sk-admin-test-1234' } });
});
afterEach(() => world.close());

async function count(events: readonly CostCalculated[]): Promise<void> {
  const store = createSpendStore({
    db: world.database,
    policy: { signal: new AbortController().signal, onRetry: () => undefined },
  });
  await store.prepare(1);
  await store.fold({
    generation: 1,
    steps: [
      {
        partition: 0,
        from: null,
        next: events.length,
        newest: { offset: 0, timestamp: 0 },
        unreadable: 0,
        isCurrent: true,
      },
    ],
    events: events.map((event) => ({
      id: event.eventId,
      keepUntil: null,
      request: event,
      entries: spendOf(event),
      holds: budgetHolds(event),
    })),
  });
}

const reconcile = (env: Record<string, string> = {}, ...args: string[]) =>
  runCommand(
    {
      ...world.env,
      ...env,
    },
    ['costs', 'reconcile', '--from', '2026-10-01', '--to', '2026-11-30', ...args],
  );

const at = (day: number) => Date.UTC(2026, 10, day, 12);
const events = () => [
  costEvent('one', { calls: [costCall({ account: 'proj_a', startedAt: at(3) })] }),
  costEvent('two', { calls: [costCall({ account: 'proj_a', startedAt: at(29) })] }),
  costEvent('three', { calls: [costCall({ account: 'proj_b', startedAt: at(29), costStatus: 'UNPRICED' })] }),
];
/** Two line items per day, one as a number and one as text, with more digits than a float has. */
const costs = (day: string, project: string, input = '0.000600000000', output = '"0.0009"') => [
  { day, project, lineItem: 'gpt-4, input', amount: input, currency: 'usd' },
  { day, project, lineItem: 'gpt-4, output', amount: output, currency: 'usd' },
];
const usage = (day: string, project: string, requests = 1) => ({
  day,
  project,
  model: 'gpt-4',
  requests,
  inputTokens: 10 * requests,
  outputTokens: 5 * requests,
});

it('finds no difference between equal bills, page by page, for the configured project alone', async () => {
  await count(events());
  await world.standIn.setBilling({
    costs: [
      ...costs('2026-11-03', 'proj_a'),
      ...costs('2026-11-29', 'proj_a'),
      ...costs('2026-11-29', 'proj_z'),
    ],
    usage: [usage('2026-11-03', 'proj_a'), usage('2026-11-29', 'proj_a'), usage('2026-11-29', 'proj_z', 9)],
  });
  expect(await reconcile({ AI_OPENAI_PROJECT: 'proj_a' })).toEqual({
    code: 0,
    stdout: '',
    stderr: 'no differences: 2 days and models compared\n',
  });
});

it('shows every difference with both exact amounts, and exits with 1', async () => {
  await count(events());
  await world.standIn.setBilling({
    costs: [
      ...costs('2026-11-03', 'proj_a', '0.00060000000000000001'),
      {
        day: '2026-11-29',
        project: null,
        lineItem: 'web search tool calls',
        amount: '0.01',
        currency: 'usd',
      },
    ],
    usage: [usage('2026-11-03', 'proj_a'), usage('2026-11-29', 'proj_a', 3)],
  });
  const { code, stdout, stderr } = await reconcile();
  expect(stderr).toBe('6 differences, 3 days and models compared\n');
  expect(code).toBe(1);
  expect(stdout.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['day', 'model', 'what', 'ours', 'provider', 'difference', 'unpricedCalls'],
    ['2026-11-03', 'gpt-4', 'USD', '0.0015', '0.00150000000000000001', '-0.00000000000000000001', '0'],
    ['2026-11-29', 'gpt-4', 'USD', '0.0015', '0.0015', '1'],
    ['2026-11-29', 'gpt-4', 'calls', '2', '3', '-1', '1'],
    ['2026-11-29', 'gpt-4', 'input tokens', '20', '30', '-10', '1'],
    ['2026-11-29', 'gpt-4', 'output tokens', '10', '15', '-5', '1'],
    ['2026-11-29', 'web search tool calls', 'USD', '0.01', '-0.01', '0'],
    [''],
  ]);
  const tolerant = await reconcile({}, '--tolerance', '0.01', '--output', 'json');
  expect(tolerant.code).toBe(1);
  expect(
    (JSON.parse(tolerant.stdout) as { differences: { what: string }[] }).differences.map(({ what }) => what),
  ).toEqual(['calls', 'input tokens', 'output tokens']);
  expect((await reconcile({}, '--output', 'csv')).stdout.split('\r\n')[2]).toBe(
    '2026-11-29,gpt-4,USD,0.0015,,0.0015,1',
  );
});

it('names what is missing: a key, or the permission to read', async () => {
  expect(await reconcile({ AI_OPENAI_ADMIN_KEY: '' })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('AI_OPENAI_ADMIN_KEY'),
  });
  const refused = await reconcile({ AI_OPENAI_ADMIN_KEY: 'sk-ordinary-key-5678' });
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('refused the admin key') });
  expect(refused.stderr).not.toContain('ordinary');
  expect(await reconcile({ AI_OPENAI_BASE_URL: `${world.standIn.url}/elsewhere` })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('could not be read'),
  });
  expect(await reconcile({}, '--to', '2026-02-30')).toMatchObject({ code: 2 });
});
