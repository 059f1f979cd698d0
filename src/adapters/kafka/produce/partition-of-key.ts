import { createRequire } from 'node:module';

const murmur2: (key: Buffer | string) => number = createRequire(import.meta.url)(
  'kafkajs/src/producer/partitioners/default/murmur2.js',
);

/** The partition that Kafka's default partitioner gives a key: murmur2, without its sign. */
export function partitionOfKey(key: Uint8Array | string, partitions: number): number {
  const bytes =
    typeof key === 'string' || Buffer.isBuffer(key)
      ? key
      : Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return (murmur2(bytes) & 0x7fffffff) % partitions;
}
