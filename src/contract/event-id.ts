import { hash } from 'node:crypto';

/** The namespace of the service's event ids (a UUID of its own, fixed forever). */
const NAMESPACE = Buffer.from('5d4a4b0c8e0f5f0e9a6c6f1d2b7e3a94', 'hex');

/**
 * A deterministic event id: UUID v5 of its parts, so that the same event always has the same id.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-5
 */
export function eventId(...parts: readonly (string | number)[]): string {
  const hex = hash('sha1', Buffer.concat([NAMESPACE, Buffer.from(JSON.stringify(parts))]), 'hex');
  // Version and variant replace the upper bits of two digits.
  const version = `5${hex.slice(13, 16)}`;
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${version}-${variant}${hex.slice(18, 20)}-${hex.slice(20, 32)}`;
}
