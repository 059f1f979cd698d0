export interface HostileCase {
  /** Or its text. */
  readonly schema: unknown;
  readonly text: string;
}

const MAX_CHARACTERS = 65_000;
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));
const members = (count: number, value: unknown): Record<string, unknown> =>
  Object.fromEntries(times(count, (n) => [`p${n}`, value]));
const text = (value: unknown): string => JSON.stringify(value);

/** The largest schema of a kind that is still compiled. */
function largest(make: (count: number) => unknown): unknown {
  let count = 1;
  while (text(make(Math.ceil(count * 1.3))).length <= MAX_CHARACTERS) count = Math.ceil(count * 1.3);
  return make(count);
}

const numbers = text(times(100_000, (n) => n));
const nested = (open: string, close: string, depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;
const chain = (keyword: string) => ({
  $ref: '#/$defs/d0',
  $defs: Object.fromEntries([
    ...times(60, (n) => [`d${n}`, { [keyword]: times(2, () => ({ $ref: `#/$defs/d${n + 1}` })) }]),
    ['d60', { type: 'string' }],
  ]),
});

/** Schemas and answers that have ended or blocked a process, or might. */
export const HOSTILE: Readonly<Record<string, HostileCase>> = {
  'nested look-behinds': {
    schema: { pattern: `${'(?<='.repeat(10_000)}a${')'.repeat(10_000)}` },
    text: '"bbb"',
  },
  'a class of 64 kB': {
    schema: { pattern: `[${times(20_000, (n) => String.fromCharCode(0x3400 + n)).join('')}]{1,1000}x` },
    text: text('b'.repeat(1_000)),
  },
  'classes with characters of two units': {
    schema: { pattern: `[^${times(15_000, (n) => String.fromCodePoint(0x10000 + 3 * n)).join('')}]+$` },
    text: text('b'.repeat(1_000)),
  },
  'nested groups': { schema: { pattern: `${'('.repeat(30_000)}a${')'.repeat(30_000)}` }, text: '"b"' },
  'nested counts': { schema: { pattern: '((((a{1,99}){1,99}){1,99}){1,99}){1,99}$' }, text: '"b"' },
  'a pattern that backtracks': { schema: { pattern: '^(a+)+$' }, text: text(`${'a'.repeat(100_000)}!`) },
  'a pattern with many states': {
    schema: { pattern: '(a|b)*a(a|b){300}c' },
    text: text('ab'.repeat(100_000)),
  },
  'many patterns': {
    schema: largest((n) => ({ allOf: times(n, (i) => ({ pattern: `(a|${i}){1,50}x$` })) })),
    text: '"b"',
  },
  'look-behinds as text': { schema: { format: 'regex' }, text: text('(?<='.repeat(1_000)) },
  'a long address': {
    schema: { items: { format: 'email' } },
    text: text(times(50, () => `a@${'a-'.repeat(2_000)}`)),
  },
  'many members': {
    schema: largest((n) => ({ properties: members(n, {}) })),
    text: text(members(100_000, 1)),
  },
  'many required members': {
    schema: largest((n) => ({ allOf: times(n, () => ({ required: times(150, (i) => `p${i}`) })) })),
    text: '{}',
  },
  'many values': { schema: largest((n) => ({ items: { enum: times(n, (i) => ({ i })) } })), text: numbers },
  'many alternatives': {
    schema: largest((n) => ({ items: { anyOf: times(n, (i) => ({ const: `v${i}` })) } })),
    text: numbers,
  },
  'many errors': {
    schema: largest((n) => ({ items: { allOf: times(n, () => ({ type: 'null' })) } })),
    text: numbers,
  },
  'many members without a repetition': {
    schema: { uniqueItems: true },
    text: text(times(50_000, (n) => ({ n }))),
  },
  'alternatives that multiply': {
    schema: { anyOf: times(8, (n) => ({ required: [`x${n}`], properties: { a: { $ref: '#' } } })) },
    text: nested('{"a":', '}', 60),
  },
  'references that multiply': { schema: chain('allOf'), text: '1' },
  'alternative references that multiply': { schema: chain('anyOf'), text: '1' },
  'references in a circle': {
    schema: {
      $ref: '#/$defs/a',
      $defs: { a: { anyOf: [{ $ref: '#/$defs/b' }] }, b: { allOf: [{ $ref: '#/$defs/a' }] } },
    },
    text: '1',
  },
  'evaluated members': {
    schema: largest((n) => ({
      anyOf: times(n, () => ({ $ref: '#/$defs/a' })),
      unevaluatedProperties: false,
      $defs: { a: { properties: members(300, {}) } },
    })),
    text: text(members(50, 1)),
  },
  'long names': {
    schema: largest((n) => ({
      properties: { ['x'.repeat(20_000)]: { properties: members(n, { type: 'string' }) } },
    })),
    text: '{}',
  },
  'dependent schemas': {
    schema: largest((n) => ({ dependentSchemas: members(n, { type: 'null' }) })),
    text: '{"p1":1}',
  },
  'names of prototypes': {
    schema:
      '{"properties":{"__proto__":{"type":"string"},"constructor":{"type":"string"}},"required":["__proto__"]}',
    text: '{"constructor":1}',
  },
  'the smallest divisor': { schema: { items: { multipleOf: 5e-324 } }, text: numbers },
  'a value deeper than a stack': { schema: { items: { $ref: '#' } }, text: nested('[', ']', 500_000) },
  'many empty objects': { schema: { type: 'array' }, text: `[${'{},'.repeat(340_000)}1]` },
};
