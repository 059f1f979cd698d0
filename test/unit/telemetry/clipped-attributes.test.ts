import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { present } from '../../../src/telemetry/names.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

it('keeps only the clipped part of a long text', () => {
  collect();
  const before = process.memoryUsage().heapUsed;
  const kept = Array.from({ length: 50 }, (_, index) =>
    present({ key: Buffer.alloc(900_000, 65 + (index % 20)).toString() }),
  );
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(10_000_000);
  expect(String(kept[0]?.['key'])).toHaveLength(1_024);
  expect(present({ key: `${'x'.repeat(1_023)}😀` })['key']).toBe(`${'x'.repeat(1_023)}\ufffd`);
});
