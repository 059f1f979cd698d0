import { hash } from 'node:crypto';
import type { ChatRequest } from '../../contract/record-types.ts';

/**
 * Identifies what a request asks for, to compare requests with the same id: a hash of the decoded request without empty fields, the
 * deadline and the labels. The order of maps does not count. Neither do fields that a later version adds with an empty
 * default.
 */
export function requestBodyHash(request: ChatRequest): Buffer {
  const { deadline: _deadline, labels: _labels, ...asked } = request;
  return hash('sha256', canonicalText(asked), 'buffer');
}

/** JSON with sorted names and without empty members. Cheaper than copying objects for `JSON.stringify`. */
function canonicalText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (value instanceof Uint8Array)
    return `"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}"`;
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  const members = value as Record<string, unknown>;
  const names = Object.keys(members)
    .filter((name) => !isEmpty(members[name]))
    .sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalText(members[name])}`).join(',')}}`;
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value !== 'object' || value instanceof Uint8Array) return false;
  for (const _name in value) return false;
  return true;
}
