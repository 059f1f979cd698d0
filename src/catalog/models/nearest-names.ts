const MAX_NAMES = 3;
/** Callers choose names, and a comparison takes time in proportion to the length. */
const MAX_CHARACTERS = 64;

/** The names most similar to one, by edit distance from its start, the nearest first; at most three. */
export function nearestNames(name: string, names: readonly string[]): string[] {
  const start = name.slice(0, MAX_CHARACTERS);
  return names
    .map((candidate) => ({ candidate, distance: editDistance(start, candidate) }))
    .sort((one, other) => one.distance - other.distance || (one.candidate < other.candidate ? -1 : 1))
    .slice(0, MAX_NAMES)
    .map(({ candidate }) => candidate);
}

/** The names that one may be a misspelling of: at most two characters differ. Long names are not compared. */
export function misspelled(name: string, nearest: readonly string[]): string[] {
  if (name.length > MAX_CHARACTERS) return [];
  const most = Math.min(2, Math.floor(name.length / 3));
  return nearest.filter((other) => other.length <= MAX_CHARACTERS && editDistance(name, other) <= most);
}

/**
 * The least number of characters to insert, delete or replace to turn one text into the other.
 *
 * @see https://en.wikipedia.org/wiki/Levenshtein_distance
 */
export function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
