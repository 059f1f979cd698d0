import { Random } from '../../faults/random.ts';
import type { HeaderBytes, RawRecord } from '../wire/raw-record.ts';
import { jsonBodies } from './json-bodies.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { mutateJson } from './mutate-json.ts';
import { encodeSample, otherRecords } from './other-records.ts';
import { randomBytes, randomRequest } from './random-request.ts';
import { oddName, oddText, oddValue, seedAt, word } from './random-values.ts';

const HEADERS = [
  'request-id',
  'tenant-id',
  'conversation-id',
  'user-id',
  'provider',
  'fallback-models',
  'history',
  'restart-on-break',
  'deadline',
  'max-cost',
  'max-cost-currency',
  'traceparent',
  'tracestate',
  'baggage',
  'ce_id',
  'ce_type',
  'dead-code',
  'dead-topic',
  'dead-offset',
  'dead-value-omitted',
  '__value_schema_id',
  '__key_schema_id',
  'end-mark',
] as const;

const HEADER_VALUES = [
  'NONE',
  'stored',
  'true',
  'false',
  '1767323045000',
  '2030-01-31T12:00:00Z',
  '2030-01-31T12:00:00+99:99',
  '0.25',
  '100',
  'USD',
  'gpt-4, gpt-4o',
  ' '.repeat(5_000),
  ' ,'.repeat(2_000),
  '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  'a=b,'.repeat(500),
] as const;

/** The record at a position in the row of a seed, the same each time. */
export function randomRecord(seed: number, index: number): RawRecord {
  const random = new Random(seedAt(seed, index));
  const id = `fuzz-${index}`;
  return { key: randomKey(random, id), value: randomValue(random, id), headers: randomHeaders(random, id) };
}

function randomKey(random: Random, id: string): Buffer | null {
  const choice = random.next();
  if (choice < 0.75) return Buffer.from(id);
  if (choice < 0.85) return null;
  return choice < 0.95 ? Buffer.from(oddText(random)) : randomBytes(random, 40);
}

function randomValue(random: Random, id: string): Buffer | null {
  const choice = random.next();
  if (choice < 0.14) return encodeSample(randomRequest(random, id, random.chance(0.5) ? 0 : 0.3));
  if (choice < 0.5) return mutatedAvro(random, id);
  if (choice < 0.58) return Buffer.from(JSON.stringify(random.pick(jsonBodies)));
  if (choice < 0.83)
    return Buffer.from(JSON.stringify(mutateJson(random, random.pick(jsonBodies), random.between(1, 4))));
  if (choice < 0.92) return mutatedText(random);
  if (choice < 0.97) return randomBytes(random, 300);
  return random.chance(0.5) ? null : Buffer.alloc(0);
}

function mutatedAvro(random: Random, id: string): Buffer {
  const valid = encodeSample(randomRequest(random, id, random.chance(0.7) ? 0 : 0.3));
  const choice = random.next();
  // The frame says it is a request: what follows is another record's body.
  if (choice < 0.1) {
    const body = random.pick(otherRecords).subarray(10);
    return Buffer.concat([valid.subarray(0, 10), mutateBytes(random, body, random.between(0, 2), valid)]);
  }
  if (choice < 0.15) return random.pick(otherRecords);
  if (choice < 0.2)
    return Buffer.concat([Buffer.from([0, 0, 0, 0, random.between(0, 255)]), valid.subarray(10)]);
  if (choice < 0.25) return mutateBytes(random, valid.subarray(0, 10), random.between(1, 3), valid);
  // Mostly the frame stays, so that the mutations reach the body.
  const body = mutateBytes(random, valid.subarray(10), random.between(1, 4), random.pick(otherRecords));
  return Buffer.concat([valid.subarray(0, 10), body]);
}

function mutatedText(random: Random): Buffer {
  const choice = random.next();
  const text = JSON.stringify(random.pick(jsonBodies));
  if (choice < 0.4) return mutateBytes(random, Buffer.from(text), random.between(1, 4));
  if (choice < 0.6) {
    const depth = random.between(1, random.chance(0.05) ? 20_000 : 200);
    const open = random.pick(['[', '{"a":', '[{"x":']);
    const close = { '[': ']', '{"a":': '}', '[{"x":': '}]' }[open] ?? '';
    const nest = open.repeat(depth) + JSON.stringify(oddValue(random, 0)) + close.repeat(depth);
    return Buffer.from(text.replace(/^\{/, `{${JSON.stringify(oddName(random))}:${nest},`));
  }
  if (choice < 0.8) {
    const number = random.pick(['1e999', '-1e999', '0.'.padEnd(500, '1'), '9'.repeat(1_000), '1E+2', '-0']);
    return Buffer.from(text.replace(/:\d+(\.\d+)?/, `:${number}`));
  }
  const twice = `${text.slice(0, -1)},${text.slice(1)}`;
  return Buffer.from(random.chance(0.5) ? twice : ` \ufeff${text}`);
}

function randomHeaders(random: Random, id: string): HeaderBytes[] {
  const headers: HeaderBytes[] = random.chance(0.5) ? [['request-id', id]] : [];
  if (random.chance(0.5)) return headers;
  const count = random.chance(0.01) ? random.between(50, 2_000) : random.between(0, 6);
  for (let left = count; left > 0; left -= 1) headers.push([headerName(random), headerValue(random)]);
  return headers;
}

function headerName(random: Random): Buffer | string {
  const choice = random.next();
  if (choice < 0.5) return random.pick(HEADERS);
  if (choice < 0.75) return `label-${oddName(random)}`;
  if (choice < 0.95) return oddName(random);
  return random.chance(0.5) ? randomBytes(random, 20) : word(random).repeat(500);
}

function headerValue(random: Random): Buffer | string | null {
  const choice = random.next();
  if (choice < 0.5) return random.pick(HEADER_VALUES);
  if (choice < 0.85) return oddText(random);
  return choice < 0.95 ? randomBytes(random, 30) : null;
}
