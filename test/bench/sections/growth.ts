import type { BenchContext, Section } from '../support/bench-context.ts';
import { type BenchWorld, inBenchWorld, type Load } from '../support/bench-world.ts';
import { measure, perSecond, round } from '../support/measure.ts';
import { median } from '../support/percentiles.ts';
import type { DriverWindow } from '../support/plans.ts';
import { residentMiB } from '../support/process-usage.ts';
import { KEYS, PARTITIONS, SCRIPT } from './throughput.ts';

interface Row {
  readonly what: string;
  readonly window: DriverWindow;
}

/** Requests of one key wait for each other, so there are only as many as are answered in a few seconds. */
const PER_KEY = 10;

/** How requests per second depend on requests in flight, keys and partitions, and what a backlog costs. */
export async function growth(context: BenchContext): Promise<Section> {
  const { quick } = context;
  const rows: Row[] = [];

  // 1. One service, one load after the other.
  const loads: { readonly what: string; readonly load: Load }[] = [
    ...(quick ? [10, 1_000] : [1, 10, 100, 1_000, 5_000]).map((outstanding) => ({
      what: `${outstanding} in flight`,
      load: { keys: Math.max(KEYS, outstanding), outstanding },
    })),
    ...(quick ? [10] : [1, 10, KEYS]).map((keys) => ({
      what: `${keys} ${keys === 1 ? 'key' : 'keys'}`,
      load: { keys, outstanding: Math.min(keys * PER_KEY, KEYS) },
    })),
  ];
  const options = { partitions: PARTITIONS, script: SCRIPT, env: { MAX_IN_FLIGHT: '6000' } };
  await inBenchWorld(options, async (bench) => {
    const service = await bench.startService();
    for (const { what, load } of loads) rows.push(await underLoad(what, load, bench, service.pid, context));
  });

  // 2. A service for each number of partitions.
  for (const partitions of quick ? [1] : [1, 2, 12]) {
    const row = await inBenchWorld({ ...options, partitions }, async (bench) => {
      const service = await bench.startService();
      const what = `${partitions} ${partitions === 1 ? 'partition' : 'partitions'}, 1,000 in flight`;
      return underLoad(what, { keys: KEYS, outstanding: 1_000 }, bench, service.pid, context);
    });
    rows.push(row);
  }

  const backlog = await withBacklog(context);
  return {
    title: `growth: ${PARTITIONS} partitions and ${KEYS} keys unless said otherwise, answers as in "throughput"`,
    columns: ['', 'requests/s', 'p50 ms', 'p99 ms'],
    rows: [
      ...rows.map(({ what, window }) => [
        what,
        perSecond(window.responses, window.elapsedMs).toFixed(1),
        window.requestMs?.p50.toFixed(0) ?? '',
        window.requestMs?.p99.toFixed(0) ?? '',
      ]),
      [`backlog of ${backlog.records}`, backlog.large.requestsPerSecond.toFixed(1), '', ''],
    ],
    notes: [
      'Without a word on keys each request in flight has a key of its own, up to 1,000 keys and beyond that as many as requests.',
      `With few keys there are ${PER_KEY} requests of each at a time, up to 1,000; those of one key are answered one after the other.`,
      `Backlog: ${backlog.large.rssMiB.toFixed(0)} MiB while the service works through it, ${backlog.small.rssMiB.toFixed(0)} MiB after as many requests without one.`,
    ],
    headline: { backlogRssGrowthMiB: round(backlog.large.rssMiB - backlog.small.rssMiB) },
    raw: { rows, backlog },
  };
}

async function underLoad(
  what: string,
  load: Load,
  bench: BenchWorld,
  pid: number,
  { quick, say }: BenchContext,
): Promise<Row> {
  say(`growth: ${what}`);
  const driver = await bench.startDriver(load);
  const time = quick ? { warmUpMs: 2_000, windowMs: 4_000 } : { warmUpMs: 4_000, windowMs: 10_000 };
  const { window } = await measure<DriverWindow>(driver, { service: pid }, time);
  await driver.ask('drain');
  await driver.close();
  return { what, window };
}

/** Short answers, so that the records are handled quickly. */
const BACKLOG_SCRIPT = { tokens: 5, firstTokenMs: 20, gapMs: 5 };
const SAMPLE_MS = 250;

interface BacklogRun {
  readonly answered: number;
  readonly requestsPerSecond: number;
  /** Median over the second half. */
  readonly rssMiB: number;
}

/** Answers the same number of requests as they arrive and from a backlog. Memory must not differ. */
async function withBacklog({ quick, say }: BenchContext) {
  const records = quick ? 20_000 : 100_000;
  const answered = quick ? 4_000 : 30_000;
  const measured = (load: Load) =>
    inBenchWorld({ partitions: PARTITIONS, script: BACKLOG_SCRIPT }, async (bench) => {
      // The backlog exists before the service starts.
      const early = load.backlog === undefined ? null : await bench.startDriver(load);
      const service = await bench.startService();
      const driver = early ?? (await bench.startDriver(load));
      const began = performance.now();
      const samples: number[] = [];
      for (let completed = 0; completed < answered; completed = await driver.ask<number>('completed')) {
        await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
        samples.push(residentMiB(service.pid).now);
      }
      return {
        answered,
        requestsPerSecond: perSecond(answered, performance.now() - began),
        rssMiB: median(samples.slice(Math.floor(samples.length / 2))),
      } satisfies BacklogRun;
    });
  say('growth: as many requests without a backlog');
  // As many as the service holds of a backlog, so that only the number waiting in Kafka differs.
  const small = await measured({ keys: KEYS, outstanding: 3_000 });
  say(`growth: a backlog of ${records}`);
  const large = await measured({ keys: KEYS, outstanding: 0, backlog: records });
  return { records, small, large };
}
