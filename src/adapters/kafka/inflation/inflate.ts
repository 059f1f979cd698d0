import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { inflateLz4 } from './lz4-frame.ts';
import { inflateSnappy } from './snappy-blocks.ts';
import { damaged, inflatesTooFar } from './unreadable-batch.ts';

const SMALLEST_CHUNK_BYTES = 16 * 1024;
const LARGEST_CHUNK_BYTES = 256 * 1024;

/** A larger window is refused. zstd's own limit: what its highest level uses. Memory is taken only as a window fills. */
const ZSTD_WINDOW_LOG = 27;
/** A match of 258 bytes takes two bits. */
const GZIP_HIGHEST_RATIO = 1_032;
const ZSTD_MAGIC = 0xfd2fb528;

export const GZIP = 1;
export const SNAPPY = 2;
export const LZ4 = 3;
export const ZSTD = 4;

type Inflate = (payload: Buffer, limitBytes: number) => AsyncIterable<Buffer>;

const inflaters: ReadonlyMap<number, Inflate> = new Map<number, Inflate>([
  [GZIP, inflateGzip],
  [SNAPPY, inflateSnappy],
  [LZ4, inflateLz4],
  [ZSTD, inflateZstd],
]);

/**
 * A compressed batch's content, piece by piece, never more than `limitBytes` of it.
 *
 * @param codec as the batch's attributes number it
 * @throws UnreadableBatch when there is more, when the codec is unknown or when the bytes are damaged; whatever a codec
 *   throws for those
 */
export async function* inflate(codec: number, payload: Buffer, limitBytes: number): AsyncGenerator<Buffer> {
  const start = inflaters.get(codec);
  if (start === undefined)
    throw damaged(`it names the compression codec ${codec}, which Kafka does not have`);
  let left = limitBytes;
  for await (const chunk of start(payload, limitBytes)) {
    if (chunk.length > left) {
      yield chunk.subarray(0, left);
      throw inflatesTooFar(limitBytes);
    }
    left -= chunk.length;
    yield chunk;
  }
}

/** The whole content at once. */
export async function inflateAll(codec: number, payload: Buffer, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of inflate(codec, payload, limitBytes)) chunks.push(chunk);
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
}

/** The last four bytes say how long the content is, unless it is damaged. Lies are found while it is inflated. */
function inflateGzip(payload: Buffer, limitBytes: number): AsyncIterable<Buffer> {
  const trailerAt = payload.length - 4;
  const claimed = trailerAt >= 0 ? payload.readUInt32LE(trailerAt) : 0;
  const isPossible = claimed <= GZIP_HIGHEST_RATIO * payload.length;
  if (isPossible && claimed > limitBytes) throw inflatesTooFar(limitBytes);
  return through(createGunzip({ chunkSize: chunkSizeFor(payload) }), payload);
}

function inflateZstd(payload: Buffer, limitBytes: number): AsyncIterable<Buffer> {
  if (zstdContentBytes(payload) > limitBytes) throw inflatesTooFar(limitBytes);
  const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG };
  return through(createZstdDecompress({ chunkSize: chunkSizeFor(payload), params }), payload);
}

/** Ending the iteration ends the stream: nothing is inflated that nobody asks for. */
function through(stream: ReturnType<typeof createGunzip>, payload: Buffer): AsyncIterable<Buffer> {
  stream.end(payload);
  return stream;
}

function chunkSizeFor({ length }: Buffer): number {
  return Math.min(LARGEST_CHUNK_BYTES, Math.max(SMALLEST_CHUNK_BYTES, 4 * length));
}

/**
 * The content's size where a frame's header has it, else 0.
 *
 * Source: RFC 8878, 3.1.1.1
 */
function zstdContentBytes(payload: Buffer): number {
  if (payload.length < 14 || payload.readUInt32LE(0) !== ZSTD_MAGIC) return 0;
  const descriptor = payload.readUInt8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const at = 5 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? payload.readUInt8(at) : 0;
    case 1:
      return payload.readUInt16LE(at) + 256;
    case 2:
      return payload.readUInt32LE(at);
    default:
      return at + 8 <= payload.length ? Number(payload.readBigUInt64LE(at)) : 0;
  }
}
