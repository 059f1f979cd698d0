import type { ErrorObject } from 'ajv';
import type { Problem } from '../../../contract/record-types.ts';

const MAX_PATH_CHARACTERS = 200;
const MAX_NAME_CHARACTERS = 64;
const MAX_EXPECTED_CHARACTERS = 120;
const MAX_MESSAGE_CHARACTERS = 400;
const MAX_ALLOWED_VALUES = 8;

const codeOfKeyword: Readonly<Record<string, string>> = {
  required: 'missing_required',
  dependentRequired: 'missing_required',
  dependencies: 'missing_required',
  additionalProperties: 'unexpected_property',
  unevaluatedProperties: 'unexpected_property',
  propertyNames: 'unexpected_property',
  'false schema': 'unexpected_property',
  type: 'wrong_type',
  enum: 'wrong_value',
  const: 'wrong_value',
  pattern: 'wrong_format',
  format: 'wrong_format',
  minimum: 'out_of_bounds',
  maximum: 'out_of_bounds',
  exclusiveMinimum: 'out_of_bounds',
  exclusiveMaximum: 'out_of_bounds',
  multipleOf: 'out_of_bounds',
  minLength: 'out_of_bounds',
  maxLength: 'out_of_bounds',
  minItems: 'out_of_bounds',
  maxItems: 'out_of_bounds',
  minProperties: 'out_of_bounds',
  maxProperties: 'out_of_bounds',
};

/** Keywords that say only that something below them does not fit. */
const summaries: ReadonlySet<string> = new Set(['anyOf', 'oneOf', 'if', 'propertyNames']);
/** Keywords that distinguish the alternatives of a union. */
const expectations: ReadonlySet<string> = new Set(['type', 'enum', 'const']);

/**
 * Ajv's errors as problems, in its order: where, which kind, and what was expected. What the value is
 * stays out of the message.
 *
 * @param value what was checked: distinguishes list positions from names
 * @param root how every path begins, for example `arguments`
 */
export function mapMisfits(
  errors: readonly ErrorObject[] | null | undefined,
  value: unknown,
  root: string,
  limit: number,
): Problem[] {
  const problems: Problem[] = [];
  for (const error of withoutSummaries(errors ?? [])) {
    if (problems.length === limit) break;
    const path = pathOf(error, value, root);
    const message = clip(`${path} ${messageOf(error)}`, MAX_MESSAGE_CHARACTERS);
    const repeated = problems.some((problem) => problem.path === path && problem.message === message);
    if (!repeated) problems.push({ path, code: codeOfKeyword[error.keyword] ?? 'does_not_fit', message });
  }
  return problems;
}

/**
 * A union's error comes after those of its alternatives. When an alternative was right but for something inside of it,
 * that is what to tell; when none was, the union alone, with everything it would have taken.
 */
function withoutSummaries(errors: readonly ErrorObject[]): ErrorObject[] {
  const kept: ErrorObject[] = [];
  for (const error of errors) {
    if (!summaries.has(error.keyword) || passesTwice(error)) {
      kept.push(error);
      continue;
    }
    const start = kept.findLastIndex((before) => !isBelow(before, error)) + 1;
    const alternatives = kept.splice(start);
    const inside =
      error.keyword === 'propertyNames' ? [] : alternatives.filter((one) => !isExpectation(one, error));
    if (inside.length > 0) kept.push(...inside);
    else kept.push(summarized(error, alternatives));
  }
  return kept;
}

/** A union of nothing but types is a type. */
function summarized(union: ErrorObject, alternatives: readonly ErrorObject[]): ErrorObject {
  if (alternatives.length > 0 && alternatives.every(({ keyword }) => keyword === 'type')) {
    return {
      ...union,
      keyword: 'type',
      params: { type: alternatives.flatMap(({ params }) => params['type']) },
    };
  }
  const expected = alternatives.filter(({ keyword }) => expectations.has(keyword)).map(expectedBy);
  return { ...union, params: { ...union.params, expected } };
}

