import { type BenchContext, coresText, type Section } from '../support/bench-context.ts';
import { type BenchWorld, inBenchWorld } from '../support/bench-world.ts';
import { startChild } from '../support/child-process.ts';
import { type Measured, measure, perSecond, round } from '../support/measure.ts';
import { median } from '../support/percentiles.ts';
import type { ClientLoopWindow, DriverWindow } from '../support/plans.ts';
import { type Settled, settledBetween } from '../support/settled.ts';

export const PARTITIONS = 6;
export const KEYS = 1_000;
export const IN_FLIGHT = 1_000;
/** 40 tokens 10 ms apart, the first after 50 ms. */
export const SCRIPT = { tokens: 40, firstTokenMs: 50, gapMs: 10 };

const names = {
  service: 'this service',
  usualLoop: 'usual kafkajs loop',
  sdk: 'openai SDK loop, no Kafka',
  undici: 'undici loop, no Kafka',
} as const;
type Contender = keyof typeof names;
type Run = Pick<Measured<DriverWindow | ClientLoopWindow>, 'window' | 'cores'>;

export interface ServiceRun extends Pick<Measured<DriverWindow>, 'window' | 'cores'> {
  readonly settled: Settled;
}

/** Requests per second of the service and of three alternatives, in turn, several times. */
export async function throughput(context: BenchContext): Promise<Section> {
  const { quick, say } = context;
  const runs: Record<Contender, Run[]> = { service: [], usualLoop: [], sdk: [], undici: [] };
  // Runs first, because it waits for the provider and is not affected by a broker that has just started.
  say(`throughput: ${names.usualLoop}`);
  runs.usualLoop.push(await inThroughputWorld((bench) => run.usualLoop(bench, context)));
  for (let round = 1; round <= (quick ? 1 : 3); round += 1) {
    for (const contender of ['service', 'sdk', 'undici'] as const) {
      say(`throughput: ${names[contender]}, round ${round}`);
      runs[contender].push(await inThroughputWorld((bench) => run[contender](bench, context)));
    }
  }

  const rates = (contender: Contender) =>
    runs[contender].map(({ window }) => perSecond(window.responses, window.elapsedMs));
  const rate = (contender: Contender) => median(rates(contender));
  const ratio = (contender: Contender) => round(rate('service') / rate(contender), 2);
  /** CPU time of the service or the loop per request. Steadier than requests/s on a busy machine. */
  const cpuMs = (contender: Contender) =>
    median(
      runs[contender].map(({ window, cores }) => {
        const own = cores['service'] ?? cores['loop'] ?? 0;
        return (own * window.elapsedMs) / window.responses;
      }),
    );
  return {
    title: `throughput: ${PARTITIONS} partitions, ${KEYS} keys, ${IN_FLIGHT} in flight; ${SCRIPT.tokens} tokens ${SCRIPT.gapMs} ms apart after ${SCRIPT.firstTokenMs} ms`,
    columns: ['', 'requests/s', 'service is', 'CPU ms', 'p50 ms', 'p99 ms', 'cores', 'rounds'],
    rows: (Object.keys(names) as Contender[]).map((contender) => {
      const last = runs[contender].at(-1);
      const requestMs = last && 'requestMs' in last.window ? last.window.requestMs : null;
      return [
        names[contender],
        rate(contender).toFixed(1),
        contender === 'service' ? '' : `${ratio(contender).toFixed(2)} x`,
        cpuMs(contender).toFixed(2),
        requestMs?.p50.toFixed(0) ?? '',
        requestMs?.p99.toFixed(0) ?? '',
        coresText(last?.cores ?? {}),
        rates(contender).join(' '),
      ];
    }),
    notes: [
      'CPU ms: of the service or the loop itself, per request. Median of the rounds; percentiles (publishing a request to reading its response) and cores of the last one.',
      'In flight: published and not answered; each answer lets the next request of its key be published.',
    ],
    headline: {
      vsKafkajsLoop: ratio('usualLoop'),
      vsOpenaiSdk: ratio('sdk'),
      vsUndici: ratio('undici'),
    },
    raw: runs,
  };
}

export function inThroughputWorld<Result>(measured: (bench: BenchWorld) => Promise<Result>): Promise<Result> {
  return inBenchWorld({ partitions: PARTITIONS, script: SCRIPT }, measured);
}

/** The service alone, under the same load. */
export async function runService(
  bench: BenchWorld,
  context: BenchContext,
  options: {
    readonly outstanding?: number;
    readonly keys?: number;
    readonly nodeOptions?: readonly string[];
  } = {},
): Promise<ServiceRun> {
  const service = await bench.startService({}, options.nodeOptions);
  const driver = await bench.startDriver({
    keys: options.keys ?? KEYS,
    outstanding: options.outstanding ?? IN_FLIGHT,
  });
  const pids = {
    service: service.pid,
    'stand-in': bench.world.standIn.pid,
    driver: driver.pid,
    ...context.servers,
  };
  const { window, cores, snapshots } = await measure<DriverWindow>(driver, pids, times(context), () =>
    service.metrics(),
  );
  if (options.nodeOptions !== undefined) await service.stop();
  if (window.failed > 0) throw new Error(`${window.failed} requests failed under load`);
  return { window, cores, settled: settledBetween(...snapshots) };
}

const run: Record<Contender, (bench: BenchWorld, context: BenchContext) => Promise<Run>> = {
  service: (bench, context) => runService(bench, context),

  async usualLoop(bench, { servers, quick }) {
    const { config, topics, standIn } = bench.world;
    const loop = bench.started(
      await startChild('usual-loop', {
        kafka: config.kafka,
        topics,
        partitions: PARTITIONS,
        baseUrl: standIn.url,
      }),
    );
    const driver = await bench.startDriver({ keys: KEYS, outstanding: IN_FLIGHT, form: 'json' });
    const pids = { loop: loop.pid, 'stand-in': standIn.pid, driver: driver.pid, ...servers };
    const time = { warmUpMs: 2_000, windowMs: quick ? 5_000 : 15_000 };
    const { window, cores } = await measure<DriverWindow>(driver, pids, time);
    return { window, cores };
  },

  sdk: (bench, context) => runClientLoop(bench, context, 'sdk-loop'),
  undici: (bench, context) => runClientLoop(bench, context, 'undici-loop'),
};

async function runClientLoop(
  bench: BenchWorld,
  context: BenchContext,
  name: 'sdk-loop' | 'undici-loop',
): Promise<Run> {
  const { standIn } = bench.world;
  const loop = bench.started(await startChild(name, { baseUrl: standIn.url, concurrency: IN_FLIGHT }));
  const pids = { loop: loop.pid, 'stand-in': standIn.pid };
  const { window, cores } = await measure<ClientLoopWindow>(loop, pids, times(context));
  return { window, cores };
}

function times({ quick }: BenchContext) {
  return quick ? { warmUpMs: 4_000, windowMs: 8_000 } : { warmUpMs: 5_000, windowMs: 15_000 };
}
