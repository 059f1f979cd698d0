import { RE2JS } from 're2js';
import { SchemaCache } from './schema-cache.ts';
import { translatePattern } from './translate-pattern.ts';

/** A check that cannot be made within limits; whatever was found so far means nothing. */
export class NotCheckable extends Error {}

/** A pattern whose matching takes time in proportion to its text. */
export interface LinearPattern {
  /** @throws {NotCheckable} for text to which the translated pattern does not mean the same */
  test(text: string): boolean;
  /** Another text for each pattern. */
  toString(): string;
}

/** Patterns are asked for several times while a schema is compiled. */
const CACHE_LIMITS = { maxEntries: 64, maxCharacters: 65_536 };
let known = new SchemaCache<LinearPattern | null>(CACHE_LIMITS);

/**
 * Makes a matcher of a caller's pattern without handing the pattern to V8, whose compiler of regular expressions can
 * neither be interrupted nor be kept from ending the process.
 *
 * @returns null for a pattern that has no linear form within limits
 */
export function linearPattern(pattern: string): LinearPattern | null {
  return known.getOrMake(pattern, makePattern);
}

/** Forgets all patterns: matchers build up state, which may be half-done where one was interrupted. */
export function forgetPatterns(): void {
  known = new SchemaCache(CACHE_LIMITS);
}

function makePattern(pattern: string): LinearPattern | null {
  const translated = translatePattern(pattern);
  if (translated === null) return null;
  const { source, codeUnits } = translated;
  const compiled = compile(source);
  if (compiled === null) return null;
  return {
    test: (text) => {
      const same = codeUnits ? !/[\ud800-\udfff]/.test(text) : text.isWellFormed();
      if (!same) throw new NotCheckable('a text has characters that a pattern cannot be matched against');
      return compiled.test(text);
    },
    // Ajv keeps patterns by this text.
    toString: () => `${codeUnits ? '' : 'u'}:${pattern}`,
  };
}

function compile(source: string): RE2JS | null {
  try {
    return RE2JS.compile(source);
  } catch {
    // A limit of the engine, on counted repetitions in each other for example.
    return null;
  }
}
