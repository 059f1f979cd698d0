import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linearPattern, NotCheckable } from '../../../src/adapters/json-schema/engine/linear-pattern.ts';
import { PATTERN_LIMITS } from '../../../src/adapters/json-schema/engine/translate-pattern.ts';

/** The regular expression that a JSON Schema validator on V8 makes of the pattern. */
function nativePattern(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u');
  } catch {
    return new RegExp(pattern);
  }
}

/** Unlike ECMA-262, V8 also finds word boundaries in the middle of a character. */
const isQuirk = (pattern: string, text: string) => pattern.includes('\\B') && /[\ud800-\udfff]/.test(text);

const TEXTS = [
  '',
  'a',
  'b',
  'ab',
  'aab',
  'abc',
  'a\n',
  '\na',
  'a\nb',
  'A',
  'é',
  'ß',
  '0',
  '٣',
  '12345',
  '2024-02-30',
  'x-y',
  'x_y.z',
  'name@example.com',
  ' ',
  '\t',
  '\u00a0',
  '\ufeff',
  '\u2028',
  '\u180e',
  '\u0085',
  '\v\f',
  'Ω',
  'ſ',
  'K',
  '😀',
  'a😀b',
  '日本',
  '-',
  ']',
  '^',
  '\\',
  '/',
  '{1}',
  'a{1}',
  '\b',
  '\0',
  '\u0001',
  'aaaaaaaaa',
];

