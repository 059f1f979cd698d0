import { endOfString } from '../../../domain/text/json-text.ts';

const NUMBER = /-?(?:Infinity|NaN)\b/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones
const CONTROLS = /[\u0000-\u001f]/g;

/**
 * What some servers write in place of JSON, as JSON: numbers that it has not (`NaN`, `-Infinity`) become null, and control
 * characters inside texts are escaped. Takes time linear in the text.
 */
export function repairJson(text: string): string {
  const parts: string[] = [];
  let start = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit === 0x22) {
      const end = endOfString(text, index);
      parts.push(text.slice(start, index), text.slice(index, end + 1).replace(CONTROLS, escaped));
      start = end + 1;
      index = end;
    } else if (unit === 0x2d || unit === 0x49 || unit === 0x4e) {
      NUMBER.lastIndex = index;
      const number = NUMBER.exec(text)?.[0];
      if (number === undefined) continue;
      parts.push(text.slice(start, index), 'null');
      start = index + number.length;
      index = start - 1;
    }
  }
  parts.push(text.slice(start));
  return parts.join('');
}

function escaped(control: string): string {
  return `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
