import { readFileSync } from 'node:fs';
import kafkajs from 'kafkajs';
import { compress } from 'snappy';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type CompressionCodec,
  registerCompressionCodecs,
  snappyCodec,
} from '../../../src/adapters/kafka/kafkajs/compression.ts';

/** Written by kafka-clients 4.0.0, `Compression.X().build().wrapForOutput(..., magic 2)`. */
const fixtures = JSON.parse(
  readFileSync(new URL('../../fixtures/java-compressed.json', import.meta.url), 'utf8'),
) as Record<string, string>;

const javaText = Array.from(
  { length: 3000 },
  (_, index) => `record ${index % 100} of a batch that a Java client wrote; `,
).join('');

const { CompressionCodecs, CompressionTypes } = kafkajs;
const cases = [
  { name: 'gzip', type: CompressionTypes.GZIP },
  { name: 'snappy', type: CompressionTypes.Snappy },
  { name: 'lz4', type: CompressionTypes.LZ4 },
  { name: 'zstd', type: CompressionTypes.ZSTD },
] as const;

beforeAll(registerCompressionCodecs);

describe.each(cases)('$name batches', ({ name, type }) => {
  const codec = (): CompressionCodec => CompressionCodecs[type]() as CompressionCodec;

  test('written by a Java client are read', async () => {
    const text = await codec().decompress(Buffer.from(fixtures[name] ?? '', 'base64'));
    expect(text.toString()).toBe(javaText);
  });

  test.each([0, 1, 300_000])('written by this service are read (%i bytes)', async (byteCount) => {
    const buffer = Buffer.alloc(byteCount, 'some text ');
    const compressed = await codec().compress({ buffer });
    expect(buffer.equals(await codec().decompress(compressed))).toBe(true);
  });

  test('that are damaged are an error, not a crash', async () => {
    const damaged = Buffer.from(fixtures[name] ?? '', 'base64').subarray(0, 100);
    await expect(codec().decompress(damaged)).rejects.toThrow();
  });
});

test('a bare snappy block of a client other than Java is read', async () => {
  const block = await compress(Buffer.from('bare'));
  expect((await snappyCodec.decompress(block)).toString()).toBe('bare');
});

test('a snappy block with a negative length is an error with its position', async () => {
  const batch = await snappyCodec.compress({ buffer: Buffer.from('text') });
  batch.writeInt32BE(-5, 16);
  await expect(snappyCodec.decompress(batch)).rejects.toThrow('block at byte 20');
});
