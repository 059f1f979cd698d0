import type { Random } from '../../faults/random.ts';

/** Lengths and numbers that readers of varints, and of fixed integers, should fear. */
const ODD_BYTES = [
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]),
  Buffer.from([0xfe, 0xff, 0xff, 0xff, 0x0f]),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
  Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
  Buffer.from(Array<number>(12).fill(0xff)),
  Buffer.from(Array<number>(12).fill(0x80)),
  Buffer.from([0x01]),
  Buffer.from([0x00]),
  Buffer.from([0xc3, 0x28]),
  Buffer.from([0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf8, 0x7f]),
  Buffer.from([0xed, 0xa0, 0x80]),
];

/** A copy with so many changes: flipped bits, odd lengths, pieces cut out, doubled, moved or taken from elsewhere. */
export function mutateBytes(random: Random, bytes: Buffer, times: number, other: Buffer = bytes): Buffer {
  let mutated: Buffer = Buffer.from(bytes);
  for (let left = times; left > 0; left -= 1) mutated = mutateOnce(random, mutated, other);
  return mutated;
}

function mutateOnce(random: Random, bytes: Buffer, other: Buffer): Buffer {
  const at = random.between(0, bytes.length);
  const to = Math.min(bytes.length, at + random.between(1, 16));
  const choice = random.next();
  if (choice < 0.3) {
    const flipped = Buffer.from(bytes);
    if (at < flipped.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << random.between(0, 7));
    return flipped;
  }
  if (choice < 0.45) return bytes.subarray(0, at);
  if (choice < 0.65) return splice(bytes, at, random.chance(0.5) ? to : at, random.pick(ODD_BYTES));
  if (choice < 0.75) return splice(bytes, at, to, Buffer.alloc(0));
  if (choice < 0.85) return splice(bytes, at, at, bytes.subarray(at, to));
  const from = random.between(0, other.length);
  return splice(bytes, at, to, other.subarray(from, from + random.between(1, 64)));
}

function splice(bytes: Buffer, from: number, to: number, inserted: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, from), inserted, bytes.subarray(to)]);
}
