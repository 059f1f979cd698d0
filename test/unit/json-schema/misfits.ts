import type { ItemResult } from '../../../src/adapters/json-schema/engine/checker-protocol.ts';
import { CheckRunner } from '../../../src/adapters/json-schema/engine/run-checks.ts';
import type { CheckResult, SchemaVerdict } from '../../../src/ports/schemas.ts';

export const LIMIT_MS = 10_000;

const runner = new CheckRunner();
const ids = new Map<string, number>();

function run(schemaJson: string, text: string | null, limitMs: number): ItemResult {
  const schemaId = ids.get(schemaJson) ?? ids.size;
  ids.set(schemaJson, schemaId);
  const value = text === null ? null : { text, root: 'arguments', isObject: true };
  const [job] = runner.run([{ items: [{ schemaId, schemaJson, value }], limitMs }]);
  return job?.results[0] as ItemResult;
}

/** The verdict on a schema, given as text or an object. */
export function verdictOn(schema: unknown): SchemaVerdict | null {
  return run(typeof schema === 'string' ? schema : JSON.stringify(schema), null, LIMIT_MS).verdict;
}

export function checked(schema: unknown, value: unknown, limitMs = LIMIT_MS): CheckResult | null {
  return run(JSON.stringify(schema), JSON.stringify(value), limitMs).check;
}

export function checkedText(schema: unknown, text: string, limitMs = LIMIT_MS): CheckResult | null {
  return run(JSON.stringify(schema), text, limitMs).check;
}

/** The problems of a value with a valid schema, or the reason why it was not checked. */
export function misfits(schema: unknown, value: unknown, limitMs = LIMIT_MS) {
  const result = checked(schema, value, limitMs);
  if (result?.kind === 'checked') return result.problems;
  return result?.kind === 'not_checked' ? result.reason : null;
}

/** A schema for objects. */
export const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });
