import { Big } from 'big.js';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { createBudgetStore } from '../../adapters/mongo/spend/budget-store.ts';
import { createSpendReader } from '../../adapters/mongo/spend/spend-reader.ts';
import { BUDGET_PERIODS, type Budget, type BudgetPeriod, periodOf } from '../../domain/cost/budget.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';
import { type Column, Listing, type OutputFlags, outputOf, withOutput } from '../output/listing.ts';

/** The most digits after the point of an amount in the cost topic. */
const DECIMAL_PLACES = 12;

interface Which {
  readonly tenant?: string;
  readonly period: BudgetPeriod;
}

/** Adds the commands of budgets to a program. */
export function addBudgetCommands(program: Command, tool: () => Tool): void {
  const budgets = program.command('budgets').description('what tenants may spend in a UTC day or month');
  const which = (command: Command) =>
    command
      .addOption(new Option('--period <period>', 'for each').choices(BUDGET_PERIODS).default('month'))
      .option('--tenant <id>', 'whose (default: every tenant without one of its own)');
  which(budgets.command('set').description('set a budget, in place of the one that there was'))
    .argument('<amount>', 'what may be spent in each period', readAmount)
    .option('--currency <code>', 'in which currency', readCurrency, 'USD')
    .action((limit: string, options: Which & { currency: string }) =>
      setBudget(tool(), {
        tenantId: options.tenant ?? null,
        period: options.period,
        currency: options.currency,
        limit,
      }),
    );
  withOutput(
    budgets
      .command('list')
      .description('list all budgets, with what is spent and reserved of the tenants’ own'),
    'one object a line',
  ).action((flags: OutputFlags) => listBudgets(tool(), flags));
  which(budgets.command('remove').description('remove a budget')).action((options: Which) =>
    removeBudget(tool(), options.tenant ?? null, options.period),
  );
}

async function setBudget(tool: Tool, budget: Budget): Promise<void> {
  await withDatabase(tool, async (db) => {
    await createBudgetStore(db).set(budget);
    tool.print(`${budget.tenantId ?? 'default'}\tper ${budget.period}\t${budget.limit} ${budget.currency}\n`);
  });
}

interface BudgetUse extends Budget {
  /** Null for a budget that applies to no single tenant. */
  readonly spent: string | null;
  readonly reserved: string | null;
}

const COLUMNS: readonly Column<BudgetUse>[] = [
  { name: 'tenant', cell: ({ tenantId }) => tenantId ?? '(default)' },
  { name: 'period', cell: ({ period }) => period },
  { name: 'currency', cell: ({ currency }) => currency },
  { name: 'limit', kind: 'number', cell: ({ limit }) => limit },
  { name: 'spent', kind: 'number', cell: ({ spent }) => spent },
  { name: 'reserved', kind: 'number', cell: ({ reserved }) => reserved },
];

async function listBudgets(tool: Tool, flags: OutputFlags): Promise<void> {
  await withDatabase(tool, async (db) => {
    const reader = createSpendReader(db);
    const now = Date.now();
    const listing = new Listing(tool, outputOf(flags), COLUMNS, (budget) => budget);
    for (const budget of await createBudgetStore(db).list()) {
      const { tenantId, period, currency } = budget;
      const use = tenantId === null ? null : await reader.use(tenantId, periodOf(period, now), currency);
      await listing.add({ ...budget, spent: use?.spent ?? null, reserved: use?.reserved ?? null });
    }
    await listing.end('there are no budgets');
  });
}

async function removeBudget(tool: Tool, tenantId: string | null, period: BudgetPeriod): Promise<void> {
  await withDatabase(tool, async (db) => {
    const removed = await createBudgetStore(db).remove(tenantId, period);
    const whose = tenantId === null ? 'default budget' : `budget of tenant "${tenantId}"`;
    if (!removed) throw new Error(`there is no ${whose} per ${period}; budgets list shows all`);
    tool.print(`removed the ${whose} per ${period}\n`);
  });
}

function readAmount(text: string): string {
  const isAmount = /^\d{1,20}(\.\d+)?$/.test(text) && (text.split('.')[1] ?? '').length <= DECIMAL_PLACES;
  if (isAmount) return new Big(text).toFixed();
  throw new InvalidArgumentError(
    `It must be an amount such as 250.00, with at most ${DECIMAL_PLACES} decimals.`,
  );
}

function readCurrency(text: string): string {
  if (/^[A-Z]{3}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be an ISO 4217 code such as USD.');
}
