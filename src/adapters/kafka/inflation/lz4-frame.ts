import { decompressFrame } from 'lz4-napi';
import { damaged, inflatesTooFar } from './unreadable-batch.ts';

const FRAME_MAGIC = 0x184d2204;
const SKIPPABLE_MAGIC = 0x184d2a50;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const DICTIONARY_ID = 0x01;
const CHECKSUM_BYTES = 4;
const STORED = 0x80000000;
/** Each byte adds at most 255 to the length of a match. */
const HIGHEST_RATIO = 255;

/**
 * The inflated frame. It is inflated at once, on another thread, once its size is known to be bounded.
 *
 * @throws UnreadableBatch before anything is allocated when its blocks can inflate to more than `limitBytes`
 */
export async function* inflateLz4(payload: Buffer, limitBytes: number): AsyncGenerator<Buffer> {
  if (mostInflatedBytes(payload) > limitBytes) throw inflatesTooFar(limitBytes);
  yield await decompressFrame(payload);
}

/**
 * What a decoder allocates at most for these frames: a block inflates to the frame's block size at most, and no byte stands for
 * more than 255. Exact to one block for what an encoder writes. Linear in the number of blocks.
 *
 * Source: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
function mostInflatedBytes(payload: Buffer): number {
  let most = 0;
  let at = 0;
  try {
    while (at < payload.length) {
      const magic = payload.readUInt32LE(at);
      if ((magic & 0xfffffff0) === SKIPPABLE_MAGIC) {
        at += 8 + payload.readUInt32LE(at + 4);
        continue;
      }
      if (magic !== FRAME_MAGIC) throw damaged(`there is no lz4 frame at byte ${at}`);
      const flags = payload.readUInt8(at + 4);
      const blockBytes = 2 ** (8 + 2 * ((payload.readUInt8(at + 5) >> 4) & 7));
      at += 6;
      let claimed = 0;
      if (flags & CONTENT_SIZE) {
        claimed = Number(payload.readBigUInt64LE(at));
        at += 8;
      }
      if (flags & DICTIONARY_ID) at += 4;
      // The header's own checksum.
      at += 1;
      let sum = 0;
      for (;;) {
        const word = payload.readUInt32LE(at);
        at += 4;
        if (word === 0) break;
        const size = word % STORED;
        sum += word >= STORED ? size : Math.min(blockBytes, HIGHEST_RATIO * size);
        at += size + (flags & BLOCK_CHECKSUM ? CHECKSUM_BYTES : 0);
      }
      if (flags & CONTENT_CHECKSUM) at += CHECKSUM_BYTES;
      most += Math.max(sum, claimed);
    }
  } catch (cause) {
    if (cause instanceof RangeError) throw damaged(`its lz4 frame ends before its last block`, { cause });
    throw cause;
  }
  return most;
}
