import { isObject } from '../../../domain/text/is-object.ts';

/** Indexes that are not numbers are distinguished by this many characters. */
const NAME_CHARACTERS = 32;

/** The `index` of an entry of a list, as it came, but a number that came as text. */
export function indexOf(entry: unknown): unknown {
  const index = isObject(entry) ? entry['index'] : undefined;
  return typeof index === 'string' && /^\d{1,4}$/.test(index) ? Number(index) : index;
}

/** A text for an index that is no usable one. Lists and objects are all one name: turning them into text may throw. */
export function nameOfIndex(value: unknown): string {
  return typeof value === 'object' ? 'object' : String(value).slice(0, NAME_CHARACTERS);
}
