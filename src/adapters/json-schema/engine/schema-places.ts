import { isObject } from '../../../domain/text/is-object.ts';

/** Keywords whose value is a schema. */
const SINGLE: ReadonlySet<string> = new Set([
  'additionalItems',
  'additionalProperties',
  'contains',
  'contentSchema',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
]);
const LISTS: ReadonlySet<string> = new Set(['allOf', 'anyOf', 'items', 'oneOf', 'prefixItems']);
const MAPS: ReadonlySet<string> = new Set([
  '$defs',
  'definitions',
  'dependencies',
  'dependentSchemas',
  'patternProperties',
  'properties',
]);

/** The schemas in a keyword's value, each with its place there. */
export function schemasIn(keyword: string, value: unknown): [string[], unknown][] {
  if (Array.isArray(value)) {
    return LISTS.has(keyword) ? value.map((inner, index) => [[String(index)], inner]) : [];
  }
  if (MAPS.has(keyword) && isObject(value)) {
    return Object.entries(value).map(([name, inner]) => [[name], inner]);
  }
  return SINGLE.has(keyword) ? [[[], value]] : [];
}

/** A keyword's value with each schema in it replaced. */
export function mapSchemasIn(keyword: string, value: unknown, map: (schema: unknown) => unknown): unknown {
  if (Array.isArray(value)) return LISTS.has(keyword) ? value.map(map) : value;
  if (MAPS.has(keyword) && isObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, map(inner)]));
  }
  return SINGLE.has(keyword) ? map(value) : value;
}
