import type { CheckResult, SchemaVerdict, ValueToCheck } from '../../../ports/schemas.ts';

/** What is said between the service and the process that checks. All of it is plain. */

export interface ItemToRun {
  /** Which schema; null where the value has none. */
  readonly schemaId: number | null;
  /** Only where the process may not know it. */
  readonly schemaJson: string | null;
  /** Null: only the verdict about the schema is asked for. */
  readonly value: Omit<ValueToCheck, 'schemaJson'> | null;
}

/** Items of one request. */
export interface JobToRun {
  readonly items: readonly ItemToRun[];
  /** What all of them may take. */
  readonly limitMs: number;
}

export interface ItemResult {
  /** Null where there is no schema, or the process does not know it: then nothing was done. */
  readonly verdict: SchemaVerdict | null;
  /** Null where no value was given. */
  readonly check: CheckResult | null;
  /** Whether the check was ended because it took too long or too much. */
  readonly overran: boolean;
}

export interface JobResult {
  /** Of the first items; the others were not begun. */
  readonly results: readonly ItemResult[];
  readonly ranMs: number;
  /** The processor time of those items that were slow, in milliseconds. */
  readonly slowMs: number;
}

/** The first jobs of a batch; the others were not begun. */
export type BatchResult = readonly JobResult[];

export type ChildMessage = { readonly kind: 'ready' } | { readonly kind: 'done'; readonly jobs: BatchResult };
