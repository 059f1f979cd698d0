import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { compressFrame, decompressFrame } from 'lz4-napi';
import { compress as snappyCompress, uncompress as snappyUncompress } from 'snappy';

/** A codec as kafkajs calls it; `encoder` is its own buffer class. */
export interface CompressionCodec {
  compress: (encoder: { buffer: Buffer }) => Promise<Buffer>;
  decompress: (buffer: Buffer) => Promise<Buffer>;
}

/**
 * The frame that Java's snappy library puts around its blocks: magic, version and lowest compatible version (4 bytes
 * each), then blocks with their length (4 bytes) in front. Other clients write one bare block.
 */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;
const LENGTH_BYTES = 4;

const compressZstd = promisify(zstdCompress);
const decompressZstd = promisify(zstdDecompress);

/** Works on the thread pool, as all of these do: the event loop has streams to serve. */
export const snappyCodec: CompressionCodec = {
  async compress({ buffer }) {
    const block = await snappyCompress(buffer);
    const header = Buffer.alloc(XERIAL_HEADER_BYTES + LENGTH_BYTES);
    XERIAL_MAGIC.copy(header);
    header.writeInt32BE(1, XERIAL_MAGIC.length);
    header.writeInt32BE(1, XERIAL_MAGIC.length + LENGTH_BYTES);
    header.writeInt32BE(block.length, XERIAL_HEADER_BYTES);
    return Buffer.concat([header, block]);
  },
  async decompress(buffer) {
    const isFramed = buffer.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC);
    const blocks = isFramed ? xerialBlocks(buffer) : [buffer];
    return Buffer.concat(await Promise.all(blocks.map(uncompressBlock)));
  },
};

export const lz4Codec: CompressionCodec = {
  compress: ({ buffer }) => compressFrame(buffer),
  decompress: (buffer) => decompressFrame(buffer),
};

export const zstdCodec: CompressionCodec = {
  compress: ({ buffer }) => compressZstd(buffer),
  decompress: (buffer) => decompressZstd(buffer),
};

/**
 * Teaches kafkajs snappy, lz4 and zstd; it has gzip. Call it before any consumer runs: one batch whose codec it does not
 * know ends a consumer for good.
 */
export function registerCompressionCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.Snappy] = () => snappyCodec;
  CompressionCodecs[CompressionTypes.LZ4] = () => lz4Codec;
  CompressionCodecs[CompressionTypes.ZSTD] = () => zstdCodec;
}

/** @throws {RangeError} when a block claims more than there is. */
function xerialBlocks(buffer: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  let offset = XERIAL_HEADER_BYTES;
  while (offset < buffer.length) {
    const start = offset + LENGTH_BYTES;
    offset = start + buffer.readInt32BE(offset);
    if (offset < start || offset > buffer.length) {
      throw new RangeError(
        `A snappy batch is damaged: the block at byte ${start} ends at ${offset}, the batch at ${buffer.length}.`,
      );
    }
    blocks.push(buffer.subarray(start, offset));
  }
  return blocks;
}

async function uncompressBlock(block: Buffer): Promise<Buffer> {
  return (await snappyUncompress(block, { asBuffer: true })) as Buffer;
}
