import { setTimeout as wait } from 'node:timers/promises';
import type { BenchContext, Section } from '../support/bench-context.ts';
import { type BenchWorld, inBenchWorld } from '../support/bench-world.ts';
import { startChild } from '../support/child-process.ts';
import { measure, perSecond, round } from '../support/measure.ts';
import type { PlainProducerPlan, TokenReaderWindow } from '../support/plans.ts';

const PARTITIONS = 6;
/** 20 tokens a second and stream, as fast models write; the stand-in puts the time of writing into each. */
const SCRIPT = { stamp: true, tokens: 200, firstTokenMs: 50, gapMs: 50 };
const STREAMS = [1, 100, 1_000] as const;
/** Streams that the ratio at the top is taken at. */
const HEADLINE_STREAMS = 100;
/** A ChatChunk with one token, its key apart. */
const VALUE_BYTES = 75;
/** Beyond it one send per message is no way to produce. */
const EACH_UP_TO_STREAMS = 100;

type Way = 'service' | PlainProducerPlan['sending'];

interface Row {
  readonly streams: number;
  readonly way: Way;
  readonly window: TokenReaderWindow;
}

const ways: Record<Way, string> = {
  service: 'token written -> chunk read',
  grouped: 'kafkajs alone, one send at a time with all that waits',
  each: 'kafkajs alone, a send per message',
};

/** From the moment a token is written to the moment a subscriber has it, beside the same way of a plain message. */
export async function latency(context: BenchContext): Promise<Section> {
  const rows: Row[] = [];
  for (const streams of STREAMS) {
    const options = { partitions: PARTITIONS, script: SCRIPT };
    rows.push(...(await inBenchWorld(options, (bench) => atStreams(streams, bench, context))));
  }
  const p50 = (streams: number, way: Way) =>
    rows.find((row) => row.streams === streams && row.way === way)?.window.latencyMs?.p50 ?? Number.NaN;
  const ratio = (streams: number) => p50(streams, 'service') / p50(streams, 'grouped');
  return {
    title: `latency: tokens ${SCRIPT.gapMs} ms apart in each stream, ${PARTITIONS} partitions`,
    columns: ['streams', '', 'tokens/s', 'records/s', 'p50 ms', 'p99 ms', 'p50 ratio', 'added p50 ms'],
    rows: rows.map(({ streams, way, window }) => [
      String(streams),
      ways[way],
      perSecond(window.tokens, window.elapsedMs).toFixed(0),
      perSecond(window.records, window.elapsedMs).toFixed(0),
      window.latencyMs?.p50.toFixed(2) ?? '',
      window.latencyMs?.p99.toFixed(2) ?? '',
      way === 'service' ? `${ratio(streams).toFixed(2)} x` : '',
      way === 'service' ? (p50(streams, 'service') - p50(streams, 'grouped')).toFixed(2) : '',
    ]),
    notes: [
      "Stamps and readings are of one machine's clock; the reader is the same for all, a subscriber in its own process.",
      'The ratio is to kafkajs alone at the same number of messages a second, sent as the service sends its chunks.',
    ],
    headline: { addedLatencyRatioP50: round(ratio(HEADLINE_STREAMS), 2) },
    raw: rows,
  };
}

async function atStreams(streams: number, bench: BenchWorld, context: BenchContext): Promise<Row[]> {
  const time = context.quick ? { warmUpMs: 2_000, windowMs: 4_000 } : { warmUpMs: 4_000, windowMs: 12_000 };
  const { config, topics } = bench.world;
  const sendings = streams <= EACH_UP_TO_STREAMS ? (['grouped', 'each'] as const) : (['grouped'] as const);
  const rows: Row[] = [];

  // 1. kafkajs alone, while the service is not there. Any topic does: this one has the settings of the real chunks.
  for (const sending of sendings) {
    context.say(`latency: ${streams} streams, ${ways[sending]}`);
    const reader = bench.started(
      await startChild('token-reader', { kafka: config.kafka, topic: topics.chunks, form: 'plain' }),
    );
    const { gapMs } = SCRIPT;
    const plan = {
      kafka: config.kafka,
      topic: topics.chunks,
      streams,
      gapMs,
      valueBytes: VALUE_BYTES,
      sending,
    };
    const producer = bench.started(await startChild('plain-producer', plan));
    const { window } = await measure<TokenReaderWindow>(reader, {}, time);
    await producer.close();
    await reader.close();
    rows.push({ streams, way: sending, window });
  }

  // 2. The service.
  context.say(`latency: ${streams} streams, ${ways.service}`);
  await bench.startService();
  const reader = bench.started(
    await startChild('token-reader', { kafka: config.kafka, topic: topics.chunks, form: 'chunk' }),
  );
  // Spread over the gap and more, so that the streams' tokens do not come in step.
  const rampMs = Math.min(1_000, streams * 10);
  await bench.startDriver({ keys: streams, outstanding: streams, rampMs });
  await wait(rampMs);
  const { window } = await measure<TokenReaderWindow>(reader, {}, time);
  rows.unshift({ streams, way: 'service', window });
  return rows;
}
