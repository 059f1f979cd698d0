import type { CountTokens } from '../../../src/domain/estimate-tokens.ts';
import type { EncodingName } from '../../../src/domain/token-rules.ts';
import type { TokenCounter } from '../../../src/ports.ts';

/** A token for every four characters begun, in any encoding. */
export class FakeTokenCounter implements TokenCounter {
  /** What was asked for, in order. */
  readonly asked: { encoding: EncodingName; exact: boolean }[] = [];

  counting(encoding: EncodingName, { exact }: { readonly exact: boolean }): CountTokens {
    this.asked.push({ encoding, exact });
    return (text) => Math.ceil(text.length / 4);
  }
}
