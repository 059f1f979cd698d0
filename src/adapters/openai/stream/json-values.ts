import { endOfString } from '../../../domain/text/json-text.ts';

/** More values in one text are not looked for. */
const MOST_VALUES = 65_536;

/**
 * The JSON objects and lists that a text consists of, as texts: nearly always one, but some servers write one per chunk. What
 * stands between them is left out. A value that does not end goes to the end of the text, and so does a text without values.
 */
export function jsonValues(text: string): string[] {
  const values: string[] = [];
  let start = -1;
  let depth = 0;
  for (let index = 0; index < text.length && values.length < MOST_VALUES; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit === 0x22 && depth > 0) index = endOfString(text, index);
    else if (unit === 0x7b || unit === 0x5b) {
      if (depth === 0) start = index;
      depth += 1;
    } else if ((unit === 0x7d || unit === 0x5d) && depth > 0) {
      depth -= 1;
      if (depth === 0) values.push(text.slice(start, index + 1));
    }
  }
  if (depth > 0) values.push(text.slice(start));
  return values.length === 0 ? [text] : values;
}
