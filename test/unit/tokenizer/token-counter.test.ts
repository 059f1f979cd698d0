import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { countTokens as countCl100k } from 'gpt-tokenizer/encoding/cl100k_base';
import { countTokens as countO200k } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, it } from 'vitest';
import { createBytePairCounter } from '../../../src/adapters/tokenizer/byte-pair-counter.ts';
import { createTokenCounter } from '../../../src/adapters/tokenizer/token-counter.ts';
import { encodingNames } from '../../../src/domain/tokens/token-rules.ts';

const counter = await createTokenCounter();
const exactly = { exact: true };
const roughly = { exact: false };

/** The library's own counts: special tokens as plain text. */
const plainly = { disallowedSpecial: new Set<string>() };
const reference = {
  o200k_base: (text: string) => countO200k(text, plainly),
  cl100k_base: (text: string) => countCl100k(text, plainly),
};

const textOf = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const samples = {
  prose: textOf('docs/architecture.md'),
  code: textOf('src/pipeline/pipeline.ts'),
  json: textOf('schemas/released/ChatRequest.9aa497546bfc723a.avsc'),
  Chinese: '今天天气很好，我们一起去公园散步吧。'.repeat(40),
  emoji: '👩‍👩‍👧 🇩🇪 naïve café ﬁ Ⅷ'.repeat(20),
};
const characters = fc.string({ unit: fc.constantFrom(...'aZé 今\n\t🙂1.\u0301\ud800\udc00') });
const texts = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string(), characters);

describe.each(encodingNames)('the counter of %s', (encoding) => {
  it.each(Object.keys(samples) as (keyof typeof samples)[])(
    'counts %s as the encoding’s own library',
    (kind) => {
      const text = samples[kind];
      expect(counter.counting(encoding, exactly)(text)).toBe(reference[encoding](text));
    },
  );

  it('counts every text below its bound as the library', () => {
    const count = (text: string) => counter.counting(encoding, exactly)(text);
    fc.assert(fc.property(texts, (text) => count(text) === reference[encoding](text)));
  });

  it.each(['<|endoftext|>', '<|im_start|>system<|im_sep|>', '<|fim_prefix|>'])(
    'counts the special token %s as plain text',
    (text) => {
      expect(counter.counting(encoding, exactly)(text)).toBeGreaterThan(2);
    },
  );

  it.each([
    ['one letter', 'a'],
    ['spaces', ' '],
    ['line breaks', '\n'],
    ['an ideograph', '好'],
    ['dashes', '-'],
    ['an emoji', '🙂'],
    ['half an emoji', '\ud83d'],
  ])('returns a count for a million times %s', (_kind, unit) => {
    const text = unit.repeat(1_000_000 / unit.length);
    for (const precision of [exactly, roughly]) {
      const tokens = counter.counting(encoding, precision)(text);
      expect(tokens).toBeGreaterThan(1_000);
      expect(tokens).toBeLessThanOrEqual(3 * text.length);
    }
  });

  it('splits no character in a piece that is too long to be merged at once', () => {
    const text = `-${'🪿'.repeat(100)}`;
    expect(counter.counting(encoding, exactly)(text)).toBe(reference[encoding](text));
  });

  it('is only slightly above the library for a piece that is too long to be merged at once', () => {
    const text = 'abcdefghij'.repeat(300);
    const tokens = counter.counting(encoding, exactly)(text);
    expect(tokens).toBeGreaterThanOrEqual(reference[encoding](text));
    expect(tokens).toBeLessThanOrEqual(reference[encoding](text) * 1.1);
  });
});

