const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The index of the last quote of the JSON string that starts at `start`; the text's length if it has none. */
export function endOfString(json: string, start: number): number {
  // Nearly all strings have no escaped quote, and a search is faster than a loop.
  const quote = json.indexOf('"', start + 1);
  if (quote === -1) return json.length;
  let before = quote - 1;
  while (json.charCodeAt(before) === BACKSLASH) before -= 1;
  if ((quote - before) % 2 === 1) return quote;
  for (let index = quote + 1; index < json.length; index += 1) {
    const unit = json.charCodeAt(index);
    if (unit === BACKSLASH) index += 1;
    else if (unit === QUOTE) return index;
  }
  return json.length;
}

/**
 * The members of a JSON object as texts, in their order, without parsing the values.
 *
 * @param json an object as `JSON.stringify` writes it
 */
export function membersOfJson(json: string): [name: string, value: string][] {
  const members: [string, string][] = [];
  let index = 1;
  while (json.charCodeAt(index) === QUOTE) {
    const colon = endOfString(json, index) + 1;
    const end = endOfValue(json, colon + 1);
    members.push([JSON.parse(json.slice(index, colon)) as string, json.slice(colon + 1, end)]);
    index = end + 1;
  }
  return members;
}

/** The index after a value: that of the comma or bracket that ends it. */
function endOfValue(json: string, start: number): number {
  let depth = 0;
  for (let index = start; index < json.length; index += 1) {
    switch (json.charCodeAt(index)) {
      case QUOTE:
        index = endOfString(json, index);
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth += 1;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        if (depth === 0) return index;
        depth -= 1;
        break;
      case 0x2c: // ,
        if (depth === 0) return index;
        break;
    }
  }
  return json.length;
}
