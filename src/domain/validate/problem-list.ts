import type { Problem } from '../../contract/record-types.ts';
import { LIMITS } from './limits.ts';

/** The kinds of problem that a request can have. */
export type ProblemCode =
  /** A required value is missing. */
  | 'missing'
  /** Two fields, of which only one may be set. */
  | 'conflict'
  /** Set where it has no meaning, so that it would be ignored silently. */
  | 'not_applicable'
  /** Not one of the words that the field accepts. */
  | 'unknown_value'
  /** Not in the form of the field. */
  | 'invalid_value'
  | 'out_of_range'
  /** More, longer or deeper than the limits allow. */
  | 'too_large'
  | 'duplicate'
  | 'unparsable_json'
  /** A tool that the request does not define. */
  | 'unknown_tool'
  /** A result without its call. */
  | 'unknown_call'
  /** A call without a result. */
  | 'unanswered_call'
  /** A parameter that the model does not accept. */
  | 'refused_parameter'
  /** A member of a JSON request that has another type. */
  | 'wrong_type'
  /** A member of a JSON request that has no place in the contract. */
  | 'unknown_member'
  /** In the contract, but not supported by this version of the service. */
  | 'not_supported';

/** Collects the problems of a request, in the order in which they were found, up to more than anybody reads. */
export class ProblemList {
  readonly problems: Problem[] = [];

  get isFull(): boolean {
    return this.problems.length >= LIMITS.problems;
  }

  /**
   * @param path by the names of the contract, e.g. `messages[2].parts[0].url`
   * @param message what is wrong and what to do. It does not name the path, which always stands before it. It never quotes a
   *   message or a schema of the caller
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

/** A caller's name as it appears in a problem's path. */
export function nameInPath(name: string): string {
  return name.length <= LIMITS.nameInPath ? name : `${name.slice(0, LIMITS.nameInPath - 1).toWellFormed()}…`;
}
