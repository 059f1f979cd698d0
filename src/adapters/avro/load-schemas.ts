import { readdirSync, readFileSync } from 'node:fs';
import { RECORD_NAMES, type RecordName } from '../../contract/record-types.ts';

export interface Schemas {
  /** What this version writes and reads: JSON text by record. */
  current: Record<RecordName, string>;
  /** Every version ever released, the current ones included: JSON text. */
  released: string[];
}

/** From `src/adapters/avro` and from `dist/adapters/avro` alike. */
const folder = new URL('../../../schemas/', import.meta.url);

/** Reads the schemas that ship with the package. Call it once at start. */
export function loadSchemas(): Schemas {
  const read = (path: string): string => readFileSync(new URL(path, folder), 'utf8');
  const current = RECORD_NAMES.map((name) => [name, read(`${name}.avsc`)]);
  const released = readdirSync(new URL('released/', folder)).filter((file) => file.endsWith('.avsc'));
  return {
    current: Object.fromEntries(current) as Schemas['current'],
    released: released.map((file) => read(`released/${file}`)),
  };
}
