import type { Problem } from '../../../contract/record-types.ts';
import { isObject } from '../../../domain/text/is-object.ts';
import { LIMITS } from '../../../domain/validate/limits.ts';
import { nameInPath } from '../../../domain/validate/problem-list.ts';
import type { WireObject } from '../wire/wire.ts';

/**
 * Reads the members of a JSON object by their types. What is of another type is a problem with its path and counts as
 * absent; null is absent. It remembers which members were asked for, so that nothing is passed over without a word.
 */
export class ObjectReader {
  readonly path: string;
  readonly #value: WireObject;
  readonly #problems: Problem[];
  readonly #asked = new Set<string>();

  /** @param path of the object in the body; empty for the body itself */
  constructor(value: WireObject, path: string, problems: Problem[]) {
    this.path = path;
    this.#value = value;
    this.#problems = problems;
  }

  /** A member as it is, to decide by its type how it is read; null when it is absent. */
  raw(name: string): unknown {
    return this.#ask(name);
  }

  /** The same without asking for it: it stays among the rest. */
  peek(name: string): unknown {
    return Object.hasOwn(this.#value, name) ? (this.#value[name] ?? null) : null;
  }

  /** Text where it is text; anything else stays among the rest. */
  textIfText(name: string): string | null {
    return isText(this.peek(name)) ? this.text(name) : null;
  }

  text(name: string): string | null {
    return this.#typed(name, isText, 'text');
  }

  /** Text that has to be there. */
  requiredText(name: string): string {
    if (this.#ask(name) === null) this.problem(name, 'missing', 'it is missing');
    return this.text(name) ?? '';
  }

  number(name: string): number | null {
    return this.#typed(name, isNumber, 'a number');
  }

  integer(name: string): number | null {
    return this.#typed(name, isInteger, 'a whole number');
  }

  boolean(name: string): boolean | null {
    return this.#typed(name, isBoolean, 'true or false');
  }

  texts(name: string): string[] {
    return this.#typed(name, isTexts, 'a list of texts') ?? [];
  }

  /** An object whose values are all of one type. */
  textPairs(name: string): Record<string, string> {
    return bare(this.#typed(name, isPairsOf(isText), 'an object of texts'));
  }

  numberPairs(name: string): Record<string, number> {
    return bare(this.#typed(name, isPairsOf(isNumber), 'an object of numbers'));
  }

  /** An object that is carried as JSON text. */
  json(name: string): string | null {
    const value = this.#typed(name, isObject, 'an object');
    return value === null ? null : JSON.stringify(value);
  }

  object(name: string): ObjectReader | null {
    const value = this.#typed(name, isObject, 'an object');
    return value === null ? null : new ObjectReader(value, this.place(name), this.#problems);
  }

  /** A list of objects; anything else in it is a problem and left out. */
  objects(name: string): ObjectReader[] {
    const list = this.#typed(name, isList, 'a list of objects') ?? [];
    return list.flatMap((value, index) => {
      const path = `${this.place(name)}[${index}]`;
      if (isObject(value)) return [new ObjectReader(value, path, this.#problems)];
      this.#tell(wrongType(path, 'an object'));
      return [];
    });
  }

  /** Either text or a list of objects, as the provider takes content. */
  textOrObjects(name: string): { readonly text: string | null; readonly objects: readonly ObjectReader[] } {
    const value = this.#ask(name);
    if (value === null || isText(value)) return { text: value, objects: [] };
    if (isList(value)) return { text: null, objects: this.objects(name) };
    this.problem(name, 'wrong_type', 'it must be text or a list of objects');
    return { text: null, objects: [] };
  }

  /** Members that nobody asked for, as they are. */
  rest(): [name: string, value: unknown][] {
    return Object.entries(this.#value).filter(([name]) => !this.#asked.has(name));
  }

  /** Every member that nobody asked for and that says something is a problem: it could not be carried. */
  refuseRest(): void {
    for (const [name, value] of this.rest()) {
      if (value === null || (isList(value) && value.length === 0)) continue;
      this.problem(name, 'unknown_member', 'it is unknown here and cannot be passed on; leave it out');
    }
  }

  problem(name: string, code: string, message: string): void {
    this.#tell({ path: this.place(name), code, message });
  }

  place(name: string): string {
    const shown = nameInPath(name);
    return this.path === '' ? shown : `${this.path}.${shown}`;
  }

  /** A member's value; null when it is absent. Only its own: a name such as `constructor` is absent everywhere. */
  #ask(name: string): unknown {
    this.#asked.add(name);
    return this.peek(name);
  }

  #typed<T>(name: string, is: (value: unknown) => value is T, type: string): T | null {
    const value = this.#ask(name);
    if (value === null) return null;
    if (is(value)) return value;
    this.#tell(wrongType(this.place(name), type));
    return null;
  }

  /** More than so many are read by nobody: the request is refused for the first ones. */
  #tell(problem: Problem): void {
    if (this.#problems.length < LIMITS.problems) this.#problems.push(problem);
  }
}

function wrongType(path: string, type: string): Problem {
  return { path, code: 'wrong_type', message: `it must be ${type}` };
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isInteger = (value: unknown): value is number => Number.isInteger(value);
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isList = (value: unknown): value is unknown[] => Array.isArray(value);
const isTexts = (value: unknown): value is string[] => isList(value) && value.every(isText);

/** Without a prototype, as the maps of Avro: every name is somebody's, none is JavaScript's. */
function bare<T>(pairs: Readonly<Record<string, T>> | null): Record<string, T> {
  const read = Object.create(null) as Record<string, T>;
  for (const name of Object.keys(pairs ?? {})) read[name] = pairs?.[name] as T;
  return read;
}

function isPairsOf<T>(is: (value: unknown) => value is T) {
  return (value: unknown): value is Record<string, T> => isObject(value) && Object.values(value).every(is);
}
