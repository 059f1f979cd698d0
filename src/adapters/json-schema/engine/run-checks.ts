import { notAnObject } from '../../../domain/failures/answer-problems.ts';
import { isObject } from '../../../domain/text/is-object.ts';
import type { CheckResult, SchemaVerdict, ValueToCheck } from '../../../ports/schemas.ts';
import type { BatchResult, ItemResult, ItemToRun, JobToRun } from './checker-protocol.ts';
import { type Compiled, type CompiledSchema, compileSchema, startOver } from './compile-schema.ts';
import { NotCheckable } from './linear-pattern.ts';
import { mapMisfits } from './map-misfits.ts';
import { SchemaCache } from './schema-cache.ts';
import { isTimeout, processorMs, withTimeLimit } from './time-limit.ts';

/** After so long a process reports what it has done; what is left waits for its turn again. */
const TURN_MS = 20;
/** An item that takes more of the processor is charged to its tenant. */
const SLOW_MS = 20;
/** Ajv takes seconds for a few kinds of schemas that are small. */
const COMPILE_LIMIT_MS = 300;
const CHECK_LIMIT_MS = 250;
const MAX_MISFITS = 8;
/** Characters of schema times characters of value that are worked through in a millisecond or two. */
const QUICK_PRODUCT = 2_000_000;
/** The same, where all errors together could need more memory than there is. */
const ALL_ERRORS_PRODUCT = 20_000_000;
/** What can take longer than the sizes tell, and escapes, which could spell it. */
const SLOW_KEYWORDS =
  /\\u|"(?:pattern|patternProperties|format|uniqueItems|\$(?:ref|dynamicRef|recursiveRef))"/;
const COMPILED_LIMITS = { maxEntries: 500, maxCharacters: 16_000_000 };

interface KnownSchema {
  readonly text: string;
  /** Whether a check may take longer than the sizes tell. */
  readonly isSlow: boolean;
  readonly compiled: Compiled;
}

/**
 * The work of the process: compiles schemas, keeps them, and holds values against them, each under a time limit that ends
 * everything but V8's own compilers.
 */
export class CheckRunner {
  readonly #schemas = new SchemaCache<KnownSchema, number>(COMPILED_LIMITS, (_id, { text, compiled }) =>
    'validate' in compiled ? text.length + compiled.codeCharacters : text.length,
  );

  /** Works until all is done, or a turn is over. At least the first item is done. */
  run(jobs: readonly JobToRun[]): BatchResult {
    const startedAt = performance.now();
    const isOver = () => performance.now() - startedAt > TURN_MS;
    const done: { results: ItemResult[]; ranMs: number; slowMs: number }[] = [];
    for (const [jobIndex, { items, limitMs }] of jobs.entries()) {
      if (jobIndex > 0 && isOver()) break;
      const jobStartedAt = performance.now();
      const results: ItemResult[] = [];
      let slowMs = 0;
      for (const [itemIndex, item] of items.entries()) {
        if (itemIndex > 0 && isOver()) break;
        const before = processorMs();
        results.push(this.#runItem(item, limitMs - (performance.now() - jobStartedAt)));
        const usedMs = processorMs() - before;
        if (usedMs > SLOW_MS) slowMs += usedMs;
      }
      done.push({ results, ranMs: performance.now() - jobStartedAt, slowMs });
    }
    return done;
  }

  #runItem({ schemaId, schemaJson, value }: ItemToRun, jobLimitMs: number): ItemResult {
    if (schemaId === null) {
      const check = value === null ? null : withoutSchema(value);
      return { verdict: null, check, overran: false };
    }
    const schema = this.#known(schemaId, schemaJson);
    const endsAt = performance.now() + Math.min(jobLimitMs, CHECK_LIMIT_MS);
    if (schema === null) return { verdict: null, check: null, overran: false };
    const verdict = verdictOf(schema.compiled);
    if (value === null) return { verdict, check: null, overran: false };
    if (!('validate' in schema.compiled)) {
      const reason = verdict.kind === 'usable' ? '' : verdict.reason;
      return { verdict, check: { kind: 'not_checked', reason }, overran: false };
    }
    return { verdict, ...this.#check(schemaId, schema, schema.compiled, value, endsAt) };
  }

  /** What becomes of a schema is kept, so it never has less than its whole time. */
  #known(id: number, text: string | null): KnownSchema | null {
    const known = this.#schemas.get(id);
    if (known !== undefined) return known;
    if (text === null) return null;
    const isSlow = SLOW_KEYWORDS.test(text);
    const schema = { text, isSlow, compiled: compile(text, isSlow) };
    this.#schemas.set(id, schema);
    return schema;
  }

  #check(
    id: number,
    schema: KnownSchema,
    compiled: CompiledSchema,
    { text, root }: Omit<ValueToCheck, 'schemaJson'>,
    endsAt: number,
  ): { check: CheckResult; overran: boolean } {
    const json = parse(text);
    if (json === null) return { check: { kind: 'unparsable' }, overran: false };
    const limitMs = endsAt - performance.now();
    const product = schema.text.length * text.length;
    const work = () => {
      const validate = product <= ALL_ERRORS_PRODUCT ? compiled.validate : compiled.validateFirst;
      try {
        return validate(json.value) ? [] : mapMisfits(validate.errors, json.value, root, MAX_MISFITS);
      } finally {
        validate.errors = null;
      }
    };
    const isQuick = product <= QUICK_PRODUCT && !schema.isSlow;
    try {
      if (limitMs <= 0) return { check: notChecked('there was no time left'), overran: false };
      const problems = isQuick ? work() : withTimeLimit(work, limitMs);
      const unchecked = problems.length === 0 ? uncheckedReason(compiled) : null;
      return {
        check: unchecked === null ? { kind: 'checked', problems } : notChecked(unchecked),
        overran: false,
      };
    } catch (error) {
      if (error instanceof NotCheckable) return { check: notChecked(error.message), overran: false };
      // What was interrupted may be left half-done, in the schema's patterns too.
      this.#schemas.delete(id);
      startOver();
      const reason = isTimeout(error) ? 'the check takes too long' : 'the value is nested too deeply';
      return { check: notChecked(reason), overran: true };
    }
  }
}