describe('a pattern means what it means to V8', () => {
  it.each([
    '^a$',
    'a$',
    '^$',
    '$^',
    '.',
    '^.$',
    '^..$',
    '^.*$',
    '^[^]*$',
    '[]',
    '^[^]$',
    '[^a]',
    '^[^a]$',
    '\\d',
    '^\\D$',
    '\\s',
    '^\\S+$',
    '^\\w+$',
    '\\W',
    '[\\s\\d]',
    '[^\\s]',
    '[^\\w-]',
    '[\\w-.]',
    '^[\\w-.]+$',
    '[a-\\d]',
    '^[+-]?\\d+$',
    '^\\d{4}-\\d{2}-\\d{2}$',
    '^[a-z0-9._%+-]+@[a-z0-9.-]+\\.[a-z]{2,}$',
    '^(a|b)*$',
    '^(?:a|b)+?c?$',
    '(?<letter>a)b',
    'a{2}',
    'a{2,}',
    '^a{1,2}b$',
    '^a{0,2000}$',
    '^a{5,1500}$',
    '^a{2}{1',
    'a{',
    'a{,2}',
    '{1',
    '}',
    ']',
    '\\/',
    '\\-',
    '[\\-]',
    '[\\b]',
    '\\bb',
    '\\Bb',
    '\\ba\\b',
    '\\u0061',
    '\\u{1F600}',
    '^[\\u{1F600}-\\u{1F64F}]$',
    '\\ud83d\\ude00',
    '😀',
    '^😀$',
    '[😀]',
    '\\x41',
    '\\cA',
    '\\0',
    '\\t|\\v\\f',
    '\\p{L}',
    '^\\P{L}$',
    '^[\\p{Lu}\\d]+$',
    '^[^\\p{L}]$',
    '\\p{Script=Greek}',
    '\\p{sc=Han}',
    '\\p{gc=Nd}',
    '\\p{Uppercase_Letter}',
    '[^\\S]',
    '[\\s\\S]',
    '^(?:)$',
    '()',
    '|a',
    'a||b$',
    '^|b',
    'é',
    '[à-ü]',
    '\\.',
    '[.]',
    '[(]',
    '[$^]',
    '[*-+]',
    '\\u2028',
    '^(a?){20}$',
    '(a*)*',
    '(?:a*)*?$',
    '(\\b)*a',
    '[^\\u0000-\\uffff]',
  ])('%s', (pattern) => {
    const compiled = linearPattern(pattern);
    expect(compiled).not.toBeNull();
    const native = nativePattern(pattern);
    for (const text of TEXTS) {
      let found: boolean;
      try {
        found = compiled?.test(text) ?? false;
      } catch (error) {
        expect(error).toBeInstanceOf(NotCheckable);
        expect(native.unicode).toBe(false);
        continue;
      }
      expect([text, found]).toEqual([text, native.test(text)]);
    }
  });

  it('for any harmless pattern and text', () => {
    const atom = fc.constantFrom(
      ...[
        'a',
        'b',
        'é',
        '😀',
        '.',
        '\\d',
        '\\w',
        '\\s',
        '\\S',
        '[ab]',
        '[^a]',
        '[^\\w]',
        '[a-é]',
        '\\p{L}',
        '\\n',
      ],
      ...['\\b', '\\B', '^', '$', '\\.', '[\\d-]', '[]', '[^]', '\\u{1f600}', '-', '\\W', '[\\p{Lu}b]'],
    );
    const count = fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,3}', '{2,}', '*?', '{0}');
    const { pattern } = fc.letrec<{ pattern: string; sequence: string }>((tie) => ({
      pattern: fc.array(tie('sequence'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('|')),
      sequence: fc
        .array(
          fc.oneof(
            { maxDepth: 2 },
            fc
              .tuple(atom, count)
              .map(([what, times]) => (/^(\^|\$|\\b|\\B)$/.test(what) ? what : what + times)),
            fc.tuple(tie('pattern'), count).map(([inner, times]) => `(${inner})${times}`),
          ),
          { maxLength: 4 },
        )
        .map((parts) => parts.join('')),
    }));
    const text = fc.string({
      maxLength: 7,
      unit: fc.constantFrom(...['a', 'b', 'é', '😀', ' ', '\n', '1', '-', 'Z', '.']),
    });
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 6 }), (source, texts) => {
        const compiled = linearPattern(source);
        fc.pre(compiled !== null);
        const native = new RegExp(source, 'u');
        for (const one of texts) {
          if (!isQuirk(source, one)) expect(compiled?.test(one)).toBe(native.test(one));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('or is unchecked: any text as a pattern', () => {
    const character = fc.constantFrom(...'ab0-^$.*+?()[]{}|\\/,:=!<>dDsSwWbBuxckpPnt12é😀\ud800');
    fc.assert(
      fc.property(fc.string({ maxLength: 10, unit: character }), (source) => {
        const compiled = linearPattern(source);
        if (compiled === null) return;
        const native = nativePattern(source);
        for (const text of TEXTS) {
          if (isQuirk(source, text)) continue;
          try {
            expect([source, text, compiled.test(text)]).toEqual([source, text, native.test(text)]);
          } catch (error) {
            if (!(error instanceof NotCheckable)) throw error;
          }
        }
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('a pattern has no linear form', () => {
  it.each([
    ['looks ahead', '^(?=.*a).+$'],
    ['looks ahead and excludes', '^(?!a)'],
    ['looks behind', '(?<=a)b'],
    ['looks behind and excludes', '(?<!a)b'],
    ['refers back', '(a)\\1'],
    ['refers back by name', '(?<x>a)\\k<x>'],
    ['changes its flags', '(?i:a)'],
    ['is of another language', '\\A[[:alpha:]]+\\Z'],
    ['has the flags of another language', '(?i)a'],
    ['has a name twice', '(?<x>a)(?<x>b)'],
    ['is not closed', '('],
    ['is not opened', 'a)'],
    ['has no end of a class', '[a'],
    ['repeats nothing', '*a'],
    ['repeats twice', 'a**'],
    ['counts down', 'a{2,1}'],
    ['has a range that runs down', '[b-a]'],
    ['ends in an escape', 'a\\'],
    ['has half a character', '\\ud83d'],
    ['has a property that the engine lacks', '\\p{Emoji}'],
    ['has an invalid property', '\\p{Nothing}'],
    ['is too long', 'a'.repeat(PATTERN_LIMITS.characters + 1)],
    ['is too deep', `${'('.repeat(40)}a${')'.repeat(40)}`],
    ['counts too far', '(a{100}){100}'],
    ['counts further than a number', `a{${'9'.repeat(400)}}`],
    ['doubles over and over', '(((((((((((((a{9}){9}){9}){9}){9}){9}){9}){9}){9}){9}){9}){9}){9})'],
  ])('that %s', (_what, pattern) => {
    expect(linearPattern(pattern)).toBeNull();
  });
});

it('a text that the translated pattern treats differently is not decided', () => {
  expect(() => linearPattern('^a')?.test('\ud800')).toThrow(NotCheckable);
  expect(() => linearPattern('^[\\w-.]')?.test('😀')).toThrow(NotCheckable);
});
