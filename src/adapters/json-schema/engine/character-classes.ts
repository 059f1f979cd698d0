/** Ranges of code points, both ends included. */
export type Ranges = readonly (readonly [number, number])[];

const LAST = 0x10ffff;

const DIGITS: Ranges = [[48, 57]];
const WORD: Ranges = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
/** ECMA-262's WhiteSpace and LineTerminator. */
const SPACE: Ranges = [
  [9, 13],
  [32, 32],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];

const ESCAPES = new Map<string, Ranges>([
  ['d', DIGITS],
  ['D', complement(DIGITS)],
  ['s', SPACE],
  ['S', complement(SPACE)],
  ['w', WORD],
  ['W', complement(WORD)],
]);

/** General categories by the names that ECMA-262 takes, as RE2 calls them. `C` and `Cn` differ between the two. */
const CATEGORIES = new Map<string, string>(
  Object.entries({
    L: 'Letter',
    Lu: 'Uppercase_Letter',
    Ll: 'Lowercase_Letter',
    Lt: 'Titlecase_Letter',
    Lm: 'Modifier_Letter',
    Lo: 'Other_Letter',
    M: 'Mark',
    Mn: 'Nonspacing_Mark',
    Mc: 'Spacing_Mark',
    Me: 'Enclosing_Mark',
    N: 'Number',
    Nd: 'Decimal_Number',
    Nl: 'Letter_Number',
    No: 'Other_Number',
    P: 'Punctuation',
    Pc: 'Connector_Punctuation',
    Pd: 'Dash_Punctuation',
    Ps: 'Open_Punctuation',
    Pe: 'Close_Punctuation',
    Pi: 'Initial_Punctuation',
    Pf: 'Final_Punctuation',
    Po: 'Other_Punctuation',
    S: 'Symbol',
    Sm: 'Math_Symbol',
    Sc: 'Currency_Symbol',
    Sk: 'Modifier_Symbol',
    So: 'Other_Symbol',
    Z: 'Separator',
    Zs: 'Space_Separator',
    Zl: 'Line_Separator',
    Zp: 'Paragraph_Separator',
    Cc: 'Control',
    Cf: 'Format',
  }).flatMap(([short, long]) => [
    [short, short],
    [long, short],
  ]),
);
const SCRIPTS: ReadonlySet<string> = new Set([
  'Arabic',
  'Armenian',
  'Bengali',
  'Cyrillic',
  'Devanagari',
  'Georgian',
  'Greek',
  'Han',
  'Hangul',
  'Hebrew',
  'Hiragana',
  'Katakana',
  'Latin',
  'Thai',
]);

/** What `\d`, `\s` and the like stand for; null for other letters. */
export function classEscape(letter: string): Ranges | null {
  return ESCAPES.get(letter) ?? null;
}

/** `\p{name}` as RE2 writes it; null for properties that it does not know, or knows otherwise. */
export function propertyEscape(name: string, negated: boolean): string | null {
  const [key = '', value] = name.split('=');
  const isCategory = value === undefined || key === 'gc' || key === 'General_Category';
  const isScript = value !== undefined && (key === 'sc' || key === 'Script') && SCRIPTS.has(value);
  const known = isCategory ? CATEGORIES.get(value ?? key) : isScript ? value : undefined;
  return known === undefined ? null : `\\${negated ? 'P' : 'p'}{${known}}`;
}

/** A class of RE2. @param properties more of its members, as `propertyEscape` wrote them */
export function rangesText(ranges: Ranges, negated: boolean, properties: readonly string[] = []): string {
  if (properties.length > 0) return `[${negated ? '^' : ''}${properties.join('')}${written(ranges)}]`;
  const all = negated ? complement(ranges) : ranges;
  // RE2 has no class without members; this one has every character taken out.
  return all.length === 0 ? `[^${written([[0, LAST]])}]` : `[${written(all)}]`;
}

function written(ranges: Ranges): string {
  return ranges.map(([from, to]) => `\\x{${from.toString(16)}}-\\x{${to.toString(16)}}`).join('');
}

/** All characters but those. */
function complement(ranges: Ranges): Ranges {
  const outside: [number, number][] = [];
  let next = 0;
  for (const [from, to] of ranges.toSorted(([a], [b]) => a - b)) {
    if (from > next) outside.push([next, from - 1]);
    next = Math.max(next, to + 1);
  }
  if (next <= LAST) outside.push([next, LAST]);
  return outside;
}
