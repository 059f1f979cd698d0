import type { Problem } from '../contract/record-types.ts';

/** For whom schemas are looked at: tenants take turns. */
export interface SchemaAsker {
  readonly tenantId: string;
  readonly requestId: string;
  /** Ends waiting: what is waited for rejects with its reason. */
  readonly signal: AbortSignal;
}

/**
 * `invalid`: it is not a JSON Schema. `unchecked`: no value, or not all of a value, can be held against it here, or that
 * is not known yet.
 */
export type SchemaVerdict =
  | { readonly kind: 'usable' }
  /** What is wrong with it and where, for the author of the schema. */
  | { readonly kind: 'invalid'; readonly reason: string }
  | { readonly kind: 'unchecked'; readonly reason: string };

/** JSON text that is held against a schema. */
export interface ValueToCheck {
  readonly text: string;
  /** How every path in it begins, for example `arguments`. */
  readonly root: string;
  /** Null: the text only has to be JSON. */
  readonly schemaJson: string | null;
  /** Whether it has to be an object where there is no schema. */
  readonly isObject: boolean;
}

export type CheckResult =
  /** What does not fit: a few problems at most, none of them quoting the value. Empty when it fits. */
  | { readonly kind: 'checked'; readonly problems: readonly Problem[] }
  | { readonly kind: 'unparsable' }
  /** @see SchemaVerdict. The reason quotes at most places of the schema. */
  | { readonly kind: 'not_checked'; readonly reason: string };

/**
 * Schemas from callers: no schema and no value may hang or harm the worker, or hold up other tenants' checks by more than
 * one of its own. Both methods reject with the signal's reason alone, and wait within bounds of the implementation.
 */
export interface SchemaChecker {
  /** Whether these texts are JSON Schemas, in their order. What is not known soon is `unchecked`. */
  verdicts(schemas: readonly string[], asker: SchemaAsker): Promise<readonly SchemaVerdict[]>;
  /** Holds the values of one answer against their schemas, in their order and within one time limit. */
  check(values: readonly ValueToCheck[], asker: SchemaAsker): Promise<readonly CheckResult[]>;
}
