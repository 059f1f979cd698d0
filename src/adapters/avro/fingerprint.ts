import type { Type } from 'avsc';

/** The CRC of no bytes, and the polynomial (Avro specification, "Schema Fingerprints"). */
const EMPTY = 0xc15d213aa4d7a795n;

const table = Array.from({ length: 256 }, (_, byte) => {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1) crc = (crc >> 1n) ^ (crc & 1n ? EMPTY : 0n);
  return crc;
});

/** CRC-64-AVRO (Rabin) of some bytes, unsigned. */
export function crc64Avro(bytes: Uint8Array): bigint {
  let crc = EMPTY;
  for (const byte of bytes) crc = (crc >> 8n) ^ (table[Number((crc ^ BigInt(byte)) & 0xffn)] ?? 0n);
  return crc;
}

/**
 * The fingerprint that single-object encoding carries: of the schema's Parsing Canonical Form, which has names in full
 * and neither docs, defaults, aliases nor logical types. The same as Java's `SchemaNormalization.parsingFingerprint64`.
 */
export function fingerprintOf(type: Type): bigint {
  return crc64Avro(new TextEncoder().encode(JSON.stringify(type.schema())));
}

/** As in file names and messages: 16 hexadecimal digits. */
export function fingerprintText(fingerprint: bigint): string {
  return fingerprint.toString(16).padStart(16, '0');
}
