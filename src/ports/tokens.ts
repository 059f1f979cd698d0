import type { CountTokens } from '../domain/tokens/estimate-tokens.ts';
import type { EncodingName } from '../domain/tokens/token-rules.ts';

/** Counts tokens at once, with encodings that were loaded before the first request. */
export interface TokenCounter {
  /**
   * Starts a counter for the texts of one request. Each count is fast and never throws.
   *
   * @param exact texts are counted to the end up to a high bound; otherwise only short ones are, and of long ones samples
   */
  counting(encoding: EncodingName, precision: { readonly exact: boolean }): CountTokens;
}
