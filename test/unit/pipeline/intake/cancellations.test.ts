import { metrics as telemetry } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import type { ChatFailure } from '../../../../src/domain/failures/chat-failure.ts';
import {
  Cancellations,
  MAX_REMEMBERED,
  REMEMBERED_MS,
} from '../../../../src/pipeline/intake/cancellations.ts';
import { createLogger } from '../../../../src/runtime/logger.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { FakeClock } from '../../../support/fakes/fake-clock.ts';

class Bench {
  readonly clock = new FakeClock();
  readonly lines: string[] = [];
  readonly reached: [id: string, reason: string | null][] = [];
  readonly cancellations = new Cancellations({
    clock: this.clock,
    metrics: createMetrics(telemetry.getMeter('test')),
    logger: createLogger({ level: 'info', destination: { write: (line) => this.lines.push(line) } }),
  });

  add(requestId: string, reason: string | null = null, tenantId = 'default'): boolean {
    return this.cancellations.add({ requestId, tenantId, reason });
  }

  watch(requestId: string, tenantId = 'default'): () => void {
    return this.cancellations.watch({ requestId, tenantId }, ({ callerReason }: ChatFailure) =>
      this.reached.push([requestId, callerReason]),
    );
  }
}

describe('Cancellations', () => {
  it('reach every request of the id that is watched, once', () => {
    const bench = new Bench();
    bench.watch('a');
    bench.watch('a');
    bench.watch('b');
    bench.add('a', 'user left');
    bench.add('a', 'again');
    expect(bench.reached).toEqual([
      ['a', 'user left'],
      ['a', 'user left'],
    ]);
  });

  it('reach a request that comes within a day', () => {
    const bench = new Bench();
    bench.add('a', 'early');
    bench.clock.advance(REMEMBERED_MS - 1);
    bench.watch('a');
    expect(bench.reached).toEqual([['a', 'early']]);
    bench.clock.advance(1);
    bench.watch('a');
    expect(bench.reached).toHaveLength(1);
  });

  it('reach no other tenant, whatever the names are', () => {
    const bench = new Bench();
    bench.watch('a', 'acme');
    bench.watch('toString', 'acme');
    bench.add('a', null, 'other');
    bench.add('a');
    bench.add('__proto__', null, 'acme');
    expect(bench.reached).toEqual([]);
    bench.add('toString', null, 'acme');
    expect(bench.reached).toEqual([['toString', null]]);
  });

  it('reach no other tenant if a name contains what separates names', () => {
    const bench = new Bench();
    bench.watch('a', 'b\nc');
    expect(bench.add('a\nb', null, 'c')).toBe(false);
    expect(bench.reached).toEqual([]);
    bench.add('a', null, 'b\nc');
    expect(bench.reached).toEqual([['a', null]]);
  });

  it('take the name of a tenant as requests do', () => {
    const bench = new Bench();
    bench.watch('a', 'x\ud800'.toWellFormed());
    bench.add('a', null, 'x\ud800');
    expect(bench.reached).toHaveLength(1);
  });

  it('do not reach what is not watched any more', () => {
    const bench = new Bench();
    const stop = bench.watch('a');
    const other = bench.watch('a');
    stop();
    other();
    other();
    bench.watch('a');
    bench.add('a');
    expect(bench.reached).toHaveLength(1);
  });

  it('refuse names that no request can have, and clip reasons', () => {
    const bench = new Bench();
    expect(bench.add('x'.repeat(128))).toBe(true);
    expect(bench.add('x'.repeat(129))).toBe(false);
    expect(bench.add('x', null, 't'.repeat(1_025))).toBe(false);
    bench.watch('y'.repeat(8_000_000));
    bench.add('a', `${'r'.repeat(255)}😀`);
    bench.watch('a');
    expect(bench.reached).toEqual([['a', `${'r'.repeat(255)}\ufffd`]]);
  });

  it('forget the oldest beyond their number', () => {
    const bench = new Bench();
    for (let index = 0; index <= MAX_REMEMBERED; index += 1) bench.add(`r-${index}`);
    bench.watch('r-0');
    expect(bench.reached).toEqual([]);
    bench.watch('r-1');
    bench.watch(`r-${MAX_REMEMBERED}`);
    expect(bench.reached).toHaveLength(2);
  });

  it('forget the oldest beyond their bytes', () => {
    const bench = new Bench();
    const tenant = 't'.repeat(1_000);
    for (let index = 0; index < 20_000; index += 1) bench.add(`r-${index}`, 'r'.repeat(256), tenant);
    bench.watch('r-0', tenant);
    bench.watch('r-7000', tenant);
    expect(bench.reached).toEqual([]);
    bench.watch('r-9000', tenant);
    expect(bench.reached).toHaveLength(1);
  });

  it('are logged at a limited rate, without the reason', () => {
    const bench = new Bench();
    for (let index = 0; index < 50; index += 1) {
      bench.watch(`r-${index}`);
      bench.add(`r-${index}`, 'secret');
    }
    expect(bench.lines).toHaveLength(1);
    expect(bench.lines[0]).toContain('"requestId":"r-0"');
    expect(bench.lines[0]).not.toContain('secret');
  });
});
