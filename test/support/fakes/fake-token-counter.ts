import type { CountTokens } from '../../../src/domain/tokens/estimate-tokens.ts';
import type { EncodingName } from '../../../src/domain/tokens/token-rules.ts';
import type { TokenCounter } from '../../../src/ports/tokens.ts';

/** A token for every four characters begun, in any encoding. */
export class FakeTokenCounter implements TokenCounter {
  /** What was asked for, in order. */
  readonly asked: { encoding: EncodingName; exact: boolean }[] = [];

  counting(encoding: EncodingName, { exact }: { readonly exact: boolean }): CountTokens {
    this.asked.push({ encoding, exact });
    return (text) => Math.ceil(text.length / 4);
  }
}
