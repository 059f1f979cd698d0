import { createPriceStore } from '../../adapters/mongo/catalog/catalog-store.ts';
import { createWaitingPrices } from '../../adapters/mongo/catalog/quarantined-prices.ts';
import { acceptPrices } from '../../catalog/prices/accept-prices.ts';
import type { WaitingPrice } from '../../catalog/stores.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';
import { type Column, iso, Listing, type Output } from '../output/listing.ts';
import { withInstants } from '../output/with-instants.ts';

/**
 * `prices accept [MODEL…] [--all]`: puts quarantined prices into force. Without a choice it lists them.
 *
 * @returns the exit code: 1 if a named model has no quarantined price, or a price clashes with an existing version
 */
export async function acceptWaitingPrices(
  tool: Tool,
  models: readonly string[],
  all: boolean,
  output: Output,
): Promise<number> {
  return withDatabase(tool, async (db) => {
    const waiting = createWaitingPrices(db);
    const list = await waiting.list();
    if (models.length === 0 && !all) {
      const listing = new Listing(tool, output, COLUMNS, asJson);
      for (const price of list) await listing.add(price);
      await listing.end('no price waits');
      return 0;
    }
    const chosen = all ? list : list.filter((price) => models.some((name) => isOf(price, name)));
    const missing = models.filter((name) => !list.some((price) => isOf(price, name)));
    const { accepted, refused } = await acceptPrices(createPriceStore(db), waiting, chosen, Date.now());
    for (const { id } of accepted) tool.print(`accepted ${id}\n`);
    for (const { name, reason } of refused) tool.printError(`refused ${name}: ${reason}\n`);
    for (const name of missing) tool.printError(`no price of ${name} waits\n`);
    return refused.length + missing.length === 0 ? 0 : 1;
  });
}

/** Whether the price is of this model, named with or without its provider. */
function isOf({ version: { provider, model } }: WaitingPrice, name: string): boolean {
  return name === model || name === `${provider}/${model}`;
}

const COLUMNS: readonly Column<WaitingPrice>[] = [
  { name: 'model', cell: ({ version }) => `${version.provider}/${version.model}` },
  { name: 'waits since', cell: ({ since }) => iso(since) },
  {
    name: 'holds from',
    cell: ({ version, isDated }) => (isDated ? iso(version.effectiveFrom) : 'its acceptance'),
  },
  { name: 'reasons', cell: ({ reasons }) => reasons.join(', ') },
  { name: 'source', cell: ({ version }) => version.source },
];

function asJson({ version, reasons, since, isDated }: WaitingPrice): object {
  return { version: withInstants(version), reasons, since: iso(since), isDated };
}
