import { type CountTokens, estimateTextTokens } from '../../domain/estimate-tokens.ts';
import { type EncodingName, encodingNames } from '../../domain/token-rules.ts';
import type { TokenCounter } from '../../ports.ts';
import { CountCache } from './count-cache.ts';
import { loadCounter } from './load-counter.ts';
import { sampleTokens, WINDOW_CHARACTERS } from './sample-tokens.ts';

/** Characters of a request that are counted when nothing depends on the exact number: a quarter of a millisecond’s work. */
const SAMPLE_CHARACTERS = 2_048;
/** Characters that are counted when it does: some 60,000 tokens, and still a fraction of a second if they are chosen badly. */
const EXACT_CHARACTERS = 262_144;
/** Shorter texts are counted as fast as they are looked up. */
const CACHED_FROM_CHARACTERS = 256;
const CACHE_CHARACTERS = 4_194_304;

/**
 * Loads the encodings, which takes a good part of a second, and counts once with each, so that no request is the first.
 *
 * @param load reads one encoding
 * @throws when the encodings are not installed
 */
export async function createTokenCounter(load = loadCounter): Promise<TokenCounter> {
  const loaded = encodingNames.map(async (name) => [name, guarded(await load(name))] as const);
  const counters: ReadonlyMap<EncodingName, CountTokens> = new Map(await Promise.all(loaded));
  const caches = new Map(encodingNames.map((name) => [name, new CountCache(CACHE_CHARACTERS)]));
  for (const count of counters.values()) count('The first text: naïve, 1,234 words, 今天.\n');

  return {
    counting: (encoding, { exact }) =>
      countWithin(
        exact ? EXACT_CHARACTERS : SAMPLE_CHARACTERS,
        counters.get(encoding) ?? byBytes,
        caches.get(encoding) ?? new CountCache(0),
        exact,
      ),
  };
}

/**
 * Counts the texts of one request until so many characters were counted, then by samples, then as the texts before.
 *
 * @param exact whether what the cache has from samples will not do
 */
function countWithin(limit: number, count: CountTokens, cache: CountCache, exact: boolean): CountTokens {
  let left = limit;
  let counted = 0;
  const countAll: CountTokens = (text) => {
    left -= text.length;
    const tokens = count(text);
    counted += tokens;
    return tokens;
  };
  return (text) => {
    if (text.length < CACHED_FROM_CHARACTERS && text.length <= left) return countAll(text);
    const known = cache.get(text);
    if (known !== null && (known.exact || !exact)) return known.tokens;
    if (text.length <= left) {
      const tokens = countAll(text);
      cache.set(text, { tokens, exact: true });
      return tokens;
    }
    if (left < WINDOW_CHARACTERS) return Math.ceil((text.length * counted) / (limit - left));
    const tokens = sampleTokens(text, left, countAll);
    cache.set(text, { tokens, exact: false });
    return tokens;
  };
}

/** What cannot be counted is taken by its length: an estimate is no reason for a request to fail. */
function guarded(count: CountTokens): CountTokens {
  return (text) => {
    try {
      return count(text);
    } catch {
      return byBytes(text);
    }
  };
}

function byBytes(text: string): number {
  return estimateTextTokens(Buffer.byteLength(text));
}
