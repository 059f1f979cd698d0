import { createRequire } from 'node:module';
import fc from 'fast-check';
import type { KafkaMessage } from 'kafkajs';
import { beforeAll, describe, expect, it } from 'vitest';
import { MAX_HEADERS, MAX_RECORDS_PER_PARTITION } from '../../../src/adapters/kafka/fetch/batch-limits.ts';
import { installFetchDecoding } from '../../../src/adapters/kafka/kafkajs/install-fetch-decoding.ts';
import { mapInbound } from '../../../src/adapters/kafka/kafkajs/map-record.ts';
import type { RecordToEncode } from '../../../src/adapters/kafka/kafkajs/record-encoding.ts';
import type { InboundRecord } from '../../../src/ports/kafka.ts';
import {
  batchOf,
  type Codec,
  codecs,
  compressed,
  encodeBatch,
  fetchAnswer,
  MIB,
  type PartitionAnswer,
  recordHead,
  recordsOf,
  zstdBomb,
} from '../../support/record-batch.ts';

const require = createRequire(import.meta.url);
/** The lookup that kafkajs's brokers make for each fetch. */
const Fetch = require('kafkajs/src/protocol/requests/index.js').requests.Fetch;
/** What kafkajs turns a partition's messages into before the handler gets them. */
const Batch = require('kafkajs/src/consumer/batch.js');

const topic = 'chat.requests';
const codecNames = Object.keys(codecs) as Codec[];
const byKafkajs = Fetch.protocol({ version: 11 });

beforeAll(() => installFetchDecoding(900_000));

interface Fetched {
  readonly records: InboundRecord[];
  /** The position of the next fetch of kafkajs. */
  readonly nextOffset: number;
}

async function fetchAll(answers: readonly PartitionAnswer[], from: number): Promise<Fetched[]> {
  const { response } = Fetch.protocol({ version: 11 })(request(from));
  const { responses } = await response.parse(await response.decode(fetchAnswer(answers)));
  return responses.map(({ topicName, partitions: [data] }: { topicName: string; partitions: [unknown] }) => {
    const batch = new Batch(topicName, String(from), data);
    const messages: KafkaMessage[] = batch.messages;
    return {
      records: messages.map((message) =>
        mapInbound({ topic: topicName, partition: batch.partition }, message),
      ),
      nextOffset: batch.rawMessages.length === 0 ? from : Number(batch.lastOffset()) + 1,
    };
  });
}

function request(from: number) {
  const partitions = [{ partition: 0, fetchOffset: String(from), maxBytes: 1_000 }];
  return { maxWaitTime: 1, minBytes: 1, maxBytes: 1_000, topics: [{ topic, partitions }] };
}

/** One fetch of one partition. */
async function fetchLog(log: Buffer, from = 0, answer: Partial<PartitionAnswer> = {}): Promise<Fetched> {
  const [fetched] = await fetchAll([{ log, ...answer }], from);
  if (fetched === undefined) throw new Error('no partition was decoded');
  return fetched;
}

const oneOf = async (log: Buffer) => (await fetchLog(log)).records;
const record = (key: string, fields: Partial<RecordToEncode> = {}): RecordToEncode => ({
  key,
  value: `value of ${key}`,
  ...fields,
});
const textOf = ({ value }: InboundRecord) => (value === null ? null : String(value));

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const someRecord = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.dictionary(
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.oneof(bytes, fc.array(bytes, { minLength: 2, maxLength: 3 })),
    { maxKeys: 5 },
  ),
  timestampDelta: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
});

