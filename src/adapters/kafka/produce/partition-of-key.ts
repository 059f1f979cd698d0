const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;

/** The partition that Kafka's default partitioner gives a key: murmur2, without its sign. */
export function partitionOfKey(key: Uint8Array | string, partitions: number): number {
  return (murmur2(typeof key === 'string' ? Buffer.from(key) : key) & 0x7fffffff) % partitions;
}

/**
 * kafkajs's own hash takes numbers that grow with the key, and so seconds for a key of a publisher's choice.
 *
 * Source: Apache Kafka, org.apache.kafka.common.utils.Utils.murmur2
 */
function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  const byte = (at: number) => bytes[at] ?? 0;
  let hash = SEED ^ length;
  const whole = length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let word = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24);
    word = Math.imul(word, MULTIPLIER);
    word = Math.imul(word ^ (word >>> 24), MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ word;
  }
  if (length > whole) {
    hash ^= byte(whole) | (byte(whole + 1) << 8) | (byte(whole + 2) << 16);
    hash = Math.imul(hash, MULTIPLIER);
  }
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}