function compile(text: string, isSlow: boolean): Compiled {
  const schema = parseObject(text);
  if (!('value' in schema)) return schema;
  const compiled = compileSchema(schema.value, COMPILE_LIMIT_MS);
  if (!('validate' in compiled) || !isSlow) return compiled;
  return isEndless(compiled) ? { unusable: 'the schema refers to itself without end' } : compiled;
}

/** Whether it goes round in circles without looking at any part of a value. */
function isEndless({ validate }: CompiledSchema): boolean {
  try {
    withTimeLimit(() => validate({}), CHECK_LIMIT_MS);
    return false;
  } catch (error) {
    if (isTimeout(error)) startOver();
    return error instanceof RangeError;
  } finally {
    validate.errors = null;
  }
}

function verdictOf(compiled: Compiled): SchemaVerdict {
  if ('invalid' in compiled) return { kind: 'invalid', reason: compiled.invalid };
  if ('unusable' in compiled) return { kind: 'unchecked', reason: compiled.unusable };
  const reason = uncheckedReason(compiled);
  return reason === null ? { kind: 'usable' } : { kind: 'unchecked', reason };
}

function uncheckedReason({ unchecked: [first, ...more] }: CompiledSchema): string | null {
  if (first === undefined) return null;
  const others = more.length === 0 ? '' : ` and ${more.length} more`;
  return `the pattern at ${first}${others} cannot be checked`;
}

function withoutSchema({
  text,
  root,
  isObject: mustBeObject,
}: Omit<ValueToCheck, 'schemaJson'>): CheckResult {
  const json = parse(text);
  if (json === null) return { kind: 'unparsable' };
  const fits = !mustBeObject || isObject(json.value);
  return { kind: 'checked', problems: fits ? [] : [notAnObject(root)] };
}

function notChecked(reason: string): CheckResult {
  return { kind: 'not_checked', reason };
}

function parse(text: string): { readonly value: unknown } | null {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null;
  }
}

function parseObject(text: string): { readonly value: Record<string, unknown> } | Compiled {
  let value: unknown;
  try {
    value = JSON.parse(text, withoutStrayNullable);
  } catch (error) {
    return error instanceof RangeError
      ? { unusable: 'the schema is nested too deeply' }
      : { invalid: 'it is not valid JSON' };
  }
  return isObject(value) ? { value } : { invalid: 'it is not a JSON object' };
}

/** OpenAPI's `nullable` is no keyword of JSON Schema; Ajv knows it, but throws where there is no `type` beside it. */
function withoutStrayNullable(_name: string, value: unknown): unknown {
  if (!isObject(value)) return value;
  if (typeof value['nullable'] === 'boolean' && value['type'] === undefined) delete value['nullable'];
  return value;
}