describe('valid batches', () => {
  it.each(codecNames)('are decoded unchanged (%s)', async (codec) => {
    const batches = fc.array(fc.array(someRecord, { minLength: 1, maxLength: 8 }), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(batches, async (all) => {
        let baseOffset = 100;
        const encoded: Buffer[] = [];
        for (const records of all) {
          encoded.push(await batchOf(records, { codec, baseOffset, firstTimestamp: 2 ** 41 }));
          baseOffset += records.length;
        }
        const { records, nextOffset } = await fetchLog(Buffer.concat(encoded), 100);
        expect(records).toEqual(
          all.flat().map(({ timestampDelta, ...rest }, index) => ({
            ...rest,
            topic,
            partition: 0,
            offset: 100 + index,
            timestamp: 2 ** 41 + timestampDelta,
          })),
        );
        expect(nextOffset).toBe(baseOffset);
      }),
      { numRuns: 60 },
    );
  });

  it('are read as kafkajs reads them', async () => {
    const records = [
      record('a', { headers: { one: 'x', two: ['y', 'z'] } }),
      record('b', { key: null, value: null }),
    ];
    const answer = fetchAnswer([{ log: await batchOf(records, { codec: 'gzip', baseOffset: 7 }) }]);
    const theirs = await byKafkajs(request(7)).response.decode(answer);
    const ours = await Fetch.protocol({ version: 11 })(request(7)).response.decode(answer);
    const [expected] = theirs.responses[0].partitions;
    const messages = expected.messages.map(
      ({ batchContext: _batchContext, ...message }: KafkaMessage & { batchContext: unknown }) => message,
    );
    expect(ours).toEqual({
      ...theirs,
      responses: [{ topicName: topic, partitions: [{ ...expected, messages }] }],
    });
  });

  it('may inflate 50 times, and are decoded in parts', async () => {
    const records = Array.from({ length: 1_000 }, (_, index) =>
      record(String(index), { value: 'the same words '.repeat(1_000) }),
    );
    const log = await batchOf(records, { codec: 'gzip' });
    const keys: string[] = [];
    let from = 0;
    let fetches = 0;
    while (from < 1_000) {
      const fetched = await fetchLog(log, from);
      expect(fetched.nextOffset).toBeGreaterThan(from);
      keys.push(...fetched.records.map(({ key }) => String(key)));
      from = fetched.nextOffset;
      fetches += 1;
    }
    expect(keys).toEqual(records.map(({ key }) => key));
    expect(fetches).toBeGreaterThan(1);
  });

  it('have the broker’s time if the topic is configured so', async () => {
    const log = await batchOf([record('a', { timestampDelta: 5 })], {
      attributes: 0x08,
      maxTimestamp: 1_800_000_000_000,
    });
    expect((await oneOf(log))[0]?.timestamp).toBe(1_800_000_000_000);
  });

  it('keep no record in the memory of its batch', async () => {
    const [first] = await oneOf(
      await batchOf([
        record('a', { value: Buffer.alloc(9_000) }),
        record('b', { value: Buffer.alloc(500_000) }),
      ]),
    );
    expect(first?.value?.buffer.byteLength).toBeLessThan(17_000);
  });

  it('are skipped when they hold nothing at or after the requested offset', async () => {
    expect(await fetchLog(await batchOf([record('a')], { baseOffset: 4, lastOffsetDelta: 5 }), 5)).toEqual({
      records: [],
      nextOffset: 10,
    });
    expect(
      await fetchLog(
        encodeBatch({ payload: Buffer.alloc(0), count: 0, baseOffset: 4, lastOffsetDelta: 5 }),
        4,
      ),
    ).toEqual({ records: [], nextOffset: 10 });
  });

  it('that the broker cut off wait for the next fetch', async () => {
    const [whole, cut] = [await batchOf([record('a')]), await batchOf([record('b')], { baseOffset: 1 })];
    const { records, nextOffset } = await fetchLog(Buffer.concat([whole, cut.subarray(0, -1)]));
    expect(records.map(({ key }) => String(key))).toEqual(['a']);
    expect(nextOffset).toBe(1);
    expect(await fetchLog(cut.subarray(0, -1), 1)).toEqual({ records: [], nextOffset: 1 });
  });
});

