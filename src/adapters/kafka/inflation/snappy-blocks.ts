import { uncompress, uncompressSync } from 'snappy';
import { damaged, inflatesTooFar } from './unreadable-batch.ts';

/**
 * The frame that Java's snappy library puts around its blocks: magic, version and lowest compatible version (4 bytes
 * each), then blocks with their length (4 bytes) in front. Other clients write one bare block.
 */
export const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
export const XERIAL_HEADER_BYTES = 16;
export const LENGTH_BYTES = 4;

const AS_BUFFER = { asBuffer: true } as const;

/** No element of snappy's format makes more than 64 bytes of 3. */
const HIGHEST_RATIO = 22;
/** Smaller blocks, such as Java's of 32 KiB, take less time than the way to another thread and back. */
const INLINE_BLOCK_BYTES = 64 * 1024;
/** Java's blocks have 1 KiB at least, which is 48 bytes at the highest ratio; only the last one may have less. */
const SMALLEST_BLOCK_BYTES = 32;
/** Small blocks are handed on together. */
const BLOCKS_AT_ONCE = 64;

interface Block {
  readonly bytes: Buffer;
  readonly inflatedBytes: number;
}

/**
 * The inflated blocks, one after the other.
 *
 * @throws UnreadableBatch before anything is allocated when the blocks claim more than `limitBytes` or than they can have
 */
export async function* inflateSnappy(payload: Buffer, limitBytes: number): AsyncGenerator<Buffer> {
  let sum = 0;
  let count = 0;
  for (const { bytes, inflatedBytes } of blocksOf(payload)) {
    sum += inflatedBytes;
    count += 1;
    if (sum > limitBytes) throw inflatesTooFar(limitBytes);
    if (inflatedBytes > HIGHEST_RATIO * bytes.length)
      throw damaged(`a snappy block of ${bytes.length} bytes claims to inflate to ${inflatedBytes}`);
    if ((count - 1) * SMALLEST_BLOCK_BYTES > payload.length)
      throw damaged(`it has more snappy blocks than a batch of ${payload.length} bytes can have`);
  }
  let small: Buffer[] = [];
  for (const { bytes, inflatedBytes } of blocksOf(payload)) {
    if (inflatedBytes <= INLINE_BLOCK_BYTES) small.push(uncompressSync(bytes, AS_BUFFER) as Buffer);
    if (small.length > 0 && (small.length >= BLOCKS_AT_ONCE || inflatedBytes > INLINE_BLOCK_BYTES)) {
      yield Buffer.concat(small);
      small = [];
    }
    if (inflatedBytes > INLINE_BLOCK_BYTES) yield (await uncompress(bytes, AS_BUFFER)) as Buffer;
  }
  if (small.length > 0) yield Buffer.concat(small);
}

function* blocksOf(payload: Buffer): Generator<Block> {
  const isFramed = payload.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC);
  if (!isFramed) {
    yield blockOf(payload);
    return;
  }
  let offset = XERIAL_HEADER_BYTES;
  while (offset < payload.length) {
    const start = offset + LENGTH_BYTES;
    if (start > payload.length) throw damaged(`its snappy frame ends within the length at byte ${offset}`);
    offset = start + payload.readInt32BE(offset);
    if (offset < start || offset > payload.length)
      throw damaged(`the snappy block at byte ${start} ends at ${offset}, the batch at ${payload.length}`);
    yield blockOf(payload.subarray(start, offset));
  }
}

/** A block begins with its inflated length, as an unsigned varint of at most 32 bits. */
function blockOf(bytes: Buffer): Block {
  let inflatedBytes = 0;
  for (let at = 0, factor = 1; at < 5; at += 1, factor *= 128) {
    const byte = bytes[at];
    if (byte === undefined) break;
    inflatedBytes += (byte & 0x7f) * factor;
    if (byte < 0x80) return { bytes, inflatedBytes };
  }
  throw damaged('a snappy block does not begin with its length');
}
