import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { partitionOfKey } from '../../../src/adapters/kafka/produce/partition-of-key.ts';

const kafkajsHash: (key: Buffer) => number = createRequire(import.meta.url)(
  'kafkajs/src/producer/partitioners/default/murmur2.js',
);

it('gives every key the same partition as kafkajs and the Java client', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.integer({ min: 1, max: 500 }), (bytes, partitions) => {
      const key = Buffer.from(bytes);
      expect(partitionOfKey(key, partitions)).toBe((kafkajsHash(key) & 0x7fffffff) % partitions);
      expect(partitionOfKey(new Uint8Array(key), partitions)).toBe(partitionOfKey(key, partitions));
    }),
    { numRuns: 2_000 },
  );
});

it('hashes a text by its UTF-8 bytes', () => {
  expect(partitionOfKey('Grüße 🌍', 97)).toBe(partitionOfKey(Buffer.from('Grüße 🌍'), 97));
});

it('hashes keys as large as records many times', () => {
  // A hash whose numbers grow with the key would take hours for these.
  const key = Buffer.alloc(1_000_000, 'k');
  for (let times = 0; times < 50; times += 1) expect(partitionOfKey(key, 6)).toBeLessThan(6);
});
