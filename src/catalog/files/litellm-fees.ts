import { Big } from 'big.js';
import { isObject, type LiteLlmObject, type LiteLlmValue } from './litellm-values.ts';

/** The prices of one range of input tokens. */
export interface PricedRange {
  /** Its start, exclusive. */
  readonly aboveInputTokens: number;
  readonly members: LiteLlmObject;
}

const MOST_TOKENS = 1_000_000_000;

/**
 * Reads `tiered_pricing`: a list of prices, each for a `range` of input tokens. The ranges start at zero and follow each other. In
 * some files a range starts at the end of the one before, in others one token later.
 *
 * @param reasons gets the reason if it cannot be read
 * @returns null if the model has none, or it cannot be read
 */
export function readTieredPricing(members: LiteLlmObject, reasons: string[]): PricedRange[] | null {
  const listed = members['tiered_pricing'];
  if (listed === undefined || listed === null) return null;
  const ranges: PricedRange[] = [];
  let end: number | null = 0;
  for (const entry of Array.isArray(listed) ? listed : [null]) {
    const { range, ...prices } = isObject(entry) ? entry : {};
    const [from, to] = Array.isArray(range) ? range.map(tokensOf) : [];
    const follows = from != null && end !== null && (from === end || (end > 0 && from === end + 1));
    if (!follows || (to != null && to <= from)) {
      reasons.push('tiered_pricing has no ranges of input tokens that start at zero and follow each other');
      return null;
    }
    reasons.push(...unreadableFees(prices));
    for (const name of Object.keys(prices).filter((key) => /range/i.test(key)))
      reasons.push(`tiered_pricing depends on ${name}, which a price cannot express`);
    ranges.push({ aboveInputTokens: end ?? 0, members: prices });
    end = to ?? null;
  }
  return ranges;
}

function tokensOf(value: LiteLlmValue | undefined): number | null {
  if (!(value instanceof Big) || value.lt(0) || value.gt(MOST_TOKENS)) return null;
  const tokens = value.toNumber();
  return Number.isInteger(tokens) ? tokens : null;
}

/** Prices of services that a chat does not use. They do not make it more expensive. */
const otherServices =
  /^(code_interpreter|computer_use|vector_store|file_search|google_maps_grounding|search_context)_/;

/** Prices per token that are read, or belong to a tier or cache lifetime that a call has to request. */
const tokenPrices =
  /^((input_|output_)dbu_cost_per_token|input_cost_per_(audio_|image_)?token|output_cost_per_(audio_|reasoning_)?token|cache_(read|creation)_input_(audio_)?token_cost)(_(cache_hit|above_[0-9a-z]+(_tokens)?|flex|priority|batches|batch_requests|ultrafast|decisions)){0,3}$/;

/** Read elsewhere. */
const readMembers: ReadonlySet<string> = new Set([
  'input_cost_per_request',
  'output_cost_per_request',
  'tiered_pricing',
  'off_peak_pricing',
]);

/**
 * The reasons why an import would make a model cheaper than it is: each fee that usage does not show (per second, image, image
 * token, character, query), unless it is zero.
 */
export function unreadableFees(members: LiteLlmObject): string[] {
  return Object.entries(members)
    .filter(([key, value]) => isFee(key) && !isZero(value))
    .map(([key]) => `it charges ${key}, which is not in a call's usage`);
}

function isFee(key: string): boolean {
  if (readMembers.has(key) || otherServices.test(key) || tokenPrices.test(key)) return false;
  return /(^|_)(cost|price|pricing|fee|surcharge)(_|$)/.test(key);
}

function isZero(value: LiteLlmValue): boolean {
  return value === null || (value instanceof Big && value.eq(0));
}
