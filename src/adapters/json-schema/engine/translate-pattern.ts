import { classEscape, propertyEscape, rangesText } from './character-classes.ts';

/** What of a pattern is translated at most. Beyond, matching could take long, or the translation itself. */
export const PATTERN_LIMITS = {
  characters: 4_096,
  depth: 32,
  /** Of the pattern when its counted repetitions are written out. */
  size: 4_000,
} as const;

/** How often a repetition may be counted in one piece. */
const MAX_COUNT = 1_000;
const SYNTAX_CHARACTERS = '^$\\.*+?()[]{}|/';
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

export interface TranslatedPattern {
  /** In RE2's syntax. */
  readonly source: string;
  /**
   * Whether it is a pattern only without the flag `u`, so that it looks at UTF-16 code units: the translation then means
   * the same only for text without surrogates.
   */
  readonly codeUnits: boolean;
}

interface Piece {
  readonly source: string;
  readonly size: number;
}

/** Ends the translation of a pattern that has no translation, or is not a pattern. */
class Untranslatable extends Error {}

/**
 * Translates a regular expression of ECMA-262 into the few constructs whose meaning RE2 shares: characters by their
 * number, classes by ranges, groups, alternatives, repetitions, `\A`, `\z` and `\b`. Whether a text matches is all that
 * is kept: groups capture nothing, and lazy repetitions are greedy ones.
 *
 * @returns null for what cannot be translated: look-around, back-references, modifiers, what is too long, too deep or too
 *   large, and what is not a pattern at all
 * @see https://tc39.es/ecma262/#sec-patterns
 */
export function translatePattern(pattern: string): TranslatedPattern | null {
  if (pattern.length > PATTERN_LIMITS.characters || !pattern.isWellFormed()) return null;
  const source = translate(pattern, true);
  if (source !== null) return { source, codeUnits: false };
  const lenient = translate(pattern, false);
  return lenient === null ? null : { source: lenient, codeUnits: true };
}

function translate(pattern: string, unicode: boolean): string | null {
  try {
    return new PatternReader(pattern, unicode).read();
  } catch (error) {
    if (error instanceof Untranslatable) return null;
    throw error;
  }
}

class PatternReader {
  readonly #characters: readonly string[];
  readonly #unicode: boolean;
  readonly #names = new Set<string>();
  #at = 0;

  constructor(pattern: string, unicode: boolean) {
    this.#characters = [...pattern];
    this.#unicode = unicode;
  }

  read(): string {
    const { source } = this.#alternatives(0);
    // What ended it can only be a parenthesis that was never opened.
    if (this.#at < this.#characters.length) throw new Untranslatable();
    return source;
  }

  #alternatives(depth: number): Piece {
    if (depth > PATTERN_LIMITS.depth) throw new Untranslatable();
    const sources: string[] = [];
    let size = 0;
    do {
      const sequence = this.#sequence(depth);
      sources.push(sequence.source);
      size += sequence.size + 1;
    } while (this.#take('|'));
    return { source: sources.join('|'), size: bounded(size) };
  }

  #sequence(depth: number): Piece {
    let source = '';
    let size = 0;
    for (let next = this.#peek(); next !== undefined && next !== '|' && next !== ')'; next = this.#peek()) {
      const piece = this.#assertion() ?? this.#repeated(this.#atom(depth));
      source += piece.source;
      size = bounded(size + piece.size);
    }
    return { source, size };
  }

