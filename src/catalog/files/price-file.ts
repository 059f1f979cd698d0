import type { Price } from '../../domain/cost/price.ts';

/**
 * An entry of a price file: decimals without padding, instants in epoch ms, tiers in rising order. Its begin is null when
 * the file does not say since when it holds.
 */
export type PriceEntry = Omit<Price, 'id' | 'effectiveFrom'> & { readonly effectiveFrom: number | null };

/** What a file says about prices. */
export interface PriceFile {
  readonly entries: readonly PriceEntry[];
  /** Models of the file that have no price that can be used, each with the reason. */
  readonly unpriced: readonly { readonly name: string; readonly reason: string }[];
  /** Members of models that no price was read from, and how many models have them. */
  readonly unusedKeys: readonly { readonly key: string; readonly models: number }[];
}
