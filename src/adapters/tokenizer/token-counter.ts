import { type CountTokens, estimateTextTokens } from '../../domain/tokens/estimate-tokens.ts';
import { type EncodingName, encodingNames } from '../../domain/tokens/token-rules.ts';
import type { TokenCounter } from '../../ports/tokens.ts';
import type { CountPart, PartCount } from './byte-pair-counter.ts';
import { CountCache } from './count-cache.ts';
import { loadCounter } from './load-counter.ts';
import { sampleTokens, WINDOW_CHARACTERS } from './sample-tokens.ts';

interface Bounds {
  /** Of a request that are counted. */
  readonly characters: number;
  /** What may be done for those, in the counter's unit. */
  readonly work: number;
  /** Characters that are counted after so much work, spread over the text that was too much. */
  readonly charactersAfter: number;
}

/** When nothing depends on the exact number: a quarter of a millisecond’s work, and some milliseconds’ at most. */
const SAMPLED: Bounds = { characters: 2_048, work: Number.POSITIVE_INFINITY, charactersAfter: 0 };
/** When it does: some 60,000 tokens of a text that is made of words, fewer of one that is chosen badly. */
const EXACT: Bounds = { characters: 262_144, work: 262_144, charactersAfter: 8_192 };
/** Shorter texts are counted as fast as they are looked up. */
const CACHED_FROM_CHARACTERS = 256;
const CACHE_BYTES = 8_388_608;
const FIRST_TEXT = 'The first text: naïve, 1,234 words, 今天.\n';

/**
 * Loads the encodings, which takes a good part of a second, and counts once with each, so that no request is the first.
 *
 * @param load reads one encoding
 * @throws when the encodings are not installed
 */
export async function createTokenCounter(load = loadCounter): Promise<TokenCounter> {
  const loaded = encodingNames.map(async (name) => [name, guarded(await load(name))] as const);
  const counters: ReadonlyMap<EncodingName, CountPart> = new Map(await Promise.all(loaded));
  const caches = new Map(encodingNames.map((name) => [name, new CountCache(CACHE_BYTES)]));
  for (const count of counters.values()) count(FIRST_TEXT, Number.POSITIVE_INFINITY);

  return {
    counting: (encoding, { exact }) =>
      countWithin(
        exact ? EXACT : SAMPLED,
        counters.get(encoding) ?? byBytes,
        caches.get(encoding) ?? new CountCache(0),
        exact,
      ),
  };
}

/**
 * Counts the texts of one request until so many characters were counted or so much work was done, then by samples, then as
 * the texts before.
 *
 * @param exact whether what the cache has from samples will not do
 */
function countWithin(bounds: Bounds, count: CountPart, cache: CountCache, exact: boolean): CountTokens {
  let { characters: left, work } = bounds;
  const counted = { characters: 0, tokens: 0 };
  const countPart = (text: string): PartCount => {
    const part = count(text, work);
    work -= part.work;
    left -= part.characters;
    counted.characters += part.characters;
    counted.tokens += part.tokens;
    return part;
  };
  const countSample = (sample: string): number | null => {
    const part = countPart(sample);
    return part.characters === sample.length ? part.tokens : null;
  };
  /** What is left from here on is counted whatever work it is. */
  const endExactness = () => {
    work = Number.POSITIVE_INFINITY;
    left = Math.min(left, bounds.charactersAfter);
  };
  const estimate = (text: string): number => {
    if (text.length <= left) return countPart(text).tokens;
    if (left < WINDOW_CHARACTERS)
      return Math.ceil((text.length * counted.tokens) / Math.max(1, counted.characters));
    const tokens = sampleTokens(text, left, countSample);
    if (tokens !== null) return tokens;
    endExactness();
    return estimate(text);
  };
  const known = (text: string): number | null => {
    if (text.length < CACHED_FROM_CHARACTERS) return null;
    const entry = cache.get(text);
    return entry !== null && (entry.exact || !exact) ? entry.tokens : null;
  };

  return (text) => {
    const before = known(text);
    if (before !== null) return before;
    const part = text.length <= left ? countPart(text) : null;
    const isWhole = part?.characters === text.length;
    if (part !== null && !isWhole) endExactness();
    // A number taken from other texts does not count as this text's own.
    const isOwn = part !== null || left >= WINDOW_CHARACTERS;
    const tokens = isWhole ? part.tokens : (part?.tokens ?? 0) + estimate(text.slice(part?.characters ?? 0));
    if (isOwn && text.length >= CACHED_FROM_CHARACTERS) cache.set(text, { tokens, exact: isWhole });
    return tokens;
  };
}

/** What cannot be counted is taken by its length: an estimate is no reason for a request to fail. */
function guarded(count: CountPart): CountPart {
  return (text, maxWork) => {
    try {
      return count(text, maxWork);
    } catch {
      return byBytes(text);
    }
  };
}

function byBytes(text: string): PartCount {
  return { tokens: estimateTextTokens(Buffer.byteLength(text)), characters: text.length, work: 1 };
}
