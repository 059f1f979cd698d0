import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { compressFrame } from 'lz4-napi';
import { compress as snappyCompress } from 'snappy';
import { batchLimits, inflatedLimit } from '../fetch/batch-limits.ts';
import { GZIP, inflateAll, LZ4, SNAPPY, ZSTD } from '../inflation/inflate.ts';
import { LENGTH_BYTES, XERIAL_HEADER_BYTES, XERIAL_MAGIC } from '../inflation/snappy-blocks.ts';

/** A codec as kafkajs calls it; `encoder` is its own buffer class. */
export interface CompressionCodec {
  compress: (encoder: { buffer: Buffer }) => Promise<Buffer>;
  decompress: (buffer: Buffer) => Promise<Buffer>;
}

const compressGzip = promisify(gzip);
const compressZstd = promisify(zstdCompress);
/** Only message sets of the oldest formats are still inflated by kafkajs, through these codecs. */
const LIMITS = batchLimits(0);

const gzipCodec: CompressionCodec = {
  compress: ({ buffer }) => compressGzip(buffer),
  decompress: inflateBy(GZIP),
};

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
  decompress: inflateBy(SNAPPY),
};

export const lz4Codec: CompressionCodec = {
  compress: ({ buffer }) => compressFrame(buffer),
  decompress: inflateBy(LZ4),
};

export const zstdCodec: CompressionCodec = {
  compress: ({ buffer }) => compressZstd(buffer),
  decompress: inflateBy(ZSTD),
};

/**
 * Adds snappy, lz4 and zstd to kafkajs, and bounds its gzip. Call it before any consumer runs: one batch with an unknown codec
 * stops a consumer permanently.
 */
export function registerCompressionCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.GZIP] = () => gzipCodec;
  CompressionCodecs[CompressionTypes.Snappy] = () => snappyCodec;
  CompressionCodecs[CompressionTypes.LZ4] = () => lz4Codec;
  CompressionCodecs[CompressionTypes.ZSTD] = () => zstdCodec;
}

function inflateBy(codec: number): CompressionCodec['decompress'] {
  return (buffer) => inflateAll(codec, buffer, inflatedLimit(buffer.length, LIMITS));
}
