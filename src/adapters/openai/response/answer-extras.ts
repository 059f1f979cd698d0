import type { WireObject } from '../wire/wire.ts';
import { ANSWER, type AnswerIndexes } from './answer-indexes.ts';

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
  /** Names of members that are not taken yet. */
  readonly #changed = new Set<string>();

  /**
   * @returns the length of the new or changed members, as JSON
   * @throws LimitExceeded
   */
  note(chunk: WireObject, indexes: AnswerIndexes): number {
    let length = 0;
    for (const name in chunk) {
      const value = chunk[name];
      if (KNOWN.has(name) || value === null || value === undefined) continue;
      indexes.noteName(ANSWER, name);
      const json = JSON.stringify(value);
      if (this.#last.get(name) === json) continue;
      this.#last.set(name, json);
      this.#changed.add(name);
      length += name.length + json.length;
    }
    return length;
  }

  /** Whether there are members to take. */
  get hasNew(): boolean {
    return this.#changed.size > 0;
  }

  /** The members that are new or have changed since the last time, as a JSON object; null if there are none. */
  takeNew(): string | null {
    if (!this.hasNew) return null;
    const members = [...this.#changed].map((name) => `${JSON.stringify(name)}:${this.#last.get(name)}`);
    this.#changed.clear();
    return `{${members.join(',')}}`;
  }
}
