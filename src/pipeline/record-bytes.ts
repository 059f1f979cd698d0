import type { OutboundRecord } from '../ports.ts';

/** What a record takes in a batch, headers included, roughly. */
export function recordBytes(record: OutboundRecord): number {
  let bytes = 64 + (record.value?.byteLength ?? 0) + (record.key?.length ?? 0);
  for (const name in record.headers) {
    const value = record.headers[name];
    bytes += name.length + 8 + (Array.isArray(value) ? lengthOf(value) : (value?.length ?? 0));
  }
  return bytes;
}

/** Of a header that was given several times, with a byte between two of them. */
function lengthOf(values: readonly (Uint8Array | string)[]): number {
  return values.reduce((sum, { length }) => sum + length + 1, 0);
}
