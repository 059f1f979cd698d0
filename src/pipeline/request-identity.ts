import { hash } from 'node:crypto';
import type { ChatRequest } from '../contract/records.ts';

/** The namespace of the service's event ids (a UUID of its own, fixed for ever). */
const NAMESPACE = Buffer.from('5d4a4b0c8e0f5f0e9a6c6f1d2b7e3a94', 'hex');

/**
 * What tells whether a request with a known id asks for the same thing: a hash over the decoded request without fields
 * that are empty, the deadline and the labels. Map order does not count, nor do fields that a later version adds with an
 * empty default.
 */
export function requestBodyHash(request: ChatRequest): Buffer {
  const { deadline: _deadline, labels: _labels, ...asked } = request;
  return hash('sha256', canonicalText(asked), 'buffer');
}

/** JSON with sorted names and without empty members, which is less work than copying objects for `JSON.stringify`. */
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

/**
 * A deterministic event id: UUID v5 of its parts, so that the same event has the same id whenever and wherever it is made.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-5
 */
export function eventId(...parts: readonly (string | number)[]): string {
  const hex = hash('sha1', Buffer.concat([NAMESPACE, Buffer.from(JSON.stringify(parts))]), 'hex');
  // Version and variant take the place of the upper bits of two digits.
  const version = `5${hex.slice(13, 16)}`;
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${version}-${variant}${hex.slice(18, 20)}-${hex.slice(20, 32)}`;
}
