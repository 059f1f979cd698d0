/** What V8 takes for an object, list or text besides its contents. */
const HEAD_BYTES = 32;
/** For each member, item or name. */
const SLOT_BYTES = 8;
/** For each entry of a map, whose names are separate texts. */
const MAP_ENTRY_BYTES = 64;

/**
 * What decoding adds to a record's texts in memory, roughly. Thirty thousand empty objects take ninety thousand bytes as JSON
 * and three million in memory. Linear in the number of values.
 */
export function structureBytes(value: unknown): number {
  if (typeof value === 'string') return value === '' ? 0 : HEAD_BYTES;
  if (typeof value !== 'object' || value === null) return 0;
  let bytes = HEAD_BYTES;
  if (Array.isArray(value)) {
    for (const item of value) bytes += SLOT_BYTES + structureBytes(item);
    return bytes;
  }
  if (ArrayBuffer.isView(value)) return bytes;
  const slotBytes = Object.getPrototypeOf(value) === null ? MAP_ENTRY_BYTES : SLOT_BYTES;
  for (const name in value) bytes += slotBytes + structureBytes((value as Record<string, unknown>)[name]);
  return bytes;
}
