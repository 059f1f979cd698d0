import { endianness } from 'node:os';

/** Castagnoli's polynomial, reversed. */
const POLYNOMIAL = 0x82f63b78;
/** Bytes that are looked up at once, each in a table of its own. */
const SLICES = 16;
const tables = makeTables();
const isLittleEndian = endianness() === 'LE';

/**
 * The CRC-32C of bytes, sixteen at a time.
 *
 * @param before the CRC of the bytes before these
 */
export function crc32c(bytes: Uint8Array, before = 0): number {
  const t = tables;
  const { length } = bytes;
  let crc = ~before;
  let at = 0;
  // Words are read where they are aligned.
  const aligned = isLittleEndian ? Math.min(length, (4 - (bytes.byteOffset & 3)) & 3) : length;
  for (; at < aligned; at += 1) crc = (t[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  const blocks = (length - at) >>> 4;
  if (blocks > 0) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, blocks * 4);
    for (let word = 0; word < words.length; word += 4) {
      const a = crc ^ (words[word] as number);
      const b = words[word + 1] as number;
      const c = words[word + 2] as number;
      const d = words[word + 3] as number;
      crc =
        (t[0xf00 | (a & 0xff)] as number) ^
        (t[0xe00 | ((a >>> 8) & 0xff)] as number) ^
        (t[0xd00 | ((a >>> 16) & 0xff)] as number) ^
        (t[0xc00 | (a >>> 24)] as number) ^
        (t[0xb00 | (b & 0xff)] as number) ^
        (t[0xa00 | ((b >>> 8) & 0xff)] as number) ^
        (t[0x900 | ((b >>> 16) & 0xff)] as number) ^
        (t[0x800 | (b >>> 24)] as number) ^
        (t[0x700 | (c & 0xff)] as number) ^
        (t[0x600 | ((c >>> 8) & 0xff)] as number) ^
        (t[0x500 | ((c >>> 16) & 0xff)] as number) ^
        (t[0x400 | (c >>> 24)] as number) ^
        (t[0x300 | (d & 0xff)] as number) ^
        (t[0x200 | ((d >>> 8) & 0xff)] as number) ^
        (t[0x100 | ((d >>> 16) & 0xff)] as number) ^
        (t[d >>> 24] as number);
    }
    at += blocks * 16;
  }
  for (; at < length; at += 1) crc = (t[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** One table behind the other: the nth is for a byte with n bytes behind it. */
function makeTables(): Int32Array {
  const made = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    made[byte] = crc;
  }
  for (let at = 256; at < made.length; at += 1) {
    const crc = made[at - 256] as number;
    made[at] = (crc >>> 8) ^ (made[crc & 0xff] as number);
  }
  return made;
}
