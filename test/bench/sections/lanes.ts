import { readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startKafkaCluster } from '../../../scripts/stack/kafka-cluster.ts';
import type { BenchContext, Section } from '../support/bench-context.ts';
import { inBenchWorld } from '../support/bench-world.ts';
import { round } from '../support/measure.ts';
import { cpuSeconds, residentMiB } from '../support/process-usage.ts';
import { openLanesOf } from '../support/prometheus.ts';

const BROKERS = 3;
const LANES = 300;
const QUICK_LANES = 60;
const OPEN_TIMEOUT_MS = 300_000;
const POLL_MS = 100;
/** Time after the last lane has opened, until the after-effects of opening are over. */
const CALM_MS = 5_000;

interface Opened {
  readonly lanes: number;
  /** From the start of the process to the last open lane. */
  readonly openMs: number;
  readonly sockets: number;
  /** CPU seconds per second while idle. */
  readonly idleCores: number;
  readonly rssMiB: number;
}

/** The cost of opening many lanes in one process, and of keeping them open. */
export async function lanes(context: BenchContext): Promise<Section> {
  const count = context.quick ? QUICK_LANES : LANES;
  const results: Opened[] = [];
  const directory = await mkdtemp(join(tmpdir(), 'completion-bus-lanes-'));
  const cluster = await startKafkaCluster({ brokers: BROKERS, directory });
  try {
    for (const lanesWanted of [1, count]) results.push(await open(lanesWanted, cluster.brokers, context));
  } finally {
    await cluster.close();
    await rm(directory, { recursive: true, force: true });
  }
  const most = results.at(-1);
  return {
    title: `lanes: one process on ${BROKERS} brokers, nothing published`,
    columns: ['lanes', 'open after s', 'sockets', 'idle cores', 'MiB'],
    rows: results.map(({ lanes: open, openMs, sockets, idleCores, rssMiB }) => [
      String(open),
      (openMs / 1000).toFixed(1),
      String(sockets),
      idleCores.toFixed(3),
      rssMiB.toFixed(0),
    ]),
    notes: [
      'open after: from the start of the process, which takes its own time, to the last lane. The row with one lane is what a process',
      'without lanes costs: fetching, heartbeats, the database.',
    ],
    headline: {
      lanesOpenMs: most === undefined ? null : round(most.openMs, 0),
      lanesIdleCores: most === undefined ? null : round(most.idleCores, 3),
    },
    raw: results,
  };
}

function open(
  lanesWanted: number,
  brokers: readonly string[],
  { say, quick }: BenchContext,
): Promise<Opened> {
  say(`lanes: ${lanesWanted}`);
  const options = { partitions: lanesWanted, replication: BROKERS, brokers, script: { tokens: 1 } };
  return inBenchWorld(options, async (bench) => {
    const beganAt = performance.now();
    const service = await bench.startService({}, [], OPEN_TIMEOUT_MS);
    while (openLanesOf(await service.metrics()) < lanesWanted) {
      if (performance.now() - beganAt > OPEN_TIMEOUT_MS)
        throw new Error(`${lanesWanted} lanes did not open in time`);
      await wait(POLL_MS);
    }
    const openMs = performance.now() - beganAt;
    await wait(CALM_MS);
    const [used, from] = [cpuSeconds(service.pid), performance.now()];
    await wait(quick ? 10_000 : 30_000);
    const idleCores = (cpuSeconds(service.pid) - used) / ((performance.now() - from) / 1000);
    return {
      lanes: lanesWanted,
      openMs,
      sockets: socketsOf(service.pid),
      idleCores,
      rssMiB: residentMiB(service.pid).now,
    };
  });
}

/** Open sockets of a process, those to the database and for health checks included. */
function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(join(folder, name)).startsWith('socket:');
    } catch {
      // It was closed meanwhile.
      return false;
    }
  }).length;
}
