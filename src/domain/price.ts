/** Decimal text, dollars (or `currency`) per `unitSize` units. */
export type DecimalText = string;

/**
 * Prices of one model under one service tier and prompt size, each per million tokens, `webSearch` per call.
 * An absent component has no price of its own: see `calculateCost` for what that means for each kind.
 */
export interface PriceComponents {
  readonly input: DecimalText;
  readonly output: DecimalText;
  readonly cachedInput?: DecimalText;
  readonly cacheWrite?: DecimalText;
  readonly inputAudio?: DecimalText;
  readonly outputAudio?: DecimalText;
  readonly inputImage?: DecimalText;
  readonly reasoning?: DecimalText;
}

/** Prices for requests whose input is strictly above a number of tokens; they re-price the whole request. */
export interface PriceTier {
  readonly aboveInputTokens: number;
  readonly components: PriceComponents;
}

/** What one service tier costs. */
export interface TieredComponents {
  readonly components: PriceComponents;
  readonly tiers?: readonly PriceTier[];
}

/** One version of one model's price. Never overwritten; versions of one model never overlap. */
export interface Price extends TieredComponents {
  readonly id: string;
  readonly provider: string;
  readonly model: string;
  /** ISO 4217. */
  readonly currency: string;
  /** Epoch milliseconds, inclusive. */
  readonly effectiveFrom: number;
  /** Epoch milliseconds, exclusive; null is open. */
  readonly effectiveTo: number | null;
  /** By the *served* tier's name (flex, priority); the standard rate is `components`. */
  readonly serviceTiers?: Readonly<Record<string, TieredComponents>>;
  /** Where the price is from. */
  readonly source: string;
}