  #assertion(): Piece | null {
    if (this.#take('^')) return this.#unrepeated('\\A');
    if (this.#take('$')) return this.#unrepeated('\\z');
    const escaped = this.#peek() === '\\' ? this.#peek(1) : undefined;
    if (escaped !== 'b' && escaped !== 'B') return null;
    this.#at += 2;
    return this.#unrepeated(`\\${escaped}`);
  }

  #unrepeated(source: string): Piece {
    if (this.#count() !== null) throw new Untranslatable();
    return { source, size: 1 };
  }

  #atom(depth: number): Piece {
    const next = this.#next();
    switch (next) {
      case '.':
        return {
          source: rangesText(
            [
              [10, 10],
              [13, 13],
              [0x2028, 0x2029],
            ],
            true,
          ),
          size: 1,
        };
      case '(':
        return this.#group(depth);
      case '[':
        return this.#class();
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        throw new Untranslatable();
      case '{':
      case '}':
      case ']':
        // Without the flag `u` these stand for themselves where they cannot be anything else.
        if (this.#unicode) throw new Untranslatable();
        if (next === '{') {
          this.#at -= 1;
          if (this.#count() !== null) throw new Untranslatable();
          this.#at += 1;
        }
        return literal(next.codePointAt(0) as number);
      default:
        return this.#character(next);
    }
  }

  #group(depth: number): Piece {
    if (this.#take('?')) {
      if (this.#take('<')) this.#groupName();
      else if (!this.#take(':')) throw new Untranslatable();
    }
    const { source, size } = this.#alternatives(depth + 1);
    if (!this.#take(')')) throw new Untranslatable();
    return { source: `(?:${source})`, size };
  }

  #groupName(): void {
    let name = '';
    for (let next = this.#next(); next !== '>'; next = this.#next()) name += next;
    // `(?<=` and `(?<!` look behind. Of names, those are taken that are names in every engine.
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || this.#names.has(name)) throw new Untranslatable();
    this.#names.add(name);
  }

  #repeated(piece: Piece): Piece {
    const count = this.#count();
    if (count === null) return piece;
    const [least, most] = count;
    if (least > most) throw new Untranslatable();
    const times = Math.max(1, most === Number.POSITIVE_INFINITY ? least + 1 : most);
    const size = bounded(piece.size * times);
    return { source: repetition(piece.source, least, most), size };
  }

  /** What repeats the piece before it; null when nothing does. */
  #count(): readonly [number, number] | null {
    const count = this.#symbolicCount() ?? this.#numericCount();
    if (count !== null) this.#take('?');
    return count;
  }

  #symbolicCount(): readonly [number, number] | null {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    return this.#take('?') ? [0, 1] : null;
  }

  #numericCount(): readonly [number, number] | null {
    const start = this.#at;
    if (!this.#take('{')) return null;
    const least = this.#digits();
    let most = least;
    if (least !== '' && this.#take(',')) most = this.#digits() || 'Infinity';
    if (least !== '' && this.#take('}')) return [Number(least), Number(most)];
    this.#at = start;
    return null;
  }

  #digits(): string {
    let digits = '';
    for (let next = this.#peek() ?? ''; /^[0-9]$/.test(next); next = this.#peek() ?? '') {
      digits += next;
      this.#at += 1;
    }
    return digits;
  }

  #escape(): Piece {
    const property = this.#property();
    if (property !== null) return { source: `[${property}]`, size: 20 };
    const escaped = this.#peek() ?? '';
    const ranges = classEscape(escaped);
    if (ranges === null) return literal(this.#escapedCharacter(false));
    this.#at += 1;
    return { source: rangesText(ranges, false), size: 1 };
  }

  /** `\p{…}` or `\P{…}` behind a backslash, as it stands in a class of RE2; null for other escapes. */
  #property(): string | null {
    const kind = this.#peek();
    if (!this.#unicode || (kind !== 'p' && kind !== 'P')) return null;
    this.#at += 1;
    if (!this.#take('{')) throw new Untranslatable();
    let name = '';
    for (let next = this.#next(); next !== '}'; next = this.#next()) name += next;
    const translated = propertyEscape(name, kind === 'P');
    if (translated === null) throw new Untranslatable();
    return translated;
  }

  /** The character that an escape behind a backslash stands for. */
  #escapedCharacter(inClass: boolean): number {
    const escaped = this.#next();
    const control = CONTROLS[escaped];
    if (control !== undefined) return control;
    if (escaped === 'b' && inClass) return 8;
    if (escaped === 'c') return this.#controlLetter();
    if (escaped === '0' && !/^[0-9]$/.test(this.#peek() ?? '')) return 0;
    if (escaped === 'x') return this.#hexadecimal(2);
    if (escaped === 'u') return this.#unicodeEscape();
    const stands = this.#unicode
      ? SYNTAX_CHARACTERS.includes(escaped) || (inClass && escaped === '-')
      : // In other languages an escaped letter is something else than the letter.
        !/^[A-Za-z0-9]$/.test(escaped);
    if (!stands) throw new Untranslatable();
    return plain(escaped.codePointAt(0) as number, this.#unicode);
  }

  #controlLetter(): number {
    const letter = this.#next();
    if (!/^[A-Za-z]$/.test(letter)) throw new Untranslatable();
    return letter.charCodeAt(0) % 32;
  }

  #unicodeEscape(): number {
    if (this.#unicode && this.#take('{')) {
      let digits = '';
      for (let next = this.#next(); next !== '}'; next = this.#next()) digits += next;
      if (!/^[0-9A-Fa-f]{1,16}$/.test(digits)) throw new Untranslatable();
      return plain(Number.parseInt(digits, 16), true);
    }
    const unit = this.#hexadecimal(4);
    const isPair = this.#unicode && unit >= 0xd800 && unit <= 0xdbff;
    if (!isPair || this.#peek() !== '\\' || this.#peek(1) !== 'u') return plain(unit, this.#unicode);
    this.#at += 2;
    const low = this.#hexadecimal(4);
    if (low < 0xdc00 || low > 0xdfff) throw new Untranslatable();
    return (unit - 0xd800) * 0x400 + (low - 0xdc00) + 0x10000;
  }

  #hexadecimal(length: number): number {
    const digits = this.#characters.slice(this.#at, this.#at + length).join('');
    if (digits.length !== length || !/^[0-9A-Fa-f]+$/.test(digits)) throw new Untranslatable();
    this.#at += length;
    return Number.parseInt(digits, 16);
  }

  #class(): Piece {
    const negated = this.#take('^');
    const ranges: [number, number][] = [];
    const properties: string[] = [];
    while (!this.#take(']')) {
      const from = this.#classMember(properties);
      const isRange = this.#peek() === '-' && this.#peek(1) !== ']' && this.#peek(1) !== undefined;
      if (!isRange) {
        ranges.push(...(typeof from === 'number' ? [[from, from] as [number, number]] : from));
        continue;
      }
      this.#at += 1;
      const to = this.#classMember(properties);
      if (typeof from === 'number' && typeof to === 'number') {
        if (from > to) throw new Untranslatable();
        ranges.push([from, to]);
        continue;
      }
      // A range between classes: without the flag `u` the hyphen stands for itself.
      if (this.#unicode) throw new Untranslatable();
      ranges.push([45, 45]);
      for (const end of [from, to])
        ranges.push(...(typeof end === 'number' ? [[end, end] as [number, number]] : end));
    }
    return { source: rangesText(ranges, negated, properties), size: 1 + 20 * properties.length };
  }

  /** A character of a class, or ranges; a property goes to `properties`. */
  #classMember(properties: string[]): number | [number, number][] {
    const next = this.#next();
    if (next !== '\\') return plain(next.codePointAt(0) as number, this.#unicode);
    const property = this.#property();
    if (property !== null) {
      properties.push(property);
      return [];
    }
    const ranges = classEscape(this.#peek() ?? '');
    if (ranges === null) return this.#escapedCharacter(true);
    this.#at += 1;
    return ranges.map(([from, to]) => [from, to]);
  }

  #character(character: string): Piece {
    return literal(plain(character.codePointAt(0) as number, this.#unicode));
  }

  #peek(ahead = 0): string | undefined {
    return this.#characters[this.#at + ahead];
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    return true;
  }

  #next(): string {
    const next = this.#peek();
    if (next === undefined) throw new Untranslatable();
    this.#at += 1;
    return next;
  }
}

/** @throws what ends the translation for a surrogate, and for a character that consists of two of them where they count */
function plain(codePoint: number, unicode: boolean): number {
  const isSurrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
  if (isSurrogate || codePoint > (unicode ? 0x10ffff : 0xffff)) throw new Untranslatable();
  return codePoint;
}

function literal(codePoint: number): Piece {
  return { source: `\\x{${codePoint.toString(16)}}`, size: 1 };
}

function bounded(size: number): number {
  if (size > PATTERN_LIMITS.size) throw new Untranslatable();
  return size;
}

/** A repetition in pieces of at most `MAX_COUNT`. */
function repetition(source: string, least: number, most: number): string {
  const piece = `(?:${source})`;
  if (most === Number.POSITIVE_INFINITY) {
    if (least === 0) return `${piece}*`;
    return `${inPieces(piece, least - 1, (count) => `{${count}}`)}${piece}+`;
  }
  const required = inPieces(piece, least, (count) => `{${count}}`);
  const optional = inPieces(piece, most - least, (count) => `{0,${count}}`);
  return `(?:${required}${optional})`;
}

function inPieces(piece: string, count: number, written: (count: number) => string): string {
  let source = '';
  for (let left = count; left > 0; left -= MAX_COUNT) source += piece + written(Math.min(left, MAX_COUNT));
  return source;
}