describe('transactions', () => {
  const mark = (type: number) => ({ key: Buffer.from([0, 0, 0, type]), value: Buffer.alloc(6) });
  const of = (producerId: number, baseOffset: number, key: string | Buffer) =>
    batchOf([{ key, value: 'v' }], { attributes: 0x10, producerId, baseOffset });
  const end = (producerId: number, baseOffset: number, type: number) =>
    batchOf([mark(type)], { attributes: 0x30, producerId, baseOffset });

  it('that were aborted are left out, even when they overlap and their keys look like a marker', async () => {
    const log = Buffer.concat([
      await of(1, 0, 'one'),
      await of(2, 1, 'two'),
      await of(3, 2, 'three'),
      await of(1, 3, Buffer.alloc(4)),
      await of(1, 4, 'one again'),
      await end(3, 5, 1),
      await end(1, 6, 0),
      await end(2, 7, 0),
      await of(1, 8, 'one at last'),
      await end(1, 9, 1),
    ]);
    const aborted = [
      { producerId: 1, firstOffset: 0 },
      { producerId: 2, firstOffset: 1 },
    ];
    const { records, nextOffset } = await fetchLog(log, 0, { aborted });
    expect(records.map(({ key }) => String(key))).toEqual(['three', 'one at last']);
    expect(nextOffset).toBe(10);
    // From an offset inside both: the first requested record belongs to the second.
    expect((await fetchLog(log, 1, { aborted })).records.map(({ key }) => String(key))).toEqual([
      'three',
      'one at last',
    ]);
  });
});

describe('headers', () => {
  it('may be named like inherited properties, and repeat', async () => {
    const headers = Object.assign(Object.create(null), {
      toString: 'a',
      constructor: ['b', 'c'],
      hasOwnProperty: 'd',
    });
    Object.defineProperty(headers, '__proto__', { value: ['e', 'f', 'g'], enumerable: true });
    const [found] = await oneOf(await batchOf([{ key: null, value: null, headers }]));
    expect(Object.getPrototypeOf(found?.headers)).toBeNull();
    expect(Object.entries(found?.headers ?? {})).toEqual([
      ['toString', Buffer.from('a')],
      ['constructor', [Buffer.from('b'), Buffer.from('c')]],
      ['hasOwnProperty', Buffer.from('d')],
      ['__proto__', [Buffer.from('e'), Buffer.from('f'), Buffer.from('g')]],
    ]);
  });

  it('without a value keep none', async () => {
    const headers = { a: undefined } as NonNullable<RecordToEncode['headers']>;
    expect((await oneOf(await batchOf([{ key: null, value: null, headers }])))[0]?.headers).toEqual({
      a: null,
    });
  });

  it.each([
    ['too many', { one: Array.from({ length: 100_000 }, () => 'x') }, '100000 headers'],
    [
      'too many names',
      Object.fromEntries(Array.from({ length: MAX_HEADERS + 1 }, (_, at) => [`h${at}`, ''])),
      '1001 headers',
    ],
    ['too large', { one: Buffer.alloc(300_000) }, '300007 bytes of headers'],
  ])('that are %s make only their record unreadable', async (_what, headers, found) => {
    const records = await oneOf(
      await batchOf([record('a'), record('b', { headers }), record('c')], { codec: 'zstd' }),
    );
    expect(records.map(textOf)).toEqual(['value of a', null, 'value of c']);
    expect(records[1]).toMatchObject({
      offset: 1,
      key: Buffer.from('b'),
      headers: {},
      unreadable: { code: 'too_large' },
    });
    expect(records[1]?.unreadable?.message).toContain(found);
  });

  it('are read up to the largest number', async () => {
    const headers = { one: Array.from({ length: MAX_HEADERS }, (_, at) => String(at)) };
    const [found] = await oneOf(await batchOf([record('a', { headers })]));
    expect(found?.headers['one']).toHaveLength(MAX_HEADERS);
  });
});

