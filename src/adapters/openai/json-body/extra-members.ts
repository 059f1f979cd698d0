import { isObject } from '../../../domain/text/is-object.ts';
import { parseJsonObject } from '../wire/invalid-request.ts';
import type { WireObject } from '../wire/wire.ts';
import type { ObjectReader } from './object-reader.ts';

/**
 * Members of an object of a request that have no field, as a JSON object. Those of the object inside it stand under its name.
 *
 * @param inner the object inside, which stands under `place`
 * @returns null when nothing says anything
 */
export function readExtra(
  reader: ObjectReader,
  inner: ObjectReader | null = null,
  place = '',
): string | null {
  const outer = saying(reader);
  const nested = inner === null ? [] : saying(inner);
  const members = nested.length === 0 ? outer : [...outer, [place, Object.fromEntries(nested)] as const];
  return members.length === 0 ? null : JSON.stringify(Object.fromEntries(members));
}

/**
 * Adds the members that have no field to an object on its way to the provider. What has a field stands over them.
 *
 * @param place of the object inside it that has members of its own
 * @throws ChatFailure invalid_request
 */
export function withExtra(
  object: WireObject,
  extraJson: string | null,
  path: string,
  place = '',
): WireObject {
  const extra = parseJsonObject(extraJson, path);
  if (extra === null) return object;
  const nested = extra[place];
  const inner = object[place];
  const merged = isObject(nested) && isObject(inner) ? { [place]: { ...nested, ...inner } } : {};
  return { ...extra, ...object, ...merged };
}

/** Without null and empty lists, which say nothing. */
function saying(reader: ObjectReader): readonly (readonly [name: string, value: unknown])[] {
  return reader.rest().filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0));
}
