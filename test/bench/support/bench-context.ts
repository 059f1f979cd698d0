import type { Pids } from './measure.ts';

/** Input of every section. */
export interface BenchContext {
  readonly quick: boolean;
  /** Broker and database, if their processes are known. */
  readonly servers: Pids;
  /** Reports progress. */
  readonly say: (line: string) => void;
}

/** A section's result, as text and as data. */
export interface Section {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** How to read it. */
  readonly notes: readonly string[];
  /** Figures at the top level of latest.json. */
  readonly headline: Readonly<Record<string, number | null>>;
  /** Everything. */
  readonly raw: unknown;
}

export function coresText(cores: Readonly<Record<string, number>>): string {
  return Object.entries(cores)
    .map(([name, value]) => `${name} ${value.toFixed(2)}`)
    .join(', ');
}
