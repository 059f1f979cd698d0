/** Dollars (or `currency`) as decimal text. */
export type DecimalText = string;

/** Names of the prices per million tokens. */
export const tokenComponents = [
  'input',
  'output',
  'cachedInput',
  'cacheWrite',
  'inputAudio',
  'outputAudio',
  'inputImage',
  'reasoning',
] as const;

/** Names of the fees per call: for the provider's tools, and for the request itself. */
export const callComponents = [
  'webSearch',
  'webSearchLow',
  'webSearchHigh',
  'fileSearch',
  'request',
] as const;

/** Whether a component is a fee per call; the others are prices per million tokens. */
export function isPerCall(component: string): boolean {
  return callComponents.some((name) => name === component);
}

/**
 * Prices of one model under one service tier and prompt size: token prices per million, fees per call. `webSearch` is the
 * fee of any search. `webSearchLow` and `webSearchHigh` apply to a context size with another fee. If a component is absent,
 * `calculateCost` says what that means for each kind.
 */
export type PriceComponents = {
  readonly [Name in 'input' | 'output']: DecimalText;
} & {
  readonly [Name in
    | Exclude<(typeof tokenComponents)[number], 'input' | 'output'>
    | (typeof callComponents)[number]]?: DecimalText;
};

/** Prices for requests whose input is strictly above a number of tokens. They apply to the whole request. */
export interface PriceTier {
  readonly aboveInputTokens: number;
  readonly components: PriceComponents;
}

/** The prices of one service tier. */
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
  /** By the *served* tier's name (flex, priority, batch); the standard rate is `components`. */
  readonly serviceTiers?: Readonly<Record<string, TieredComponents>>;
  /** Multipliers of the token prices for calls processed in a region, by region: `{ eu: '1.1' }`. */
  readonly regionalUplift?: Readonly<Record<string, DecimalText>>;
  /** Where the price comes from. */
  readonly source: string;
  /** Id of the version that this one corrects and replaces. */
  readonly supersedes?: string;
}
