import type { Options, ValidateFunction } from 'ajv';
import { clip, mapMisfits } from './map-misfits.ts';
import { isTimeout, withTimeLimit } from './time-limit.ts';

type RegExpEngine = NonNullable<NonNullable<Options['code']>['regExp']>;
type Schema = Readonly<Record<string, unknown>>;

export type Compiled = { readonly validate: ValidateFunction } | { readonly reason: string };

const DRAFT_07_OR_OLDER = /^https?:\/\/json-schema\.org\/draft-0[3-7]\//;
/** Ajv takes seconds for a few kinds of schemas that are small. */
const COMPILE_LIMIT_MS = 500;
const MAX_REASONS = 3;
const MAX_REASON_CHARACTERS = 300;

/** Patterns are Unicode ones where they can be; many that are written for other languages only work without. */
const lenientRegExp: RegExpEngine = Object.assign(
  (pattern: string, flags: string) => {
    try {
      return new RegExp(pattern, flags);
    } catch {
      return new RegExp(pattern);
    }
  },
  { code: 'lenientRegExp' },
);

/** Keywords and formats that nobody knows are let through, as JSON Schema wants it. */
const lenient: Options = { strict: false, logger: false, validateFormats: true };

let engines: ReturnType<typeof loadEngines> | null = null;

/**
 * Makes a function of a schema that says whether a value fits it. Every schema is compiled by an instance of its own, so
 * that nothing of one (an `$id`, a leftover of a failure) ever reaches another.
 *
 * Draft 2020-12 and draft-07 are told apart by `$schema` and, where there is none or it says something else, by which of
 * them accepts the schema.
 */
export async function compileSchema(schema: Schema): Promise<Compiled> {
  engines ??= loadEngines();
  const newestFirst = await engines;
  const order = DRAFT_07_OR_OLDER.test(String(schema['$schema'])) ? newestFirst.toReversed() : newestFirst;
  const work = (): Compiled => {
    let reason = '';
    for (const { objections, compile } of order) {
      const wrong = objections(schema);
      if (wrong === null) return { validate: compile(schema) };
      reason ||= wrong;
    }
    return { reason };
  };
  try {
    return withTimeLimit(work, COMPILE_LIMIT_MS);
  } catch (error) {
    // What was interrupted may be left half-done in what all schemas share.
    if (isTimeout(error)) engines = null;
    return { reason: reasonOf(error) };
  }
}

/** Loads Ajv when the first schema comes: about 80 ms that a worker without tools never spends. */
async function loadEngines() {
  const [{ Ajv2020 }, { Ajv }, { default: formats }] = await Promise.all([
    import('ajv/dist/2020.js'),
    import('ajv'),
    import('ajv-formats'),
  ]);
  return [Ajv2020, Ajv].map((Engine) => {
    const meta = new Engine(lenient);
    // Ajv compiles the draft's own schema when it first needs it, which must not happen, and be cut short, under a time limit.
    meta.validateSchema({});

    /** What the draft's own schema has against it; null when nothing. */
    const objections = (schema: Schema): string | null => {
      const { $schema: _, ...rest } = schema;
      if (meta.validateSchema(rest) === true) return null;
      const problems = mapMisfits(meta.errors, schema, '', MAX_REASONS);
      return problems.map(({ message }) => message).join('; ');
    };

    const compile = (schema: Schema): ValidateFunction => {
      // `$async` would make a function that answers later, `$schema` was looked at.
      const { $schema: _, $async: __, ...rest } = schema;
      const engine = new Engine({
        ...lenient,
        allErrors: true,
        ownProperties: true,
        meta: false,
        // A large definition would be repeated wherever it is referred to.
        inlineRefs: false,
        validateSchema: false,
        // Optimizing takes longer than most checks that it makes faster.
        code: { regExp: lenientRegExp, optimize: false },
      });
      formats.default(engine);
      // A name of old drafts that Ajv throws at; here it is one of those that nobody knows.
      engine.removeKeyword('id');
      return engine.compile(rest);
    };
    return { objections, compile };
  });
}

function reasonOf(error: unknown): string {
  if (isTimeout(error)) return 'it takes too long to compile; make it simpler';
  if (error instanceof RangeError) return 'it is nested too deeply or has too many parts';
  const { message, missingRef } = error as Error & { readonly missingRef?: string };
  const reference = missingRef === undefined ? null : clip(missingRef, MAX_REASON_CHARACTERS);
  return reference === null
    ? clip(message, MAX_REASON_CHARACTERS)
    : `it refers to ${reference}, which is not in it; references are followed only inside of the schema`;
}
