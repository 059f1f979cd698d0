import { isObject } from '../../../domain/text/is-object.ts';
import { linearPattern } from './linear-pattern.ts';
import { placeOf } from './map-misfits.ts';
import { mapSchemasIn, schemasIn } from './schema-places.ts';

type Schema = Readonly<Record<string, unknown>>;

const REFERENCES = ['$ref', '$dynamicRef', '$recursiveRef'];

export interface RelaxedSchema {
  readonly schema: Schema;
  /** Where the patterns are that no value is held against, for example `properties.zip.pattern`. Empty: all are. */
  readonly unchecked: readonly string[];
}

/**
 * Takes the patterns that have no linear form out of a schema. Everything that the schema then still refuses, it refused
 * before: keywords are taken out with them where a missing pattern could make a fitting value wrong (`not`, `if`, `oneOf`,
 * what speaks of members that nothing else does).
 *
 * Patterns in places that no keyword of JSON Schema makes a schema are not found; compiling them throws.
 */
export function relaxSchema(schema: Schema): RelaxedSchema {
  const unchecked: string[] = [];
  walk(schema, [], (object, names) => {
    for (const name of patternsWithout(object)) unchecked.push(placeOf([...names, ...name]));
  });
  return { schema: unchecked.length === 0 ? schema : (relaxed(schema) as Schema), unchecked };
}

/** The places of the patterns in this very schema that have no linear form. */
function patternsWithout(schema: Schema): string[][] {
  const places: string[][] = [];
  if (!isLinear(schema['pattern'])) places.push(['pattern']);
  const { patternProperties } = schema as { patternProperties?: unknown };
  const patterns = isObject(patternProperties) ? Object.keys(patternProperties) : [];
  if (!patterns.every(isLinear)) places.push(['patternProperties']);
  return places;
}

function isLinear(pattern: unknown): boolean {
  return typeof pattern !== 'string' || linearPattern(pattern) !== null;
}

/** Calls a function with every schema in a schema, itself first. */
function walk(
  schema: unknown,
  names: readonly string[],
  visit: (schema: Schema, names: readonly string[]) => void,
): void {
  if (!isObject(schema)) return;
  visit(schema, names);
  for (const [keyword, value] of Object.entries(schema)) {
    for (const [name, inner] of schemasIn(keyword, value)) walk(inner, [...names, keyword, ...name], visit);
  }
}

function relaxed(schema: unknown): unknown {
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).flatMap(([keyword, value]) =>
    relaxedKeyword(keyword, value, schema),
  );
  const result = Object.fromEntries(entries);
  const { oneOf } = schema as { oneOf?: unknown };
  if (Array.isArray(oneOf) && isTainted(oneOf)) {
    const allOf = Array.isArray(result['allOf']) ? result['allOf'] : [];
    result['allOf'] = [...allOf, { anyOf: oneOf.map(relaxed) }];
  }
  return result;
}

/** What a keyword becomes: itself, with relaxed schemas in it, or nothing. */
function relaxedKeyword(keyword: string, value: unknown, schema: Schema): [string, unknown][] {
  switch (keyword) {
    case 'pattern':
      return isLinear(value) ? [[keyword, value]] : [];
    case 'patternProperties': {
      if (!isObject(value)) return [];
      const kept = Object.entries(value).filter(([pattern]) => isLinear(pattern));
      return [[keyword, Object.fromEntries(kept.map(([pattern, inner]) => [pattern, relaxed(inner)]))]];
    }
    case 'additionalProperties': {
      const { patternProperties } = schema as { patternProperties?: unknown };
      const isComplete = !isObject(patternProperties) || Object.keys(patternProperties).every(isLinear);
      return isComplete ? [[keyword, relaxed(value)]] : [];
    }
    // What counts as evaluated may hang on anything that was taken out, also behind references.
    case 'unevaluatedProperties':
    case 'unevaluatedItems':
      return [];
    case 'not':
      return isTainted(value) ? [] : [[keyword, value]];
    case 'if':
      return isTainted(value) ? [] : [[keyword, value]];
    case 'then':
    case 'else':
      return isTainted(schema['if']) ? [] : [[keyword, relaxed(value)]];
    case 'oneOf':
      return isTainted(value) ? [] : [[keyword, value]];
    case 'maxContains':
      return isTainted(schema['contains']) ? [] : [[keyword, value]];
    default:
      return [[keyword, mapSchemasIn(keyword, value, relaxed)]];
  }
}

/** Whether something is taken out of it, or of what it may refer to. */
function isTainted(value: unknown): boolean {
  let tainted = false;
  const visit = (schema: Schema) => {
    tainted ||= patternsWithout(schema).length > 0 || REFERENCES.some((name) => Object.hasOwn(schema, name));
  };
  for (const schema of Array.isArray(value) ? value : [value]) walk(schema, [], visit);
  return tainted;
}
