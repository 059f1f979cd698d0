import type { Price } from '../../domain/cost/price.ts';

/**
 * An entry of a price file: decimals without padding, instants in epoch ms, tiers in rising order. Its start is null if the file
 * does not say since when it applies.
 */
export type PriceEntry = Omit<Price, 'id' | 'effectiveFrom'> & { readonly effectiveFrom: number | null };

/** The prices of a file. */
export interface PriceFile {
  readonly entries: readonly PriceEntry[];
  /** Models of the file without a usable price, each with the reason. */
  readonly unpriced: readonly { readonly name: string; readonly reason: string }[];
  /** Members of models that no price was read from, and how many models have them. */
  readonly unusedKeys: readonly { readonly key: string; readonly models: number }[];
}
