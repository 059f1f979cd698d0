import { createSchemaCompiler } from '../../../src/adapters/json-schema/schema-compiler.ts';

export const schemas = createSchemaCompiler();
export const LIMIT_MS = 10_000;

/** What of a value does not fit a schema, which has to be one. */
export async function misfits(schema: unknown, value: unknown, limitMs = LIMIT_MS) {
  const compiled = await schemas.compile(JSON.stringify(schema));
  if ('reason' in compiled) throw new Error(compiled.reason);
  return compiled.misfits({ value, characters: JSON.stringify(value).length }, 'arguments', limitMs);
}

/** A schema of objects. */
export const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });
