const KIB = 1024;
const MIB = 1024 * 1024;

/** Bounds of what one fetch may take of memory and time, whatever publishers wrote. */
export interface BatchLimits {
  /** A larger record is unreadable, and its content is never kept. */
  readonly recordBytes: number;
  /** A compressed batch may inflate to this size at any ratio: some records of the largest size, however alike they are. */
  readonly inflatedBytesAtAnyRatio: number;
  /** No compressed batch may inflate beyond this: a batch of 1 MB at a ratio of 64. */
  readonly inflatedBytes: number;
}

/** Beyond `inflatedBytesAtAnyRatio`, a batch may inflate this many times. Repetitive JSON reaches 20 to 50. */
const MAX_RATIO = 200;

/** Requests have about 15; a record with more is unreadable. */
export const MAX_HEADERS = 1_000;
/** Names and values of one record's headers, in bytes. */
export const MAX_HEADER_BYTES = 256 * KIB;
/** An unreadable record keeps a key up to this size, so that its publisher can be found. */
export const MAX_KEPT_KEY_BYTES = 4 * KIB;

/**
 * A batch with more records is not read, and what is unreadable beyond this number is reported as one record: clients put
 * some 10,000 into a batch, and a few bytes of zstd can claim billions.
 */
export const MAX_RECORDS_PER_BATCH = 250_000;

/** What a record and each of its headers take in memory beside their bytes, roughly: a small fetch may bring millions. */
export const RECORD_OVERHEAD_BYTES = 256;
export const HEADER_OVERHEAD_BYTES = 128;

/** What one fetch takes over of one partition; the next fetch continues behind it. More than a lane accepts at once. */
export const MAX_RECORDS_PER_PARTITION = 5_000;
export const MAX_BYTES_PER_PARTITION = 4 * MIB;
/** What one fetch takes over of all partitions. Those that come after get their turn with the next fetch. */
export const MAX_BYTES_PER_FETCH = 16 * MIB;
/** Once this much was inflated, the next batch of the partition or of the fetch waits for the next fetch: about 0.1 s of work. */
export const MAX_INFLATED_PER_PARTITION = 16 * MIB;
export const MAX_INFLATED_PER_FETCH = 64 * MIB;

const READABLE_RECORD_BYTES = 4 * MIB;
const INFLATED_BYTES_AT_ANY_RATIO = 16 * MIB;
const INFLATED_BYTES = 64 * MIB;

/**
 * @param recordMaxBytes the largest request that is accepted (`RECORD_MAX_BYTES`); larger ones are still read up to four
 *   times of it, so that their dead letters have their content
 */
export function batchLimits(recordMaxBytes: number): BatchLimits {
  const recordBytes = Math.max(READABLE_RECORD_BYTES, 4 * recordMaxBytes);
  return {
    recordBytes,
    inflatedBytesAtAnyRatio: Math.max(INFLATED_BYTES_AT_ANY_RATIO, recordBytes),
    inflatedBytes: Math.max(INFLATED_BYTES, recordBytes),
  };
}

/** What a batch of `compressedBytes` may inflate to. */
export function inflatedLimit(compressedBytes: number, limits: BatchLimits): number {
  const byRatio = Math.max(limits.inflatedBytesAtAnyRatio, MAX_RATIO * compressedBytes);
  return Math.min(limits.inflatedBytes, byRatio);
}
