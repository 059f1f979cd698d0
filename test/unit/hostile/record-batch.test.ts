import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { expect, it } from 'vitest';
import { compressBomb } from '../../hostile/wire/compress-bomb.ts';
import { encodeRecords, recordBatch } from '../../hostile/wire/record-batch.ts';

const require = createRequire(import.meta.url);
const Decoder = require('kafkajs/src/protocol/decoder.js');
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder.js');

it('writes a batch that a client can read', async () => {
  const records = [
    {
      key: Buffer.from('k'),
      value: Buffer.from('v'),
      headers: [
        ['a', 'b'],
        ['a', null],
      ] as const,
    },
    { key: null, value: null, headers: [] },
  ];
  const batch = recordBatch(encodeRecords(records), 2, 'none', 1_000);
  const { records: read } = await decodeBatch(new Decoder(batch));
  expect(read).toMatchObject([
    {
      offset: '0',
      timestamp: '1000',
      key: Buffer.from('k'),
      value: Buffer.from('v'),
      headers: { a: [Buffer.from('b'), null] },
    },
    { offset: '1', key: null, value: null, headers: {} },
  ]);
});

it('compresses a record with a repeated value', async () => {
  const key = Buffer.from('bomb');
  const inflated = await promisify(gunzip)(await compressBomb(key, 3_000_000, 'gzip'));
  const plain = encodeRecords([{ key, value: Buffer.alloc(3_000_000), headers: [] }]);
  expect(inflated.equals(plain)).toBe(true);
});
