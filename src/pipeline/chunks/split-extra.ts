import { membersOfJson } from '../../domain/text/json-text.ts';
import { utf8Bytes } from './chunk-draft.ts';
import type { Pieces } from './pieces.ts';

/** The most bytes of a UTF-16 unit in JSON: `\u0000`. */
const UNIT_BYTES = 6;

/** Splits an object between its members, and long texts and lists in it. Merging the parts gives the object again. */
export function addExtra(pieces: Pieces, json: string): void {
  const bytes = utf8Bytes(json);
  if (pieces.takeIfFits(bytes)) {
    pieces.current.extraJson = json;
    return;
  }
  for (const [name, value] of membersOfJson(json)) {
    const key = JSON.stringify(name);
    for (const part of partsOf(value, pieces.roomBytes - utf8Bytes(key) - 3))
      addPart(pieces, `{${key}:${part}}`);
  }
}

function addPart(pieces: Pieces, part: string): void {
  if (pieces.current.extraJson !== null) pieces.begin();
  pieces.take('extraJson', utf8Bytes(part));
  pieces.current.extraJson = part;
}

/** The JSON texts of a member's parts, each within a number of bytes if possible. */
function partsOf(value: string, maxBytes: number): string[] {
  if (utf8Bytes(value) <= maxBytes) return [value];
  if (value.startsWith('"')) return partsOfText(JSON.parse(value) as string, maxBytes);
  if (!value.startsWith('[')) return [value];
  return partsOfList(
    (JSON.parse(value) as unknown[]).map((element) => JSON.stringify(element)),
    maxBytes,
  );
}

function partsOfText(text: string, maxBytes: number): string[] {
  const units = Math.max(1, Math.floor((maxBytes - 2) / UNIT_BYTES));
  const parts: string[] = [];
  for (let from = 0; from < text.length; from += units)
    parts.push(JSON.stringify(text.slice(from, from + units)));
  return parts;
}

function partsOfList(elements: readonly string[], maxBytes: number): string[] {
  const parts: string[] = [];
  let taken: string[] = [];
  let bytes = 2;
  for (const element of elements) {
    const more = utf8Bytes(element) + 1;
    if (taken.length > 0 && bytes + more > maxBytes) {
      parts.push(`[${taken.join(',')}]`);
      taken = [];
      bytes = 2;
    }
    taken.push(element);
    bytes += more;
  }
  return [...parts, `[${taken.join(',')}]`];
}
