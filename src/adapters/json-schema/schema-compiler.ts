import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ValidateFunction } from 'ajv';
import type { JsonValue, SchemaCompiler, UnusableSchema, ValueSchema } from '../../ports.ts';
import { compileSchema } from './compile-schema.ts';
import { mapMisfits } from './map-misfits.ts';
import { type CacheLimits, SchemaCache } from './schema-cache.ts';
import { withTimeLimit } from './time-limit.ts';

/** Far above what a model can make use of; compiling takes about 1 µs for each. */
const MAX_SCHEMA_CHARACTERS = 65_536;
const MAX_MISFITS = 8;
const PROBE_LIMIT_MS = 250;
/** A schema that ran out of time so often is not tried again while it is known. */
const MAX_OVERRUNS = 3;
/** Characters of schema times characters of value that are worked through in a millisecond or two. */
const QUICK_PRODUCT = 10_000_000;
/** What can take longer than the sizes tell, and escapes, which could spell it. */
const SLOW_KEYWORDS =
  /\\u|"(?:pattern|patternProperties|format|uniqueItems|\$(?:ref|dynamicRef|recursiveRef))"/;

const CACHE_LIMITS: CacheLimits = { maxEntries: 500, maxCharacters: 4 * 1024 * 1024 };

/** Compiles schemas with Ajv, keeps them, and bounds what they may take. */
export function createSchemaCompiler(limits: CacheLimits = CACHE_LIMITS): SchemaCompiler {
  const cache = new SchemaCache<Promise<ValueSchema | UnusableSchema>>(limits);
  return {
    compile: (schemaJson) =>
      schemaJson.length > MAX_SCHEMA_CHARACTERS
        ? Promise.resolve({
            reason: `it has ${schemaJson.length} characters, at most ${MAX_SCHEMA_CHARACTERS} are taken`,
          })
        : cache.getOrMake(schemaJson, compile),
  };
}

async function compile(schemaJson: string): Promise<ValueSchema | UnusableSchema> {
  // Several schemas of one request are compiled in turns of their own, so that heartbeats and streams go on between them.
  await nextTurn();
  const schema = parseObject(schemaJson);
  if ('reason' in schema) return schema;
  const compiled = await compileSchema(schema.value);
  if ('reason' in compiled) return compiled;
  const usable = new CompiledSchema(compiled.validate, schemaJson);
  return usable.endless() ? { reason: 'it refers to itself without end' } : usable;
}

class CompiledSchema implements ValueSchema {
  readonly #validate: ValidateFunction;
  readonly #size: number;
  readonly #slow: boolean;
  #overruns = 0;

  constructor(validate: ValidateFunction, schemaJson: string) {
    this.#validate = validate;
    this.#size = schemaJson.length;
    this.#slow = SLOW_KEYWORDS.test(schemaJson);
  }

  misfits({ value, characters }: JsonValue, root: string, limitMs: number) {
    if (this.#overruns >= MAX_OVERRUNS || limitMs <= 0) return null;
    const validate = this.#validate;
    const work = () => (validate(value) ? [] : mapMisfits(validate.errors, value, root, MAX_MISFITS));
    const quick = !this.#slow && this.#size * characters <= QUICK_PRODUCT;
    try {
      return quick ? work() : withTimeLimit(work, limitMs);
    } catch {
      // It took too long, or was too deep for the stack. Whatever else it may be: the answer is paid for, and worth more than
      // its check.
      this.#overruns += 1;
      return null;
    } finally {
      validate.errors = null;
    }
  }

  /** Whether it goes round in circles without looking at any part of a value. */
  endless(): boolean {
    if (!this.#slow) return false;
    try {
      withTimeLimit(() => this.#validate({}), PROBE_LIMIT_MS);
      return false;
    } catch (error) {
      return error instanceof RangeError;
    }
  }
}

function parseObject(text: string): { readonly value: Record<string, unknown> } | UnusableSchema {
  let value: unknown;
  try {
    value = JSON.parse(text, withoutStrayNullable);
  } catch (error) {
    return { reason: error instanceof RangeError ? 'it is nested too deeply' : 'it is not valid JSON' };
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? { value: value as Record<string, unknown> } : { reason: 'it is not a JSON object' };
}

/** OpenAPI's `nullable` is no keyword of JSON Schema; Ajv knows it, but throws where there is no `type` beside it. */
function withoutStrayNullable(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const schema = value as Record<string, unknown>;
  if (typeof schema['nullable'] === 'boolean' && schema['type'] === undefined) delete schema['nullable'];
  return value;
}
