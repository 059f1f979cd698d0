import type { CatalogFile } from '../files/catalog-file.ts';
import { shippedPrices } from '../files/shipped-catalog.ts';
import { type PriceStore, type WaitingPrices, waitingId } from '../stores.ts';
import { importPrices } from './import-prices.ts';
import type { ImportSummary } from './import-summary.ts';
import { type HeldBack, quarantinePrices } from './quarantine-prices.ts';

/**
 * Reads a file of prices from its source.
 *
 * @throws if the source cannot be read; the signal's reason when aborted
 */
export type ReadPriceSource = (signal: AbortSignal) => Promise<CatalogFile>;

export interface PriceSourceImport {
  /** Null: there is no source, and models without a price get the shipped one. */
  readonly read: ReadPriceSource | null;
  readonly prices: PriceStore;
  readonly waiting: WaitingPrices;
  /** Epoch ms. */
  readonly now: () => number;
}

export interface PriceSourceResult {
  readonly refused: ImportSummary['refused'];
  /** The prices that are in quarantine now: they need an operator. */
  readonly held: readonly HeldBack[];
}

/**
 * Updates prices from the source. A difference becomes a new version, which starts now if the source has no dates. A suspicious
 * version goes into quarantine.
 *
 * @throws what reading throws, or InvalidCatalogFile: then no price has changed
 */
export async function importPriceSource(
  { read, prices, waiting, now }: PriceSourceImport,
  signal: AbortSignal,
): Promise<PriceSourceResult> {
  // 1 Read the source.
  const file = read === null ? await withoutPrices(prices) : await read(signal);
  // 2 Import the plausible prices.
  const { store, held } = quarantinePrices(prices, waiting, now);
  const { refused } = await importPrices(store, file);
  // 3 If a quarantined price is no longer suspicious, the source has withdrawn it.
  const stillHeld = new Set(held.map(waitingId));
  await waiting.remove((await waiting.list()).filter((one) => !stillHeld.has(waitingId(one))));
  return { refused, held };
}

/** Shipped prices are only for models without any price. They never replace what an operator chose. */
async function withoutPrices(prices: PriceStore): Promise<CatalogFile> {
  const entries = JSON.parse(shippedPrices.text) as { provider: string; model: string }[];
  const priced = new Set((await prices.list()).map(({ provider, model }) => `${provider}/${model}`));
  const missing = entries.filter(({ provider, model }) => !priced.has(`${provider}/${model}`));
  return { name: shippedPrices.name, text: JSON.stringify(missing) };
}
