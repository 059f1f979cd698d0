import type { CatalogFile } from '../files/catalog-file.ts';
import { shippedPrices } from '../files/shipped-catalog.ts';
import { type PriceStore, type WaitingPrices, waitingId } from '../stores.ts';
import { importPrices } from './import-prices.ts';
import type { ImportSummary } from './import-summary.ts';
import { type HeldBack, holdBackPrices } from './quarantine-prices.ts';

/**
 * Reads a file of prices, wherever it is.
 *
 * @throws when it cannot be had; the signal's reason when aborted
 */
export type ReadPriceSource = (signal: AbortSignal) => Promise<CatalogFile>;

export interface PriceSourceImport {
  /** Null: there is no source, and models without a price get the ones that ship. */
  readonly read: ReadPriceSource | null;
  readonly prices: PriceStore;
  readonly waiting: WaitingPrices;
  /** Epoch ms. */
  readonly now: () => number;
}

export interface PriceSourceResult {
  readonly refused: ImportSummary['refused'];
  /** What waits for a person now. */
  readonly held: readonly HeldBack[];
}

/**
 * Brings prices up to the source: what is different becomes a new version, which begins now where the source has no dates; what is
 * suspicious waits.
 *
 * @throws what reading throws, or InvalidCatalogFile: then no price has changed
 */
export async function importPriceSource(
  { read, prices, waiting, now }: PriceSourceImport,
  signal: AbortSignal,
): Promise<PriceSourceResult> {
  // 1 Read.
  const file = read === null ? await withoutPrices(prices) : await read(signal);
  // 2 Import what is believed.
  const { store, held } = holdBackPrices(prices, waiting, now);
  const { refused } = await importPrices(store, file);
  // 3 What waited before and is not doubted any more was taken back by the source.
  const stillHeld = new Set(held.map(waitingId));
  await waiting.remove((await waiting.list()).filter((one) => !stillHeld.has(waitingId(one))));
  return { refused, held };
}

/** Shipped prices never come between those that a person has chosen: they are for models that have none. */
async function withoutPrices(prices: PriceStore): Promise<CatalogFile> {
  const entries = JSON.parse(shippedPrices.text) as { provider: string; model: string }[];
  const priced = new Set((await prices.list()).map(({ provider, model }) => `${provider}/${model}`));
  const missing = entries.filter(({ provider, model }) => !priced.has(`${provider}/${model}`));
  return { name: shippedPrices.name, text: JSON.stringify(missing) };
}