describe('bombs', () => {
  const hugeRecord = (mib: number) =>
    Buffer.concat([recordHead(mib * MIB), Buffer.alloc(Math.min(mib, 200) * MIB + 1)]);
  const expectOneTooLarge = async (batch: Buffer) => {
    const innocent = await batchOf([record('innocent')], { baseOffset: 1 });
    const { records, nextOffset } = await fetchLog(Buffer.concat([batch, innocent]));
    expect(records).toMatchObject([
      { offset: 0, key: null, value: null, headers: {}, unreadable: { code: 'too_large' } },
      { offset: 1, value: Buffer.from('value of innocent') },
    ]);
    expect(nextOffset).toBe(2);
  };

  it('of 32 kB of zstd that are 1 GB are not inflated', async () => {
    const payload = zstdBomb(recordHead(1_023 * MIB), 8_184);
    expect(payload.length).toBeLessThan(33_000);
    await expectOneTooLarge(encodeBatch({ payload, count: 1, codec: codecs.zstd }));
  });

  it('of gzip that are 1 GB in many members, each with only its own size, are not inflated', async () => {
    const first = await compressed('gzip', hugeRecord(1_023).subarray(0, 16 * MIB));
    const next = await compressed('gzip', Buffer.alloc(16 * MIB));
    const payload = Buffer.concat([first, ...Array.from({ length: 64 }, () => next)]);
    await expectOneTooLarge(encodeBatch({ payload, count: 1, codec: codecs.gzip }));
  });

  it('of many records with a false total size are inflated only up to the limit', async () => {
    const payload = await compressed(
      'gzip',
      Buffer.concat([recordsOf([record('a')]), Buffer.alloc(100 * MIB, 2)]),
    );
    payload.writeUInt32LE(17, payload.length - 4);
    const { records } = await fetchLog(encodeBatch({ payload, count: 200_000, codec: codecs.gzip }));
    expect(records[0]).toMatchObject({ offset: 0, value: Buffer.from('value of a') });
    expect(records[1]).toMatchObject({ offset: 1, unreadable: { code: 'unreadable_batch' } });
  });

  it('of lz4 at its highest ratio are not inflated', async () => {
    const payload = await compressed('lz4', hugeRecord(200));
    await expectOneTooLarge(encodeBatch({ payload, count: 1, codec: codecs.lz4 }));
  });

  it('of snappy that claim 4 GB, in one block or in many, are not inflated', async () => {
    const claim = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
    await expectOneTooLarge(encodeBatch({ payload: claim, count: 1, codec: codecs.snappy }));
    const block = await compressed('snappy', Buffer.alloc(MIB));
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    const many = Array.from({ length: 70 }, () => [length, block]).flat();
    await expectOneTooLarge(
      encodeBatch({ payload: Buffer.concat([header, ...many]), count: 1, codec: codecs.snappy }),
    );
  });

  it('of zstd with a window of gigabytes allocate none', async () => {
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 0x03 | (5 << 3), 0, 0, 0]);
    const [found] = await oneOf(encodeBatch({ payload: frame, count: 1, codec: codecs.zstd }));
    expect(found?.unreadable?.code).toBe('unreadable_batch');
  });

  it('of many records are read up to the limit, and each remaining one is unreadable once, in any split of fetches', async () => {
    const records = Array.from({ length: 100 }, (_, at) => record(String(at), { value: Buffer.alloc(MIB) }));
    const log = await batchOf(records, { codec: 'zstd' });
    const found: InboundRecord[] = [];
    for (let from = 0; from < 100; ) {
      const fetched = await fetchLog(log, from, { highWatermark: 100 });
      expect(fetched.nextOffset).toBeGreaterThan(from);
      found.push(...fetched.records);
      from = fetched.nextOffset;
    }
    expect(found.map(({ offset }) => offset)).toEqual(records.map((_, at) => at));
    const readable = found.filter(({ unreadable }) => unreadable === undefined);
    expect(readable).toHaveLength(15);
    expect(found.slice(15).every(({ unreadable }) => unreadable?.code === 'too_large')).toBe(true);
  });

  it('of one record far above the limit do not affect the others of the batch', async () => {
    const payload = Buffer.concat([hugeRecord(17), recordsOf([record('a', { offsetDelta: 1 })])]);
    const records = await oneOf(encodeBatch({ payload, count: 2 }));
    expect(records).toMatchObject([
      { offset: 0, value: null, unreadable: { code: 'too_large' } },
      { offset: 1, value: Buffer.from('value of a') },
    ]);
  });

  it('of many empty records are decoded in parts', async () => {
    const count = 150_000;
    const log = await batchOf(
      Array.from({ length: count }, () => ({ key: null, value: null })),
      { codec: 'zstd' },
    );
    let from = 0;
    let records = 0;
    for (let fetches = 0; from < count; fetches += 1) {
      const fetched = await fetchLog(log, from);
      expect(fetched.records.length).toBeLessThanOrEqual(MAX_RECORDS_PER_PARTITION);
      expect(fetched.nextOffset).toBeGreaterThan(from);
      records += fetched.records.length;
      from = fetched.nextOffset;
      expect(fetches).toBeLessThan(100);
    }
    expect(records).toBe(count);
  });

  it.each([
    ['4 million', 4_000_000],
    ['2^31', 2 ** 31 - 1],
  ])('that claim %s records become one record at the last offset', async (_name, count) => {
    const payload = await compressed('zstd', Buffer.alloc(1_000));
    const log = encodeBatch({ payload, count, codec: codecs.zstd, baseOffset: 5 });
    for (const from of [5, 6, 1_000_000]) {
      const { records, nextOffset } = await fetchLog(log, from, { highWatermark: 5 + count });
      expect(records).toMatchObject([{ offset: 5 + count - 1, unreadable: { code: 'too_large' } }]);
      expect(records[0]?.unreadable?.message).toContain(`from offset 5 to ${5 + count - 1}`);
      expect(nextOffset).toBe(5 + count);
    }
  });

  it('in large numbers do not fill the memory: the rest waits for the next fetch', async () => {
    const records = Array.from({ length: 15 }, () => record('a', { value: Buffer.alloc(MIB) }));
    const log = await batchOf(records, { codec: 'zstd' });
    const answers = Array.from({ length: 20 }, (_, at) => ({ topic: `t${at}`, log }));
    const taken = (await fetchAll(answers, 0)).map((fetched) => fetched.records.length);
    expect(taken.slice(0, 4)).toEqual([4, 4, 4, 4]);
    expect(taken.slice(4).every((count) => count === 0)).toBe(true);
  });

  it('of many headers do not fill the memory either', async () => {
    const headers = { many: Array.from({ length: MAX_HEADERS }, () => 'x') };
    const log = await batchOf(
      Array.from({ length: 500 }, () => record('a', { headers })),
      { codec: 'zstd' },
    );
    const { records } = await fetchLog(log);
    expect(records.length).toBeGreaterThan(0);
    expect(records.length).toBeLessThan(50);
  });

  it('of more snappy blocks than possible are not inflated', async () => {
    const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    const empty = Buffer.from([0, 0, 0, 1, 0]);
    const payload = Buffer.concat([header, ...Array.from({ length: 10_000 }, () => empty)]);
    const [found] = await oneOf(encodeBatch({ payload, count: 1, codec: codecs.snappy }));
    expect(found?.unreadable?.message).toContain('more snappy blocks');
  });
});

