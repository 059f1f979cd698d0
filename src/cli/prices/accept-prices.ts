import { createPriceStore } from '../../adapters/mongo/catalog/catalog-store.ts';
import { createWaitingPrices } from '../../adapters/mongo/catalog/quarantined-prices.ts';
import { acceptPrices } from '../../catalog/prices/accept-prices.ts';
import type { WaitingPrice } from '../../catalog/stores.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';

/**
 * `prices accept [MODEL…] [--all]`: puts prices that waited into force; without a choice, lists them.
 *
 * @returns the exit code: 1 when a model has none that waits, or one clashes with what is there
 */
export async function acceptWaitingPrices(
  tool: Tool,
  models: readonly string[],
  all: boolean,
): Promise<number> {
  return withDatabase(tool, async (db) => {
    const waiting = createWaitingPrices(db);
    const list = await waiting.list();
    if (models.length === 0 && !all) {
      tool.print(list.length === 0 ? 'no price waits\n' : list.map(describe).join(''));
      return 0;
    }
    const chosen = all ? list : list.filter((price) => models.some((name) => isOf(price, name)));
    const missing = models.filter((name) => !list.some((price) => isOf(price, name)));
    const { accepted, refused } = await acceptPrices(createPriceStore(db), waiting, chosen, Date.now());
    for (const { id } of accepted) tool.print(`accepted ${id}\n`);
    for (const { name, reason } of refused) tool.print(`refused ${name}: ${reason}\n`);
    for (const name of missing) tool.print(`no price of ${name} waits\n`);
    return refused.length + missing.length === 0 ? 0 : 1;
  });
}

/** By its model, with or without the provider. */
function isOf({ version: { provider, model } }: WaitingPrice, name: string): boolean {
  return name === model || name === `${provider}/${model}`;
}

function describe({ version, reasons, since, isDated }: WaitingPrice): string {
  const begin = isDated ? `from ${new Date(version.effectiveFrom).toISOString()}` : 'from its acceptance';
  const seen = `waits since ${new Date(since).toISOString()}`;
  return `${version.provider}/${version.model}\t${seen}\t${begin}\t${reasons.join(', ')}\t${version.source}\n`;
}
