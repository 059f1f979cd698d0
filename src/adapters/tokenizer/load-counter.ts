import type { EncodingName } from '../../domain/tokens/token-rules.ts';
import { type CountPart, createBytePairCounter } from './byte-pair-counter.ts';

/** Reads an encoding's vocabulary, some megabytes of JavaScript. */
export async function loadCounter(encoding: EncodingName): Promise<CountPart> {
  switch (encoding) {
    case 'o200k_base': {
      const [{ default: tokens }, { O200KBase }] = await Promise.all([
        import('gpt-tokenizer/bpeRanks/o200k_base'),
        import('gpt-tokenizer/encodingParams/o200k_base'),
      ]);
      return createBytePairCounter({ tokens, pieces: O200KBase(tokens).tokenSplitRegex });
    }
    case 'cl100k_base': {
      const [{ default: tokens }, { Cl100KBase }] = await Promise.all([
        import('gpt-tokenizer/bpeRanks/cl100k_base'),
        import('gpt-tokenizer/encodingParams/cl100k_base'),
      ]);
      return createBytePairCounter({ tokens, pieces: Cl100KBase(tokens).tokenSplitRegex });
    }
  }
}
