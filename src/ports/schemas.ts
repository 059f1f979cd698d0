import type { Problem } from '../contract/record-types.ts';

/** On whose behalf schemas are checked: tenants take turns. */
export interface SchemaAsker {
  readonly tenantId: string;
  readonly requestId: string;
  /** Ends waiting: pending checks reject with its reason. */
  readonly signal: AbortSignal;
}

/**
 * `invalid`: it is not a JSON Schema. `unchecked`: values cannot be checked against it, or not completely, or that is not
 * known yet.
 */
export type SchemaVerdict =
  | { readonly kind: 'usable' }
  /** What is wrong with it and where, for the author of the schema. */
  | { readonly kind: 'invalid'; readonly reason: string }
  | { readonly kind: 'unchecked'; readonly reason: string };

/** JSON text that is checked against a schema. */
export interface ValueToCheck {
  readonly text: string;
  /** How every path in it begins, for example `arguments`. */
  readonly root: string;
  /** Null: the text only has to be valid JSON. */
  readonly schemaJson: string | null;
  /** Whether it has to be an object if there is no schema. */
  readonly isObject: boolean;
}

export type CheckResult =
  /** A few problems at most, none of them quoting the value. Empty if the value conforms. */
  | { readonly kind: 'checked'; readonly problems: readonly Problem[] }
  | { readonly kind: 'unparsable' }
  /** @see SchemaVerdict. The reason quotes at most places of the schema. */
  | { readonly kind: 'not_checked'; readonly reason: string };

/**
 * Schemas from callers. No schema and no value may hang or harm the worker, or delay other tenants' checks by more than one
 * check. Both methods reject only with the signal's reason. The implementation bounds their waiting.
 */
export interface SchemaChecker {
  /** Whether these texts are JSON Schemas, in their order. A verdict that takes too long is `unchecked`. */
  verdicts(schemas: readonly string[], asker: SchemaAsker): Promise<readonly SchemaVerdict[]>;
  /** Checks the values of one answer against their schemas, in their order and within one time limit. */
  check(values: readonly ValueToCheck[], asker: SchemaAsker): Promise<readonly CheckResult[]>;
}
