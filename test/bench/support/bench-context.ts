import type { Pids } from './measure.ts';

/** What every section is told. */
export interface BenchContext {
  readonly quick: boolean;
  /** Broker and database, as far as their processes are known. */
  readonly servers: Pids;
  /** Tells what is going on. */
  readonly say: (line: string) => void;
}

/** A section's result: for people and for programs. */
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
