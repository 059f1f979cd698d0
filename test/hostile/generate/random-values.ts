import type { Random } from '../../faults/random.ts';

/** Names that mean something to JavaScript, to Kafka or to this service. */
export const ODD_NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'prototype',
  'toJSON',
  'then',
  'length',
  '0',
  '-1',
  '',
  ' ',
  '$ref',
  'a.b',
  'a[0]',
  '\u0000',
  '\u2028',
  '💥',
  'ü',
] as const;

const ODD_TEXTS = [
  '',
  ' ',
  '\u0000',
  '\ufeff',
  '\ud800',
  'a\udc00b',
  '💥'.repeat(50),
  '{"a":1}',
  '[',
  'null',
  'undefined',
  'NaN',
  '0.1',
  '1e400',
  '-0',
  '9'.repeat(400),
  '0.'.padEnd(300, '0'),
  'data:image/png;base64,AAAA',
  'data:;base64,',
  'http://[::1',
  'https://example.com/ü?x=%00',
  'sk-proj-abcdefghijklmnopqrstuvwx',
  '2026-99-99T99:99:99Z',
  '%s%n%%',
  '<script>',
  '../../../etc/passwd',
  'EUR',
] as const;

const ODD_NUMBERS = [
  0,
  -0,
  0.5,
  -1,
  1.000_5,
  127,
  128,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  3e9,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 53),
  2 ** 63,
  1e21,
  1e308,
  -1e308,
  5e-324,
] as const;

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789_-';

/** From a seed and a place in a row: what comes first has no effect on what comes later. */
export function seedAt(seed: number, index: number): number {
  return (Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b)) >>> 0;
}

export function word(random: Random, most = 12): string {
  let text = '';
  for (let left = random.between(1, most); left > 0; left -= 1) text += LETTERS[random.between(0, 37)];
  return text;
}

export function oddName(random: Random): string {
  return random.chance(0.6) ? random.pick(ODD_NAMES) : word(random);
}

export function oddText(random: Random): string {
  const choice = random.next();
  if (choice < 0.4) return random.pick(ODD_TEXTS);
  if (choice < 0.5) return random.pick(ODD_NAMES);
  if (choice < 0.9) return word(random, 30);
  return random
    .pick(ODD_TEXTS)
    .repeat(random.between(1, choice < 0.99 ? 20 : 2_000))
    .slice(0, 60_000);
}

export function oddNumber(random: Random): number {
  const choice = random.next();
  if (choice < 0.7) return random.pick(ODD_NUMBERS);
  return choice < 0.85
    ? random.between(-1_000, 1_000_000)
    : (random.next() - 0.5) * 10 ** random.between(0, 300);
}

/** Any JSON value, of any kind, at most so many levels deep. */
export function oddValue(random: Random, depth = 3): unknown {
  const choice = random.next();
  if (choice < 0.1) return null;
  if (choice < 0.2) return random.chance(0.5);
  if (choice < 0.45) return oddNumber(random);
  if (choice < 0.7 || depth === 0) return oddText(random);
  const length = random.chance(0.02) ? random.between(50, 500) : random.between(0, 4);
  if (choice < 0.85) return Array.from({ length }, () => oddValue(random, depth - 1));
  return objectOf(Array.from({ length }, () => [oddName(random), oddValue(random, depth - 1)] as const));
}

/** With `__proto__` as a member like any other, as `JSON.parse` makes it. */
export function objectOf(members: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [name, value] of members)
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  return object;
}
