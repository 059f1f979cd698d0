import { answerLimits, LimitExceeded } from '../wire/answer-limits.ts';
import type { WireObject } from '../wire/wire.ts';

const MAX = answerLimits.jsonPieceCharacters;

/**
 * An object of lists as JSON texts of limited size, each an object with a part of it. Merged, they are the object again.
 *
 * @throws LimitExceeded when one entry is larger
 */
export function divideLists(lists: WireObject): readonly string[] {
  const whole = JSON.stringify(lists);
  if (whole.length <= MAX) return [whole];
  const parts: string[] = [];
  for (const [name, value] of Object.entries(lists)) {
    const key = JSON.stringify(name);
    const jsons = Array.isArray(value)
      ? listsOf(value.map((entry) => JSON.stringify(entry)))
      : [JSON.stringify(value)];
    for (const json of jsons) {
      if (key.length + json.length > 2 * MAX) throw new LimitExceeded('jsonPieceCharacters');
      parts.push(`{${key}:${json}}`);
    }
  }
  return parts;
}

/** JSON lists of limited size with these entries, in order. A larger entry has a list of its own. */
export function listsOf(entries: readonly string[]): readonly string[] {
  const lists: string[] = [];
  let part: string[] = [];
  let characters = 0;
  for (const entry of entries) {
    if (part.length > 0 && characters + entry.length > MAX) {
      lists.push(`[${part.join(',')}]`);
      part = [];
      characters = 0;
    }
    part.push(entry);
    characters += entry.length + 1;
  }
  lists.push(`[${part.join(',')}]`);
  return lists;
}
