import { Ajv, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { boundedFormats } from './bounded-formats.ts';
import { schemaSize } from './code-size.ts';
import { forgetPatterns, linearPattern, NotCheckable } from './linear-pattern.ts';
import { mapMisfits } from './map-misfits.ts';
import { namesOtherDialect, withoutOtherForms } from './other-dialect.ts';
import { relaxSchema } from './relax-schema.ts';
import { isTimeout, withTimeLimit } from './time-limit.ts';

type RegExpEngine = NonNullable<NonNullable<Options['code']>['regExp']>;
type Schema = Readonly<Record<string, unknown>>;

/** Functions that tell whether a value fits, and leave errors where it does not. */
export interface CompiledSchema {
  /** Goes through all of a value. */
  readonly validate: ValidateFunction;
  /** Ends at the first error, where a value is so large that all of them could be too many. */
  readonly validateFirst: ValidateFunction;
  /** The places of patterns that no value is held against. */
  readonly unchecked: readonly string[];
  /** About the size of the code. */
  readonly codeCharacters: number;
}

/** `invalid`: it is not a JSON Schema. `unusable`: it may be one, and cannot be used within limits. */
export type Compiled = CompiledSchema | { readonly invalid: string } | { readonly unusable: string };

const DRAFT_07_OR_OLDER = /^https?:\/\/json-schema\.org\/draft-0[3-7]\//;
/** Twice what a request's validation lets through. */
const MAX_DEPTH = 128;
/** Compiling takes about 50 ns for each. */
const MAX_CODE_CHARACTERS = 4_000_000;
const MAX_REASONS = 3;
const OTHER_DIALECT = 'the schema is written in a dialect that is not checked here, such as draft-04';

/** Patterns never reach V8's regular expressions. */
const linearRegExp: RegExpEngine = Object.assign(
  (pattern: string) => {
    const linear = linearPattern(pattern);
    if (linear === null) throw new NotCheckable('a pattern of the schema cannot be checked');
    return linear;
  },
  { code: 'linearRegExp' },
);

/** Keywords and formats that nobody knows are let through, as JSON Schema wants it. */
const lenient: Options = { strict: false, logger: false, validateFormats: true };
const formatsByName = boundedFormats();

let engines = startEngines();

/**
 * Makes a function of a schema that says whether a value fits it. Every schema is compiled by an instance of its own, so
 * that nothing of one (an `$id`, a leftover of a failure) ever reaches another.
 *
 * Draft 2020-12 and draft-07 are distinguished by `$schema`. If it is missing or names another draft, the one that accepts
 * the schema is used.
 *
 * @param limitMs how long it may take, in milliseconds
 */
export function compileSchema(schema: Schema, limitMs: number): Compiled {
  const { depth, codeCharacters } = schemaSize(schema);
  if (depth > MAX_DEPTH) return { unusable: 'the schema is nested too deeply' };
  if (codeCharacters > MAX_CODE_CHARACTERS) return { unusable: 'the schema has too many parts' };
  const order = DRAFT_07_OR_OLDER.test(String(schema['$schema'])) ? engines.toReversed() : engines;
  const work = (): Compiled => {
    let reason = '';
    for (const { objections, compile } of order) {
      const wrong = objections(schema);
      if (wrong !== null) {
        reason ||= wrong;
        continue;
      }
      const relaxed = relaxSchema(schema);
      const { unchecked } = relaxed;
      const validate = compile(relaxed.schema, true);
      let first: ValidateFunction | null = null;
      return {
        validate,
        get validateFirst() {
          first ??= compile(relaxed.schema, false);
          return first;
        },
        unchecked,
        codeCharacters,
      };
    }
    return isOtherDialect(schema) ? { unusable: OTHER_DIALECT } : { invalid: reason };
  };
  try {
    return withTimeLimit(work, limitMs);
  } catch (error) {
    if (isTimeout(error)) startOver();
    return { unusable: reasonOf(error) };
  }
}

/** Whether the current drafts refuse the schema only for being written in another dialect. */
function isOtherDialect(schema: Schema): boolean {
  if (namesOtherDialect(schema)) return true;
  const current = withoutOtherForms(schema) as Schema;
  return engines.some(({ objections }) => objections(current) === null);
}

/** To be called when work of this module was interrupted: what schemas share may be left half-done. */
export function startOver(): void {
  forgetPatterns();
  engines = startEngines();
}

function startEngines() {
  return [Ajv2020, Ajv].map((Engine) => {
    const meta = new Engine(lenient);
    // Ajv compiles the draft's own schema when it first needs it, which must not happen, and be cut short, under a time limit.
    meta.validateSchema({});

    /** What the draft's own schema has against it; null when nothing. */
    const objections = (schema: Schema): string | null => {
      const { $schema: _, ...rest } = schema;
      if (meta.validateSchema(rest) === true) return null;
      const problems = mapMisfits(meta.errors, schema, '', MAX_REASONS);
      meta.errors = null;
      return problems.map(({ message }) => message).join('; ');
    };

    const compile = (schema: Schema, allErrors: boolean): ValidateFunction => {
      // `$async` would make a function that answers later, `$schema` was looked at.
      const { $schema: _, $async: __, ...rest } = schema;
      const engine = new Engine({
        ...lenient,
        allErrors,
        ownProperties: true,
        meta: false,
        // A large definition would be repeated wherever it is referred to.
        inlineRefs: false,
        validateSchema: false,
        // Optimizing takes longer than most checks that it makes faster.
        code: { regExp: linearRegExp, optimize: false },
      });
      formats.default(engine, { formats: [], keywords: true });
      for (const [name, format] of formatsByName) engine.addFormat(name, format);
      // A name of old drafts that Ajv throws at; here it is one of those that nobody knows.
      engine.removeKeyword('id');
      return engine.compile(rest);
    };
    return { objections, compile };
  });
}

function reasonOf(error: unknown): string {
  if (isTimeout(error)) return 'the schema takes too long to compile';
  if (error instanceof RangeError) return 'the schema is nested too deeply or has too many parts';
  if (error instanceof NotCheckable) return error.message;
  // Ajv's messages quote the schema.
  return error instanceof Error && 'missingRef' in error
    ? 'the schema refers to something that is not in it'
    : 'the schema has keywords that cannot be compiled';
}
