import type { Random } from '../../faults/random.ts';
import { hostileAnswers } from '../answers/hostile-answers.ts';
import type { RawRecord } from '../wire/raw-record.ts';
import { encodeRecords, recordBatch } from '../wire/record-batch.ts';
import { makeBombs } from './bombs.ts';
import { avro, hostileRecords } from './hostile-records.ts';

const ANSWER = 'answer-';

/** A batch with one hostile record. */
export interface HostileBatch {
  readonly key: string;
  readonly bytes: Buffer;
}

/** All batches of the tenth tenant, by kind. */
export interface HostileBatches {
  readonly kinds: readonly string[];
  /** @param token the record's key and, where possible, its request id */
  make(kind: string, token: string, random: Random): HostileBatch;
}

/**
 * Builds the bombs, which takes seconds.
 *
 * @param only kinds, separated by commas. Empty: all kinds
 * @throws when there is no such kind
 */
export async function hostileBatches(only: string): Promise<HostileBatches> {
  const bombs = await makeBombs();
  const all = [
    ...Object.keys(hostileRecords),
    ...Object.keys(hostileAnswers).map((name) => `${ANSWER}${name}`),
    ...Object.keys(bombs),
  ];
  const kinds = only === '' ? all : only.split(',');
  for (const kind of kinds)
    if (!all.includes(kind)) throw new Error(`unknown kind '${kind}'. The kinds are: ${all.join(', ')}`);
  return {
    kinds,
    make(kind, token, random) {
      const bomb = bombs[kind];
      if (bomb !== undefined)
        return { key: bomb.key, bytes: recordBatch(bomb.records, 1, bomb.compression, Date.now()) };
      const record = hostileRecords[kind]?.(token, random) ?? askFor(kind, token, random);
      const bytes = recordBatch(encodeRecords([record]), 1, 'none', Date.now());
      return { key: record.key?.toString() ?? token, bytes };
    },
  };
}

/** A request whose prompt makes the provider give this answer. */
function askFor(kind: string, token: string, random: Random): RawRecord {
  const { script, stream = true } = hostileAnswers[kind.slice(ANSWER.length)]?.(random) ?? { script: {} };
  const content = JSON.stringify({ standIn: script });
  return avro(token, { stream, messages: [{ role: 'user', content }] });
}
