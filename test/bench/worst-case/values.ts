/** A way to make a value of a wanted size that some algorithm may be slow on. */
export interface Maker<T> {
  readonly name: string;
  /** @param bytes of the value as UTF-8 or as they are; it may have a few less */
  readonly make: (bytes: number) => T;
}

/** Enough that no part of a text that is counted as one comes again. */
const MIX_CHARACTERS = 5_003;

/** Texts are made once for each size: making them takes longer than looking at them. */
function remembering<T>({ name, make }: Maker<T>): Maker<T> {
  const made = new Map<number, T>();
  return {
    name,
    make: (bytes) => {
      const value = made.get(bytes) ?? make(bytes);
      made.set(bytes, value);
      return value;
    },
  };
}

/** `unit` again and again. */
const runOf = (name: string, unit: string): Maker<string> => {
  const unitBytes = Buffer.byteLength(unit);
  return { name, make: (bytes) => unit.repeat(Math.max(1, Math.floor(bytes / unitBytes))) };
};

/** Characters of an alphabet in an order that comes again only after some thousands, and is the same in every run. */
const mixOf = (name: string, alphabet: readonly string[]): Maker<string> => {
  let seed = 1;
  const next = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return alphabet[(seed >> 8) % alphabet.length] ?? '';
  };
  return runOf(name, Array.from({ length: MIX_CHARACTERS }, next).join(''));
};

const rangeOf = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => String.fromCodePoint(first + index));

/** Items from `itemOf` between `open` and `close`, as many as fit. */
function listOf(
  name: string,
  open: string,
  itemOf: (index: number) => string,
  separator: string,
  close: string,
): Maker<string> {
  return {
    name,
    make: (bytes) => {
      const items: string[] = [];
      let left = bytes - open.length - close.length;
      for (let index = 0; ; index += 1) {
        const item = itemOf(index);
        left -= item.length + separator.length;
        if (left < 0) return `${open}${items.join(separator)}${close}`;
        items.push(item);
      }
    },
  };
}

const nested = (name: string, open: string, inner: string, close: string, depth: number): Maker<string> => ({
  name,
  make: (bytes) => {
    const levels = Math.min(depth, Math.floor((bytes - inner.length) / (open.length + close.length)));
    return open.repeat(Math.max(0, levels)) + inner + close.repeat(Math.max(0, levels));
  },
});

/** Plain text, be it JSON or not. */
const allTexts: readonly Maker<string>[] = [
  runOf('one letter', 'a'),
  runOf('spaces', ' '),
  runOf('digits', '0'),
  runOf('quotes', '"'),
  runOf('backslashes', '\\'),
  runOf('commas', ','),
  runOf('spaced commas', ' , '),
  runOf('line breaks', '\n'),
  runOf('carriage returns', '\r'),
  runOf('control characters', '\u0001'),
  runOf('letters and spaces', 'a '),
  runOf('letters and digits', 'a1'),
  runOf('letters and dashes', 'a-'),
  runOf('both cases', 'aB'),
  runOf('opening brackets', '['),
  runOf('opening braces', '{"a":'),
  runOf('dots', 'a.'),
  runOf('slashes', 'a/'),
  runOf('combining marks', 'e\u0301'),
  runOf('emoji', '🙂'),
  runOf('keys of a provider', 'sk-'),
  runOf('a key of asterisks', '*'),
  runOf('Bearer tokens', 'Bearer '),
  mixOf('random letters', rangeOf(0x61, 26)),
  mixOf('random letters of both cases', [...rangeOf(0x41, 26), ...rangeOf(0x61, 26)]),
  mixOf('random Hangul', rangeOf(0xac00, 5_000)),
  mixOf('random ideographs', rangeOf(0x4e00, 5_000)),
  mixOf('random Arabic', rangeOf(0x0627, 36)),
  mixOf('random Tibetan', rangeOf(0x0f40, 100)),
  mixOf('random private characters', rangeOf(0xe000, 5_000)),
  mixOf('random punctuation', [...'!#$%&*+-/=?@^_|~']),
  mixOf('random white space', [...'\n \t\r\u00a0']),
  mixOf('random emoji', [...'🙂👩🇩🪿🧿']),
  mixOf('a bit of everything', [...'aZé 今\n\t🙂1.\u0301']),
  { name: 'base64', make: (bytes) => 'QUJD'.repeat(Math.floor(bytes / 4)) },
  {
    name: 'base64 that breaks at its end',
    make: (bytes) => `${'QUJD'.repeat(Math.floor(bytes / 4) - 1)}QUJ!`,
  },
  {
    name: 'a data URL that breaks at its end',
    make: (bytes) => `data:image/png;base64,${'QUJD'.repeat(Math.floor(bytes / 4) - 8)}!`,
  },
  {
    name: 'a data URL of a JPEG file',
    make: (bytes) => `data:image/jpeg;base64,${jpeg(bytes * 0.7).toString('base64')}`,
  },
  { name: 'a media type', make: (bytes) => `a/${'a'.repeat(bytes - 3)};` },
];

