import { describe, expect, it } from 'vitest';
import { structureBytes } from '../../../../src/pipeline/intake/structure-bytes.ts';
import { started } from '../pipeline-bench.ts';

describe('structureBytes', () => {
  it('counts objects, lists and names, not the length of texts', () => {
    expect(structureBytes('x'.repeat(100_000))).toBeLessThan(100);
    expect(structureBytes(Array.from({ length: 1_000 }, () => ({ a: null })))).toBeGreaterThan(40_000);
    expect(structureBytes(null)).toBe(0);
  });
});

describe('Pipeline with requests that are small as bytes and large in memory', () => {
  it('counts their decoded size, and releases all of it', async () => {
    const bench = await started({ maxInFlight: 1_000, maxInFlightBytes: 20_000_000 });
    const messages = Array.from({ length: 20_000 }, () => ({ role: '' }));
    for (let index = 0; index < 20; index += 1) bench.publish(`r${index}`, 'same key', 0, { messages });
    bench.fetch();
    // Each takes 3 MB in memory, and 40 % of the limit is for requests.
    expect(bench.pipeline.inFlight).toBeLessThan(5);
    expect(bench.pipeline.inFlightBytes).toBeLessThan(14_000_000);
    await bench.reach(() => {
      bench.fetch();
      return bench.transportOf().committed.offset === 20;
    });
    expect([bench.pipeline.inFlight, bench.pipeline.inFlightBytes]).toEqual([0, 0]);
  });
});
