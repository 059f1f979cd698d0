import type { CountTokens } from '../domain/tokens/estimate-tokens.ts';
import type { EncodingName } from '../domain/tokens/token-rules.ts';

/** Counts tokens at once, with encodings that were loaded before the first request. */
export interface TokenCounter {
  /**
   * Begins to count the texts of one request; none may take long, and nothing is thrown.
   *
   * @param exact texts are counted to the end up to a high bound; otherwise only short ones are, and of long ones samples
   */
  counting(encoding: EncodingName, precision: { readonly exact: boolean }): CountTokens;
}