/** More than one alternative of a `oneOf` fits: there is nothing below it to tell. */
function passesTwice({ keyword, params }: ErrorObject): boolean {
  return keyword === 'oneOf' && params['passingSchemas'] !== null;
}

/**
 * Errors behind a reference do not say which reference it was, so the place in the value decides. Only what is beside the
 * union in the same schema, and looked at before it, is a problem of its own.
 */
function isBelow({ instancePath, schemaPath, keyword }: ErrorObject, union: ErrorObject): boolean {
  if (instancePath !== union.instancePath && !instancePath.startsWith(`${union.instancePath}/`)) return false;
  const parent = union.schemaPath.slice(0, union.schemaPath.lastIndexOf('/'));
  return parent === '#' || schemaPath !== `${parent}/${keyword}`;
}

function isExpectation(error: ErrorObject, union: ErrorObject): boolean {
  return expectations.has(error.keyword) && error.instancePath === union.instancePath;
}

function messageOf(error: ErrorObject): string {
  const { keyword, params } = error;
  switch (keyword) {
    case 'required':
    case 'dependentRequired':
    case 'dependencies':
      return 'is missing';
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return 'is not a property of the schema';
    case 'false schema':
      return 'is not allowed by the schema';
    case 'propertyNames':
      return 'has a name that the schema does not allow';
    case 'type':
    case 'enum':
    case 'const':
      return `must be ${expectedBy(error)}`;
    case 'anyOf':
    case 'oneOf':
      return passesTwice(error)
        ? 'fits more than one of the alternatives'
        : `must be ${either(params['expected'])}`;
    case 'pattern':
      return `must match the pattern ${clip(String(params['pattern']), MAX_EXPECTED_CHARACTERS)}`;
    case 'not':
      return 'is what the schema excludes';
    default:
      return String(error.message);
  }
}

function expectedBy({ keyword, params }: ErrorObject): string {
  if (keyword === 'type') return either([params['type']].flat().map(String));
  const allowed = keyword === 'const' ? [params['allowedValue']] : (params['allowedValues'] as unknown[]);
  const texts = allowed.slice(0, MAX_ALLOWED_VALUES).map((one) => JSON.stringify(one));
  const more = allowed.length > texts.length ? ` and ${allowed.length - texts.length} more` : '';
  return `${texts.length > 1 ? 'one of ' : ''}${clip(texts.join(', '), MAX_EXPECTED_CHARACTERS)}${more}`;
}

function either(expected: readonly string[]): string {
  return [...new Set(expected)].join(' or ');
}

function pathOf({ instancePath, params }: ErrorObject, value: unknown, root: string): string {
  const names = instancePath
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  // Ajv is at the object; the problem is with its member.
  const member =
    params['missingProperty'] ??
    params['additionalProperty'] ??
    params['unevaluatedProperty'] ??
    params['propertyName'];
  if (typeof member === 'string') names.push(member);
  let path = root;
  let place = value;
  for (const name of names) {
    path += step(name, Array.isArray(place), path === '');
    place = typeof place === 'object' && place !== null ? (place as Record<string, unknown>)[name] : null;
    if (path.length > MAX_PATH_CHARACTERS) return clip(path, MAX_PATH_CHARACTERS);
  }
  return path;
}

/** A place in a schema, written like a path in a value. */
export function placeOf(names: readonly string[]): string {
  let path = '';
  for (const name of names) {
    path += step(name, /^[0-9]{1,9}$/.test(name), path === '');
    if (path.length > MAX_PATH_CHARACTERS) return clip(path, MAX_PATH_CHARACTERS);
  }
  return path;
}

function step(name: string, inList: boolean, first: boolean): string {
  if (inList) return `[${name}]`;
  if (/^[\p{L}_$][\p{L}\p{N}_$-]{0,63}$/u.test(name)) return first ? name : `.${name}`;
  return `[${JSON.stringify(clip(name, MAX_NAME_CHARACTERS))}]`;
}

/** The beginning of a text that may be long. */
export function clip(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1).toWellFormed()}…`;
}
