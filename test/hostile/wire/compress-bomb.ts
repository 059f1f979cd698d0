import { createGzip, createZstdCompress } from 'node:zlib';
import { compressFrame } from 'lz4-napi';
import { snappyCodec } from '../../../src/adapters/kafka/kafkajs/compression.ts';
import { type Compression, recordAround } from './record-batch.ts';

const PIECE = Buffer.alloc(1 << 20);

/** Records, compressed, whose one record has a value of so many zeros. */
export async function compressBomb(
  key: Buffer,
  valueBytes: number,
  compression: Compression,
): Promise<Buffer> {
  const { head, tail } = recordAround(key, valueBytes);
  if (compression === 'lz4' || compression === 'snappy') {
    const whole = Buffer.concat([head, Buffer.alloc(valueBytes), tail]);
    return compression === 'lz4' ? compressFrame(whole) : snappyCodec.compress({ buffer: whole });
  }
  const stream = compression === 'gzip' ? createGzip({ level: 9 }) : createZstdCompress();
  const pieces: Buffer[] = [];
  const read = (async () => {
    for await (const piece of stream) pieces.push(piece as Buffer);
  })();
  const write = (bytes: Buffer) =>
    new Promise<void>((resolve, reject) =>
      stream.write(bytes, (error) => (error ? reject(error) : resolve())),
    );
  await write(head);
  for (let left = valueBytes; left > 0; left -= PIECE.length)
    await write(PIECE.subarray(0, Math.min(left, PIECE.length)));
  stream.end(tail);
  await read;
  return Buffer.concat(pieces);
}
