import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { InboundRecord } from '../../src/ports/kafka.ts';
import type { History } from '../support/history.ts';
import { publishBatch } from '../support/publish-batch.ts';
import {
  batchOf,
  codecs,
  compressed,
  encodeBatch,
  MIB,
  recordHead,
  zstdBomb,
} from '../support/record-batch.ts';
import type { Worker } from '../support/worker.ts';
import { request, World } from '../support/world.ts';

/** Peak memory limit of a worker. Without bombs it uses about a third, and the smallest bomb is 200 MB. */
const PEAK_MEMORY_BYTES = 600 * MIB;

let world: World;
let worker: Worker;
let history: History;
let innocents = 0;

beforeAll(async () => {
  world = await World.create({ partitions: 1 });
  worker = await world.startWorker();
  history = await world.readHistory();
});

afterAll(() => world?.close());

const publish = (batch: Buffer) =>
  publishBatch(world.config.kafka.brokers[0] ?? '', world.topics.requests, 0, batch);

/** An answered request shows that the partition continues. */
async function expectInnocentAnswered(): Promise<void> {
  innocents += 1;
  const requestId = `innocent-${innocents}`;
  await world.publish([request(requestId)]);
  expect(await history.untilAnswerTo(requestId)).toMatchObject({ status: 'COMPLETED' });
}

async function deadAfter(publishAll: () => Promise<void>, count: number): Promise<InboundRecord[]> {
  const before = history.dead.length;
  await publishAll();
  await expectInnocentAnswered();
  await history.until(({ dead }) => dead.length >= before + count);
  return history.dead.slice(before);
}

const codeOf = ({ headers }: InboundRecord) => String(headers['dead-code']);

function peakMemoryBytes(pid: number): number {
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1_024;
}

test('each record that decompresses far above the limit becomes one dead letter, and memory stays bounded', async () => {
  const bomb = Buffer.concat([recordHead(200 * MIB), Buffer.alloc(200 * MIB + 1)]);
  const bombs = [
    encodeBatch({ payload: zstdBomb(recordHead(1_023 * MIB), 8_184), count: 1, codec: codecs.zstd }),
    encodeBatch({ payload: await compressed('gzip', bomb), count: 1, codec: codecs.gzip }),
    encodeBatch({ payload: await compressed('lz4', bomb), count: 1, codec: codecs.lz4 }),
  ];
  const dead = await deadAfter(async () => {
    for (const batch of [...bombs, ...bombs, ...bombs]) await publish(batch);
  }, 9);
  expect(dead.map(codeOf)).toEqual(Array.from({ length: 9 }, () => 'too_large'));
  expect(new Set(dead.map(({ headers }) => String(headers['dead-offset']))).size).toBe(9);
  expect(dead.every(({ value }) => value === null)).toBe(true);
  expect(peakMemoryBytes(worker.pid)).toBeLessThan(PEAK_MEMORY_BYTES);
});

test('a batch of a million records becomes one dead letter', async () => {
  const count = 1_000_000;
  const records = Buffer.alloc(count * 10);
  let at = 0;
  for (let offset = 0; offset < count; offset += 1) {
    const delta = offset * 2;
    const deltaBytes = delta < 128 ? 1 : delta < 16_384 ? 2 : 3;
    records[at] = (5 + deltaBytes) * 2;
    at += 3;
    for (let rest = delta, left = deltaBytes; left > 0; left -= 1, rest = Math.floor(rest / 128)) {
      records[at] = (rest % 128) | (left > 1 ? 128 : 0);
      at += 1;
    }
    // No key, no value, no headers.
    records[at] = 1;
    records[at + 1] = 1;
    at += 3;
  }
  const payload = await compressed('zstd', records.subarray(0, at));
  const dead = await deadAfter(() => publish(encodeBatch({ payload, count, codec: codecs.zstd })), 1);
  expect(dead.map(codeOf)).toEqual(['too_large']);
  expect(String(dead[0]?.headers['dead-message'])).toContain(`all ${count} records`);
});

test('headers named like built-in object properties arrive unchanged, in a dead letter and a request', async () => {
  const headers = Object.assign(Object.create(null), { toString: 'a', constructor: ['b', 'c'] });
  Object.defineProperty(headers, '__proto__', { value: ['d', 'e'], enumerable: true });
  const body = JSON.stringify({ model: 'gpt-4', messages: [{ role: 'user', content: 'Hi' }] });
  const asked = Object.assign(Object.create(null), headers, { 'request-id': 'odd-headers' });
  const dead = await deadAfter(async () => {
    await publish(await batchOf([{ key: 'k', value: 'no request', headers }]));
    await publish(await batchOf([{ key: 'k', value: body, headers: asked }], { codec: 'zstd' }));
  }, 1);
  expect(dead).toHaveLength(1);
  expect(codeOf(dead[0] as InboundRecord)).toBe('wrong_framing');
  expect(Object.entries(dead[0]?.headers ?? {}).slice(0, 3)).toEqual([
    ['toString', Buffer.from('a')],
    ['constructor', [Buffer.from('b'), Buffer.from('c')]],
    ['__proto__', [Buffer.from('d'), Buffer.from('e')]],
  ]);
  expect(await history.untilAnswerTo('odd-headers')).toMatchObject({ status: 'COMPLETED' });
});

test('records with thousands of headers become dead letters with the reason', async () => {
  const of = (count: number) => ({ same: Array.from({ length: count }, () => 'x') });
  const dead = await deadAfter(async () => {
    await publish(await batchOf([{ key: 'k', value: 'v', headers: of(5_000) }]));
    await publish(await batchOf([{ key: 'k', value: 'v', headers: of(100_000) }]));
    await publish(await batchOf([{ key: 'k', value: 'v', headers: { large: Buffer.alloc(700_000) } }]));
  }, 3);
  expect(dead.map(codeOf)).toEqual(['too_large', 'too_large', 'too_large']);
  expect(dead.map(({ key }) => String(key))).toEqual(['k', 'k', 'k']);
});

test('the worker that handled all of this never restarted', () => {
  expect(peakMemoryBytes(worker.pid)).toBeLessThan(PEAK_MEMORY_BYTES);
  expect(worker.log.filter((line) => line.includes('"msg":"started"'))).toHaveLength(1);
  expect(
    worker.log.filter((line) => line.includes('assigned') && line.includes('"partitions":1')),
  ).toHaveLength(1);
});
