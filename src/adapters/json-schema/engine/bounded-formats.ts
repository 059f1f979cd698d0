import type { Format } from 'ajv';
import { formatNames, fullFormats } from 'ajv-formats/dist/formats.js';
import { linearPattern, NotCheckable } from './linear-pattern.ts';

/** Far above what a date, an address or a name has. Some formats take time by the square of it. */
const MAX_CHARACTERS = 4_096;
/** Formats of any text, and of data, whose expression is linear. */
const UNBOUNDED: ReadonlySet<string> = new Set(['byte', 'binary', 'password']);

/** Ajv's formats, for text that is not too long, by name. */
export function boundedFormats(): Map<string, Format> {
  const formats = new Map<string, Format>();
  for (const name of formatNames)
    formats.set(name, UNBOUNDED.has(name) ? fullFormats[name] : bounded(fullFormats[name]));
  // Ajv's would hand the text to V8 as a regular expression.
  formats.set('regex', withLimit(isPattern));
  return formats;
}

function bounded(format: Format): Format {
  if (typeof format === 'function') return withLimit(format);
  if (format instanceof RegExp) return withLimit((text) => format.test(text));
  if (typeof format !== 'object' || format.type === 'number' || format.async === true) return format;
  const { validate } = format;
  if (typeof validate !== 'function') return format;
  return { ...format, validate: withLimit(validate as (text: string) => boolean) } as Format;
}

function withLimit(validate: (text: string) => boolean): (text: string) => boolean {
  return (text) => {
    if (text.length > MAX_CHARACTERS)
      throw new NotCheckable('a text is too long for its format to be checked');
    return validate(text);
  };
}

/** @throws {NotCheckable} when it has no linear form, and may or may not be a pattern */
function isPattern(text: string): boolean {
  if (linearPattern(text) === null)
    throw new NotCheckable('a text cannot be checked for being a regular expression');
  return true;
}