describe('counting by samples', () => {
  const long = samples.prose.repeat(5);

  it('is exact for short texts', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const [precise, rough] = [exactly, roughly].map((how) => counter.counting('o200k_base', how)(text));
        return precise === rough;
      }),
    );
  });

  it.each(['prose', 'code', 'json'] as const)('is within a tenth for long %s', (kind) => {
    const text = `${samples[kind].repeat(3)}.`;
    const ratio = counter.counting('o200k_base', roughly)(text) / reference.o200k_base(text);
    expect(Math.abs(ratio - 1)).toBeLessThan(0.1);
  });

  it('extrapolates when a request has more texts than may be counted', () => {
    const count = counter.counting('o200k_base', roughly);
    const lines = long.split('\n').slice(0, 500);
    const sampled = lines.reduce((sum, line) => sum + count(`${line} `), 0);
    const real = lines.reduce((sum, line) => sum + reference.o200k_base(`${line} `), 0);
    expect(sampled / real).toBeGreaterThan(0.8);
    expect(sampled / real).toBeLessThan(1.3);
  });

  it('never answers a request for the exact number', () => {
    const text = `first by samples: ${long}`;
    counter.counting('o200k_base', roughly)(text);
    expect(counter.counting('o200k_base', exactly)(text)).toBe(reference.o200k_base(text));
  });

  it('uses the exact number when it is known', () => {
    const text = `first exactly: ${long}`;
    counter.counting('o200k_base', exactly)(text);
    expect(counter.counting('o200k_base', roughly)(text)).toBe(reference.o200k_base(text));
  });

  it('recognizes a sampled text, whatever was counted before it', () => {
    const text = `again: ${long}`;
    const first = counter.counting('o200k_base', roughly)(text);
    const count = counter.counting('o200k_base', roughly);
    count(samples.code);
    expect(count(text)).toBe(first);
  });
});

describe('work', () => {
  const vocabulary = { tokens: ['a', 'b', 'ab', ' ', [0xe5], [0xa5], [0xbd]], pieces: / ?[a-z]+|\s+|./gsu };
  const count = createBytePairCounter(vocabulary);

  it('ends a count in the middle of a text, and reports how far it came', () => {
    const text = 'ab '.repeat(1_000);
    const whole = count(text, Number.POSITIVE_INFINITY);
    expect(whole).toMatchObject({ characters: text.length });
    const part = count(text, whole.work / 2);
    expect(part.work).toBeLessThan(whole.work / 2 + 10);
    expect(part.characters).toBeLessThan(text.length * 0.51);
    expect(part.tokens / part.characters).toBeCloseTo(whole.tokens / text.length, 1);
  });

  it('also ends in the middle of an endless piece', () => {
    const piece = Array.from(
      { length: 100_000 },
      (_, index) => ((index * index) % 7 < 3 ? 'a' : 'b') + 'abz'[index % 3],
    );
    const part = count(piece.join(''), 5_000);
    expect(part.characters).toBeLessThan(2_000);
    expect(part.work).toBeLessThan(6_000);
  });

  it.each(['今天天气很好我们', 'qzxjkvbw', 'ابتثجحخد'])(
    'is bounded for a request of texts like %s',
    async (unit) => {
      const works: number[] = [];
      const counting = (
        await createTokenCounter(async () => (text, maxWork) => {
          const part = count(text, maxWork);
          works.push(part.work);
          return part;
        })
      ).counting('o200k_base', exactly);
      works.length = 0;
      const texts = Array.from({ length: 30 }, (_, index) => `${index}${unit.repeat(30_000 / unit.length)}`);
      const tokens = texts.reduce((sum, text) => sum + counting(text), 0);
      expect(works.reduce((sum, work) => sum + work, 0)).toBeLessThan(262_144 + 200_000);
      const real = texts.reduce((sum, text) => sum + count(text, Number.POSITIVE_INFINITY).tokens, 0);
      expect(tokens / real).toBeGreaterThan(0.9);
      expect(tokens / real).toBeLessThan(1.1);
    },
  );

  it('suffices for a long text of words, to its end', () => {
    const text = samples.prose.repeat(20).slice(0, 262_144);
    expect(counter.counting('o200k_base', exactly)(text)).toBe(reference.o200k_base(text));
  });
});

it('a text that cannot be counted is estimated by its bytes', async () => {
  const failing = await createTokenCounter(async () => () => {
    throw new Error('out of order');
  });
  for (const precision of [exactly, roughly])
    expect(failing.counting('o200k_base', precision)('naïve')).toBe(2);
});
