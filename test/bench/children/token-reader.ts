import { createAvroCodec } from '../../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../../src/adapters/avro/load-schemas.ts';
import { readTopics } from '../../../src/adapters/kafka/consumer/topic-reader.ts';
import { silent } from '../../support/world.ts';
import { obey, planOf, preciseNow } from '../support/child-commands.ts';
import { percentilesOf } from '../support/percentiles.ts';
import type { TokenReaderWindow } from '../support/plans.ts';

/* A subscriber. What it reads is decoded after the measurement; the time is taken when the record is in its hands. */

const plan = planOf('token-reader');
let read: { readonly value: Uint8Array | null; readonly at: number }[] = [];
let since = 0;
let recording = false;

await readTopics({
  settings: plan.kafka,
  logger: silent,
  topics: [plan.topic],
  from: 'end',
  onRecord: ({ value }) => {
    if (recording) read.push({ value, at: preciseNow() });
  },
  onCrash: (error) => {
    process.stderr.write(`token reader: ${String(error)}\n`);
    process.exit(1);
  },
});

obey({
  begin() {
    read = [];
    since = preciseNow();
    recording = true;
  },
  end,
});

function end(): TokenReaderWindow {
  recording = false;
  const elapsedMs = preciseNow() - since;
  const textOf = plan.form === 'chunk' ? chunkText() : (value: Uint8Array | null) => String(value);
  const latencies: number[] = [];
  for (const { value, at } of read) {
    for (const stamp of textOf(value).split(' ')) {
      if (stamp.length > 0) latencies.push(at - Number(stamp) / 1000);
    }
  }
  return { tokens: latencies.length, records: read.length, elapsedMs, latencyMs: percentilesOf(latencies) };
}

function chunkText(): (value: Uint8Array | null) => string {
  const codec = createAvroCodec({
    schemas: loadSchemas(),
    framing: { kind: 'single-object' },
    maxBytes: 10_000_000,
  });
  return (value) => codec.decode('ChatChunk', value).record.content;
}
