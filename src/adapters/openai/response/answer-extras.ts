import type { WireObject } from '../wire/wire.ts';
import type { AnswerIndexes } from './answer-indexes.ts';
import { ANSWER } from './answer-indexes.ts';

/** Members of a chunk that have a place elsewhere, or say nothing of the answer. */
const KNOWN: ReadonlySet<string> = new Set([
  'id',
  'object',
  'created',
  'model',
  'choices',
  'usage',
  'service_tier',
  'system_fingerprint',
  'moderation',
  'error',
  'obfuscation',
]);

/** Collects the members of chunks that the contract has no field for. Many servers repeat them in every chunk: only a new value counts. */
export class AnswerExtras {
  readonly #last = new Map<string, string>();

  /**
   * @returns the new or changed members, as a JSON object; null if nothing has changed
   * @throws LimitExceeded
   */
  note(chunk: WireObject, indexes: AnswerIndexes): string | null {
    let added: string[] | null = null;
    for (const name in chunk) {
      const value = chunk[name];
      if (KNOWN.has(name) || value === null || value === undefined) continue;
      indexes.noteName(ANSWER, name);
      const json = JSON.stringify(value);
      if (this.#last.get(name) === json) continue;
      this.#last.set(name, json);
      added ??= [];
      added.push(`${JSON.stringify(name)}:${json}`);
    }
    return added === null ? null : `{${added.join(',')}}`;
  }
}