describe('damaged batches', () => {
  const expectUnreadable = async (batch: Buffer, message: string, offsets = [0, 1]) => {
    const innocent = await batchOf([record('innocent')], { baseOffset: 2 });
    const { records, nextOffset } = await fetchLog(Buffer.concat([batch, innocent]));
    const unreadable = records.filter((one) => one.unreadable?.code === 'unreadable_batch');
    expect(unreadable.map(({ offset }) => offset)).toEqual(offsets);
    for (const one of unreadable) expect(one.unreadable?.message).toContain(message);
    expect(records.at(-1)).toMatchObject({ offset: 2, value: Buffer.from('value of innocent') });
    expect(nextOffset).toBe(3);
  };
  const two = recordsOf([record('a'), record('b')]);

  it.each([5, 6, 7])('with the unknown codec %i', async (codec) => {
    await expectUnreadable(encodeBatch({ payload: two, count: 2, codec }), `compression codec ${codec}`);
  });

  it('with a wrong checksum', async () => {
    await expectUnreadable(encodeBatch({ payload: two, count: 2, crc: 1 }), 'checksum');
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('that are cut off (%s)', async (codec) => {
    const payload = (await compressed(codec, two)).subarray(0, 20);
    await expectUnreadable(encodeBatch({ payload, count: 2, codec: codecs[codec] }), 'damaged');
  });

  it('with fewer records than they claim', async () => {
    const payload = recordsOf([record('a')]);
    await expectUnreadable(encodeBatch({ payload, count: 2 }), 'before its last record', [1]);
  });

  it('with more records than offsets, or a negative number', async () => {
    await expectUnreadable(
      encodeBatch({ payload: two, count: 3, lastOffsetDelta: 1 }),
      '3 records in 2 offsets',
    );
    await expectUnreadable(encodeBatch({ payload: two, count: -1, lastOffsetDelta: 1 }), '-1 records');
  });

  it('with offsets that go back', async () => {
    const payload = recordsOf([record('a'), record('b', { offsetDelta: 0 })]);
    await expectUnreadable(encodeBatch({ payload, count: 2 }), 'order of their offsets', [1]);
  });

  it('that claim offsets of the next batch, or nonexistent ones', async () => {
    const batch = encodeBatch({ payload: two, count: 2, lastOffsetDelta: 2_000_000_000, crc: 1 });
    await expectUnreadable(batch, 'checksum');
    const { records, nextOffset } = await fetchLog(batch, 0, { highWatermark: 2 });
    expect(records).toHaveLength(2);
    expect(nextOffset).toBe(2);
  });

  it('of an unknown format, or without a header', async () => {
    const batch = encodeBatch({ payload: two, count: 2, magic: 9 });
    await expectUnreadable(batch, 'message format 9', [0]);
    // A fetch from an offset inside it continues after that offset.
    expect(await fetchLog(batch, 1)).toEqual({ records: [], nextOffset: 2 });
  });

  it('of any bytes never throw, and always make progress', async () => {
    const honest = await batchOf([record('a', { headers: { one: ['x', 'y'] } }), record('b')]);
    const damage = fc.array(
      fc.record({ at: fc.nat({ max: honest.length - 1 }), byte: fc.nat({ max: 255 }) }),
      { minLength: 1, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(damage, fc.boolean(), async (changes, isChecksumRight) => {
        const batch = Buffer.from(honest);
        for (const { at, byte } of changes) if (at < 8 || at >= 12) batch[at] = byte;
        if (isChecksumRight) {
          const { crc32c } = await import('../../../src/adapters/kafka/fetch/crc32c.ts');
          batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
        }
        // The broker sets the first offset, and returns the batch that contains the requested offset.
        batch.writeBigInt64BE(0n, 0);
        const isOld = batch.readInt8(16) === 0 || batch.readInt8(16) === 1;
        fc.pre(!isOld);
        const { nextOffset } = await fetchLog(batch, 0, { highWatermark: 2 });
        expect(nextOffset).toBeGreaterThan(0);
        expect(nextOffset).toBeLessThanOrEqual(2);
      }),
      { numRuns: 2_000 },
    );
  });
});
