import { isObject } from '../../../domain/text/is-object.ts';
import { mapSchemasIn } from './schema-places.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Dialects whose schemas are looked at here. Fragments and the choice of http or https do not matter. */
const KNOWN_DIALECT = /^https?:\/\/json-schema\.org\/(?:draft-0[67]|draft\/20(?:19-09|20-12))\/schema#?$/;
/** Values of these may be null. */
const LITERALS: ReadonlySet<string> = new Set(['const', 'default', 'enum', 'examples']);
/** They say nothing about a value. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  '$comment',
  'deprecated',
  'description',
  'examples',
  'readOnly',
  'title',
  'writeOnly',
]);
const TYPES: ReadonlySet<string> = new Set([
  'array',
  'boolean',
  'integer',
  'null',
  'number',
  'object',
  'string',
]);

/** Whether a schema says that it is written in a dialect that is not known here. */
export function namesOtherDialect({ $schema }: Schema): boolean {
  return typeof $schema === 'string' && !KNOWN_DIALECT.test($schema);
}

/**
 * A schema without the forms that older drafts, OpenAPI and generators of schemas have and the current drafts do not: boolean
 * `exclusiveMinimum` and `exclusiveMaximum` (draft-04), boolean `required` and type `any` (draft-03), types in capitals, null for
 * what is left out, annotations of other types. If nothing else is wrong with it, it is a schema of another dialect.
 */
export function withoutOtherForms(schema: unknown): unknown {
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).flatMap(([keyword, value]): [string, unknown][] => {
    const isLeftOut = value === null && !LITERALS.has(keyword);
    if (isLeftOut || ANNOTATIONS.has(keyword) || isOlderForm(keyword, value)) return [];
    if (keyword === 'type') return typeEntry(value);
    return [[keyword, mapSchemasIn(keyword, value, withoutOtherForms)]];
  });
  return Object.fromEntries(entries);
}

function isOlderForm(keyword: string, value: unknown): boolean {
  if (typeof value !== 'boolean') return false;
  return keyword === 'exclusiveMinimum' || keyword === 'exclusiveMaximum' || keyword === 'required';
}

function typeEntry(type: unknown): [string, unknown][] {
  if (Array.isArray(type)) {
    // draft-03 takes schemas among the names.
    const names = type.filter((one) => !isObject(one) && one !== 'any').map(currentType);
    return names.length === 0 ? [] : [['type', names]];
  }
  return type === 'any' ? [] : [['type', currentType(type)]];
}

function currentType(type: unknown): unknown {
  const name = typeof type === 'string' ? type.toLowerCase() : '';
  return TYPES.has(name) ? name : type;
}
