import { compressBomb } from '../wire/compress-bomb.ts';
import type { Compression } from '../wire/record-batch.ts';

/** A batch with one record that decompresses far beyond the limit of a record. All batches of one kind share a key. */
export interface Bomb {
  readonly key: string;
  readonly compression: Compression;
  readonly records: Buffer;
}

const MEGABYTE = 1_000_000;
/** What each compression makes of about 30 to 900 kB. */
const SIZES: readonly (readonly [Compression, number])[] = [
  ['zstd', 1_000 * MEGABYTE],
  ['gzip', 300 * MEGABYTE],
  ['lz4', 200 * MEGABYTE],
  ['snappy', 18 * MEGABYTE],
];

/** Bombs by name. Building them takes seconds, so they are built once. */
export async function makeBombs(): Promise<Readonly<Record<string, Bomb>>> {
  const bombs: Record<string, Bomb> = {};
  for (const [compression, bytes] of SIZES) {
    const key = `h-bomb-${compression}`;
    bombs[`bomb-${compression}`] = {
      key,
      compression,
      records: await compressBomb(Buffer.from(key), bytes, compression),
    };
  }
  return bombs;
}
