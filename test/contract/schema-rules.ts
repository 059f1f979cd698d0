import { parseSchema } from '../../src/adapters/avro/parse-schema.ts';

interface NamedSchema {
  type: 'record' | 'enum';
  name: string;
  namespace?: string;
  doc?: string;
  symbols?: string[];
  default?: string;
  fields?: { name: string; type: SchemaJson; doc?: string; default?: unknown }[];
}
type NestedSchema =
  | NamedSchema
  | { type: 'array'; items: SchemaJson }
  | { type: 'map'; values: SchemaJson }
  | { type: 'bytes' | 'long'; logicalType: string; precision?: number; scale?: number };
export type SchemaJson = string | SchemaJson[] | NestedSchema;

type Visit = (schema: SchemaJson, path: string) => void;

/** Calls `visit` for `schema` and everything in it, in reading order. */
export function walk(schema: SchemaJson, visit: Visit, path = ''): void {
  visit(schema, path);
  if (typeof schema === 'string') return;
  if (Array.isArray(schema)) for (const branch of schema) walk(branch, visit, path);
  else if ('items' in schema) walk(schema.items, visit, path);
  else if ('values' in schema) walk(schema.values, visit, path);
  else if ('fields' in schema) {
    for (const field of schema.fields ?? []) walk(field.type, visit, `${schema.name}.${field.name}`);
  }
}

export function isNamed(schema: SchemaJson): schema is NamedSchema {
  return typeof schema === 'object' && 'name' in schema;
}

/** The named types in `schema` by name, with references replaced by what they refer to. Fails on recursion. */
export function expandedTypes(schema: SchemaJson): Map<string, string> {
  const definitions = new Map<string, NamedSchema>();
  walk(schema, (nested) => void (isNamed(nested) && definitions.set(nested.name, nested)));
  const expand = (nested: SchemaJson, within: string[]): unknown => {
    if (typeof nested === 'string') {
      const definition = definitions.get(nested.split('.').at(-1) ?? '');
      return definition ? expand(definition, within) : nested;
    }
    if (Array.isArray(nested)) return nested.map((branch) => expand(branch, within));
    if ('items' in nested) return { ...nested, items: expand(nested.items, within) };
    if ('values' in nested) return { ...nested, values: expand(nested.values, within) };
    if (!isNamed(nested)) return nested;
    if (within.includes(nested.name)) throw new Error(`${nested.name} contains itself`);
    const fields = nested.fields?.map((field) => ({
      ...field,
      type: expand(field.type, [...within, nested.name]),
    }));
    const { namespace: _, ...rest } = nested;
    return fields ? { ...rest, fields } : rest;
  };
  return new Map(
    [...definitions].map(([name, definition]) => [name, JSON.stringify(expand(definition, []))]),
  );
}

/** The violations of the contract's rules within one file. */
export function ruleViolations(schema: SchemaJson): string[] {
  const problems: string[] = [];
  walk(schema, (nested, path) => {
    if (Array.isArray(nested) && !(nested.length === 2 && nested[0] === 'null')) {
      problems.push(`${path}: a union other than [null, T]`);
    }
    if (!isNamed(nested)) return;
    if (!nested.doc) problems.push(`${nested.name}: no doc`);
    if (nested.symbols && (nested.symbols[0] !== 'UNKNOWN' || nested.default !== 'UNKNOWN')) {
      problems.push(`${nested.name}: does not begin with and default to UNKNOWN`);
    }
    for (const field of nested.fields ?? []) {
      if (!field.doc) problems.push(`${nested.name}.${field.name}: no doc`);
      if (Array.isArray(field.type) && field.default !== null) {
        problems.push(`${nested.name}.${field.name}: nullable, but its default is not null`);
      }
    }
  });
  return problems;
}

/** The reasons why two versions cannot be read as each other. */
export function incompatibilities(older: SchemaJson, newer: SchemaJson): string[] {
  const [left, right] = [parseSchema(JSON.stringify(older)), parseSchema(JSON.stringify(newer))];
  const problems = [
    [left, right],
    [right, left],
  ].flatMap(([reader, writer]) => {
    try {
      if (reader && writer) reader.createResolver(writer);
      return [];
    } catch (error) {
      return [(error as Error).message];
    }
  });
  const [before, after] = [fixedAttributes(older), fixedAttributes(newer)];
  for (const [what, value] of before) {
    if (after.has(what) && after.get(what) !== value) {
      problems.push(`${what} changed from ${value} to ${after.get(what)}`);
    }
  }
  return problems;
}

/** Differences that registries do not check but that readers rely on. */
function fixedAttributes(schema: SchemaJson): Map<string, string> {
  const attributes = new Map<string, string>();
  walk(schema, (nested, path) => {
    if (typeof nested === 'object' && 'logicalType' in nested) {
      attributes.set(`logical type of ${path}`, JSON.stringify(nested));
    }
    if (!isNamed(nested)) return;
    attributes.set(`default of ${nested.name}`, String(nested.default));
    for (const field of nested.fields ?? []) {
      attributes.set(`default of ${nested.name}.${field.name}`, String(JSON.stringify(field.default)));
    }
  });
  return attributes;
}
