import type { BenchContext, Section } from '../support/bench-context.ts';
import { type BenchWorld, inBenchWorld } from '../support/bench-world.ts';
import { type Child, startChild } from '../support/child-process.ts';
import { measure, perSecond, round } from '../support/measure.ts';
import { median } from '../support/percentiles.ts';
import type { PlainProducerPlan, TokenReaderWindow } from '../support/plans.ts';

const PARTITIONS = 6;
/** 20 tokens a second and stream, as fast models write; the stand-in puts the time of writing into each. */
const SCRIPT = { stamp: true, tokens: 200, firstTokenMs: 50, gapMs: 50 };
const STREAMS = [1, 100, 1_000] as const;
/** Number of streams for the headline ratio. */
const HEADLINE_STREAMS = 100;
/** Size of a ChatChunk with one token, without its key. */
const VALUE_BYTES = 75;
/** Above this number of streams, one send per message is impractical. */
const EACH_UP_TO_STREAMS = 100;

type Way = 'service' | PlainProducerPlan['sending'];

interface Row {
  readonly streams: number;
  readonly way: Way;
  readonly rounds: TokenReaderWindow[];
}

const ways: Record<Way, string> = {
  service: 'token written -> chunk read',
  grouped: 'kafkajs alone, one send at a time with all that waits',
  each: 'kafkajs alone, a send per message',
};

/** Latency from writing a token to a subscriber reading it, compared with a plain message. */
export async function latency(context: BenchContext): Promise<Section> {
  const rows: Row[] = [];
  for (const streams of STREAMS) {
    const options = { partitions: PARTITIONS, script: SCRIPT };
    rows.push(...(await inBenchWorld(options, (bench) => atStreams(streams, bench, context))));
  }
  const p50 = (streams: number, way: Way) => {
    const row = rows.find((candidate) => candidate.streams === streams && candidate.way === way);
    return medianOf(row?.rounds ?? [], ({ latencyMs }) => latencyMs?.p50);
  };
  const ratio = (streams: number) => p50(streams, 'service') / p50(streams, 'grouped');
  return {
    title: `latency: tokens ${SCRIPT.gapMs} ms apart in each stream, ${PARTITIONS} partitions`,
    columns: [
      'streams',
      '',
      'tokens/s',
      'records/s',
      'p50 ms',
      'p99 ms',
      'p50 ratio',
      'added p50 ms',
      'rounds',
    ],
    rows: rows.map(({ streams, way, rounds }) => [
      String(streams),
      ways[way],
      medianOf(rounds, ({ tokens, elapsedMs }) => perSecond(tokens, elapsedMs)).toFixed(0),
      medianOf(rounds, ({ records, elapsedMs }) => perSecond(records, elapsedMs)).toFixed(0),
      medianOf(rounds, ({ latencyMs }) => latencyMs?.p50).toFixed(2),
      medianOf(rounds, ({ latencyMs }) => latencyMs?.p99).toFixed(2),
      way === 'service' ? `${ratio(streams).toFixed(2)} x` : '',
      way === 'service' ? (p50(streams, 'service') - p50(streams, 'grouped')).toFixed(2) : '',
      rounds.map(({ latencyMs }) => latencyMs?.p50.toFixed(2)).join(' '),
    ]),
    notes: [
      "Stamps and readings are of one machine's clock; the reader is the same for all, a subscriber in its own process.",
      'The ratio is to kafkajs alone at the same number of messages a second, sent as the service sends its chunks.',
      'Medians of the rounds, which take turns; rounds: their p50.',
    ],
    headline: { addedLatencyRatioP50: round(ratio(HEADLINE_STREAMS), 2) },
    raw: rows,
  };
}

/** Measures each variant in turn. The service always runs, but without requests while kafkajs alone is measured. */
async function atStreams(streams: number, bench: BenchWorld, context: BenchContext): Promise<Row[]> {
  const { quick, say } = context;
  await bench.startService();
  const hasEach = streams <= EACH_UP_TO_STREAMS && !quick;
  const measured: readonly Way[] = ['grouped', ...(hasEach ? (['each'] as const) : []), 'service'];
  const rows = measured.map((way): Row => ({ streams, way, rounds: [] }));
  for (let round = 1; round <= (quick || streams !== HEADLINE_STREAMS ? 1 : 3); round += 1) {
    for (const { way, rounds } of rows) {
      say(`latency: ${streams} streams, ${ways[way]}, round ${round}`);
      rounds.push(
        way === 'service'
          ? await measureService(streams, bench, quick)
          : await measurePlain(streams, way, bench, quick),
      );
    }
  }
  return rows.reverse();
}

async function measureService(
  streams: number,
  bench: BenchWorld,
  quick: boolean,
): Promise<TokenReaderWindow> {
  const reader = await startReader(bench, 'chunk');
  // Spread over more than the gap, so that the streams' tokens are not in step.
  const rampMs = Math.min(1_000, streams * 10);
  const driver = await bench.startDriver({ keys: streams, outstanding: streams, rampMs });
  const { window } = await measure<TokenReaderWindow>(reader, {}, times(quick));
  await driver.ask('drain');
  await driver.close();
  await reader.close();
  return window;
}

async function measurePlain(
  streams: number,
  sending: PlainProducerPlan['sending'],
  bench: BenchWorld,
  quick: boolean,
): Promise<TokenReaderWindow> {
  const reader = await startReader(bench, 'plain');
  const { config, topics } = bench.world;
  const { gapMs } = SCRIPT;
  // Any topic does; this one has the settings of the real chunks.
  const to = { kafka: config.kafka, topic: topics.chunks };
  const producer = bench.started(
    await startChild('plain-producer', { ...to, streams, gapMs, valueBytes: VALUE_BYTES, sending }),
  );
  const { window } = await measure<TokenReaderWindow>(reader, {}, times(quick));
  await producer.close();
  await reader.close();
  return window;
}

async function startReader(bench: BenchWorld, form: 'chunk' | 'plain'): Promise<Child> {
  const { config, topics } = bench.world;
  return bench.started(await startChild('token-reader', { kafka: config.kafka, topic: topics.chunks, form }));
}

function times(quick: boolean) {
  return quick ? { warmUpMs: 2_000, windowMs: 4_000 } : { warmUpMs: 3_000, windowMs: 8_000 };
}

function medianOf(
  rounds: readonly TokenReaderWindow[],
  figure: (window: TokenReaderWindow) => number | undefined,
): number {
  return median(rounds.map((window) => figure(window) ?? Number.NaN));
}
