import { setTimeout as wait } from 'node:timers/promises';
import type { BenchContext, Section } from '../support/bench-context.ts';
import { type BenchWorld, inBenchWorld } from '../support/bench-world.ts';
import { round } from '../support/measure.ts';
import { median } from '../support/percentiles.ts';
import { openFilesLimit, residentMiB } from '../support/process-usage.ts';

/** Needed because the offset map bounds the open requests of one partition. */
const PARTITIONS = 12;
/** Streams outlast the measurement. The service is then stopped while they are open. */
const SCRIPT = { tokens: 400, firstTokenMs: 500, gapMs: 5_000 };
const SIZES = [1_000, 5_000, 10_000] as const;
/** Sockets and files of a process besides its streams. */
const SPARE_FILES = 500;
const OPEN_TIMEOUT_MS = 90_000;

interface Size {
  readonly streams: number;
  /** Median while the streams are open and write. */
  readonly rssMiB: number;
  /** The peak until then, including opening. */
  readonly peakMiB: number;
}

/** Resident size of one service with a growing number of open streams. */
export async function memory(context: BenchContext): Promise<Section> {
  const limit = openFilesLimit() ?? Number.POSITIVE_INFINITY;
  const wanted = context.quick ? SIZES.slice(0, 1) : SIZES;
  const possible = wanted.filter((streams) => streams + SPARE_FILES <= limit);
  const options = {
    partitions: PARTITIONS,
    script: SCRIPT,
    env: { MAX_IN_FLIGHT: '20000', CHAT_REQUEST_TIMEOUT: '1h' },
  };
  const { idleMiB, sizes } = await inBenchWorld(options, (bench) => grow(bench, possible, context));
  const of10000 = sizes.find(({ streams }) => streams === 10_000);
  const notes = [
    `One service, ${PARTITIONS} partitions, a token of each stream every ${SCRIPT.gapMs / 1000} s; before the first request it has ${idleMiB.toFixed(0)} MiB.`,
  ];
  if (possible.length < wanted.length) {
    notes.push(`The hard limit of open files is ${limit}: raise it (ulimit -Hn) to measure more streams.`);
  }
  return {
    title: 'memory: resident size of the service',
    columns: ['open streams', 'MiB', 'peak MiB', 'KiB per stream'],
    rows: sizes.map(({ streams, rssMiB, peakMiB }) => [
      String(streams),
      rssMiB.toFixed(0),
      peakMiB.toFixed(0),
      (((rssMiB - idleMiB) * 1024) / streams).toFixed(1),
    ]),
    notes,
    headline: { rssMiB10000Streams: of10000 === undefined ? null : round(of10000.rssMiB, 0) },
    raw: { idleMiB, sizes },
  };
}

async function grow(
  bench: BenchWorld,
  sizes: readonly number[],
  { quick, say }: BenchContext,
): Promise<{ idleMiB: number; sizes: Size[] }> {
  const service = await bench.startService();
  const idleMiB = residentMiB(service.pid).now;
  const results: Size[] = [];
  let open = 0;
  for (const streams of sizes) {
    say(`memory: ${streams} streams`);
    await bench.startDriver({ keys: streams - open, outstanding: streams - open, rampMs: 1_000 });
    open = streams;
    await untilOpen(bench, streams);
    await wait(quick ? 2_000 : 5_000);
    const samples: number[] = [];
    for (let sample = 0; sample < (quick ? 10 : 40); sample += 1) {
      samples.push(residentMiB(service.pid).now);
      await wait(250);
    }
    results.push({ streams, rssMiB: median(samples), peakMiB: residentMiB(service.pid).peak });
  }
  return { idleMiB, sizes: results };
}

async function untilOpen(bench: BenchWorld, streams: number): Promise<void> {
  const deadline = Date.now() + OPEN_TIMEOUT_MS;
  for (;;) {
    const { open } = await bench.world.standIn.summary();
    if (open >= streams) return;
    if (Date.now() > deadline) throw new Error(`only ${open} of ${streams} streams were opened in time`);
    await wait(250);
  }
}
