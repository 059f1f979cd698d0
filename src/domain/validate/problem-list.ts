import type { Problem } from '../../contract/record-types.ts';
import { LIMITS } from './limits.ts';

/** What kinds of problem a request can have. */
export type ProblemCode =
  /** Something that has to be there is not. */
  | 'missing'
  /** Two fields of which only one may be set. */
  | 'conflict'
  /** Set where it has no meaning, so that it would be lost without a word. */
  | 'not_applicable'
  /** None of the words that the field takes. */
  | 'unknown_value'
  /** Not of the form that the field has. */
  | 'invalid_value'
  | 'out_of_range'
  /** More, longer or deeper than the limits. */
  | 'too_large'
  | 'duplicate'
  | 'unparsable_json'
  /** A tool that the request does not define. */
  | 'unknown_tool'
  /** A result of a call that nobody made. */
  | 'unknown_call'
  /** A call without a result. */
  | 'unanswered_call'
  /** A parameter that the model does not take. */
  | 'refused_parameter'
  /** A member of a JSON request that is of another type. */
  | 'wrong_type'
  /** A member of a JSON request that cannot be carried. */
  | 'unknown_member'
  /** Part of the contract, and not of this version of the service. */
  | 'not_supported';

/** Collects what is wrong with a request, in the order in which it was found, up to so many problems as nobody reads. */
export class ProblemList {
  readonly problems: Problem[] = [];

  get isFull(): boolean {
    return this.problems.length >= LIMITS.problems;
  }

  /**
   * @param path where, in the names of the contract, e.g. `messages[2].parts[0].url`
   * @param message what is wrong and the way out, without the path, which stands before it wherever it is told; never
   *   what the caller wrote into a message or a schema
   */
  add(path: string, code: ProblemCode, message: string): void {
    if (!this.isFull) this.problems.push({ path, code, message });
  }
}

/** "a, b or c" */
export function oneOf(words: Iterable<string>): string {
  const list = [...words];
  const last = list.pop() ?? '';
  return list.length === 0 ? last : `${list.join(', ')} or ${last}`;
}

/** A name that somebody chose, as a problem's path has it. */
export function nameInPath(name: string): string {
  return name.length <= LIMITS.nameInPath ? name : `${name.slice(0, LIMITS.nameInPath - 1).toWellFormed()}…`;
}