/** JSON objects and arrays. */
const allTrees: readonly Maker<string>[] = [
  listOf('an array of zeros', '[', () => '0', ',', ']'),
  listOf('an array of empty objects', '[', () => '{}', ',', ']'),
  listOf('an array of empty arrays', '[', () => '[]', ',', ']'),
  listOf('an array of empty texts', '[', () => '""', ',', ']'),
  listOf('an array of large numbers', '[', () => '1e308', ',', ']'),
  listOf('an object of many keys', '{', (index) => `"k${index.toString(36)}":0`, ',', '}'),
  listOf('an object of many empty objects', '{', (index) => `"${index.toString(36)}":{}`, ',', '}'),
  listOf('an object of many texts', '{', (index) => `"k${index.toString(36)}":""`, ',', '}'),
  listOf('an object of sparse numbers', '{', (index) => `"${index * 131_072}":0`, ',', '}'),
  listOf('an object of numbers downward', '{', (index) => `"${4_294_967_294 - index * 7}":0`, ',', '}'),
  listOf('an object of one key again and again', '{', () => '"__proto__":{}', ',', '}'),
  listOf('objects of different shapes', '[', (index) => `{"s${index.toString(36)}":0}`, ',', ']'),
  nested('arrays nested without end', '[', '', ']', 1_000_000),
  nested('objects nested without end', '{"a":', '0', '}', 1_000_000),
  {
    name: 'branches at the deepest level',
    make: (bytes) => {
      const inner = listOf('', '[', () => '[[]]', ',', ']').make(bytes - 400);
      return `${'{"a":'.repeat(50)}${inner}${'}'.repeat(50)}`;
    },
  },
  listOf(
    'properties of a schema',
    '{"type":"object","properties":{',
    (index) => `"p${index}":{"type":"string"}`,
    ',',
    '}}',
  ),
  listOf(
    'an enumeration',
    '{"type":"object","properties":{"a":{"type":"string","enum":[',
    () => '"\\u0001"',
    ',',
    ']}}}',
  ),
  {
    name: 'properties at the deepest level',
    make: (bytes) => {
      const open = '{"type":"object","properties":{"a":'.repeat(14);
      const inner = listOf(
        '',
        '{"type":"object","properties":{',
        (index) => `"${index}":{"type":"null"}`,
        ',',
        '}}',
      );
      return `${open}${inner.make(bytes - open.length - 28)}${'}}'.repeat(14)}`;
    },
  },
  {
    name: 'long words in properties',
    make: (bytes) =>
      JSON.stringify({ properties: { [mixOf('', rangeOf(0x61, 26)).make(bytes - 60)]: { type: 'string' } } }),
  },
];

const allBinaries: readonly Maker<Buffer>[] = [
  { name: 'zeros', make: (bytes) => Buffer.alloc(bytes) },
  { name: 'a JPEG file of small segments', make: jpeg },
  {
    name: 'a JPEG file of filling bytes',
    make: (bytes) => Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.alloc(bytes - 2, 0xff)]),
  },
];

export const texts = allTexts.map(remembering);
export const trees = allTrees.map(remembering);
export const binaries = allBinaries.map(remembering);

/** One that never comes to its size. */
function jpeg(bytes: number): Buffer {
  const segment = Buffer.from([0xff, 0xe0, 0, 2]);
  return Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.alloc(Math.floor(bytes) - 2, segment)]);
}

/** Names for the entries of a map. */
export const names: readonly Maker<string[]>[] = [
  { name: 'short names', make: (count) => namesOf(count, (index) => index.toString(36)) },
  { name: 'numbers', make: (count) => namesOf(count, String) },
  { name: 'sparse numbers', make: (count) => namesOf(count, (index) => String(index * 131_072)) },
  { name: '__proto__ and more', make: (count) => ['__proto__', ...namesOf(count, (index) => `__${index}`)] },
];

function namesOf(count: number, nameOf: (index: number) => string): string[] {
  return Array.from({ length: count }, (_, index) => nameOf(index));
}
