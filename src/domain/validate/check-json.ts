import { LIMITS } from './limits.ts';
import type { ProblemList } from './problem-list.ts';

/**
 * Checks JSON text that has to be an object.
 *
 * @returns the object; null if there is a problem
 */
export function checkJsonObject(
  text: string,
  path: string,
  list: ProblemList,
): Readonly<Record<string, unknown>> | null {
  if (text.length > LIMITS.jsonCharacters) {
    list.add(
      path,
      'too_large',
      `it has ${text.length} characters, but at most ${LIMITS.jsonCharacters} are allowed`,
    );
    return null;
  }
  // Checked before parsing and serializing, which use stack for each level.
  if (jsonShape(text).depth > LIMITS.jsonDepth) {
    list.add(path, 'too_large', `it is nested deeper than ${LIMITS.jsonDepth} levels; flatten it`);
    return null;
  }
  const value = parse(text);
  if (value === undefined) list.add(path, 'unparsable_json', 'it is not valid JSON');
  else if (typeof value !== 'object' || value === null || Array.isArray(value))
    list.add(path, 'invalid_value', 'it has to be a JSON object');
  else return value as Readonly<Record<string, unknown>>;
  return null;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** The shape of a JSON text, valid or not. */
export interface JsonShape {
  /** The nesting of objects and arrays. */
  readonly depth: number;
  /** Objects, arrays, members and items. Besides characters, they determine how long parsing takes. */
  readonly size: number;
}

/** Measures a JSON text before it is parsed. */
export function jsonShape(text: string): JsonShape {
  let depth = 0;
  let deepest = 0;
  let size = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (inString) {
      if (code === BACKSLASH) index += 1;
      else if (code === QUOTE) inString = false;
    } else if (code === QUOTE) inString = true;
    else if (code === COMMA || code === COLON) size += 1;
    else if (code === OPENING_BRACE || code === OPENING_BRACKET) {
      size += 1;
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (code === CLOSING_BRACE || code === CLOSING_BRACKET) depth -= 1;
  }
  return { depth: deepest, size };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // The parser's error quotes the text, so it is dropped.
    return undefined;
  }
}
