import type { Message } from 'kafkajs';
import { createAvroCodec } from '../../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../../src/adapters/avro/load-schemas.ts';
import { readTopics } from '../../../src/adapters/kafka/consumer/topic-reader.ts';
import { createKafka, PATIENT_RETRIES } from '../../../src/adapters/kafka/kafkajs/kafka-client.ts';
import type { InboundRecord } from '../../../src/ports/kafka.ts';
import { silent } from '../../support/world.ts';
import { obey, planOf, preciseNow } from '../support/child-commands.ts';
import { percentilesOf } from '../support/percentiles.ts';
import type { DriverWindow } from '../support/plans.ts';

/*
 * Publishes requests and reads responses, doing as little as can be: both cores are shared with what is measured. A
 * request is a copy of one template with other digits in its id; responses are decoded after the measurement.
 */

const BACKLOG_BATCH = 2_000;
const ID_DIGITS = 8;

const plan = planOf('driver');
const template = Buffer.from(plan.template, 'base64');
const producer = createKafka(plan.kafka, silent, PATIENT_RETRIES).producer({
  allowAutoTopicCreation: false,
  retry: PATIENT_RETRIES,
});

let requests = 0;
let responses = 0;
let open = plan.backlog === 0;
/** When each key's unanswered requests were published, oldest first: answers keep their order. */
const publishedAt = new Map<string, number[]>();
const waiting: Message[] = [];
let sending = false;

let window: { since: number; responses: number } | null = null;
let latencies: number[] = [];
let read: { readonly value: Uint8Array | null; readonly at: number }[] = [];
let drained: (() => void) | null = null;

await producer.connect();
await readTopics({
  settings: plan.kafka,
  logger: silent,
  topics: [plan.topics.responses],
  from: 'end',
  onRecord,
  onCrash: fail,
});
if (plan.backlog > 0) await publishBacklog();
else startLoop();

obey({
  begin() {
    latencies = [];
    read = [];
    window = { since: preciseNow(), responses };
  },
  end,
  completed: () => responses,
  /** Publishes nothing more and waits for what is unanswered. */
  drain() {
    open = false;
    if (responses >= requests) return null;
    return new Promise<void>((resolve) => {
      drained = resolve;
    });
  },
});

function onRecord(record: InboundRecord): void {
  const at = preciseNow();
  const key = Buffer.from(record.key ?? []).toString();
  const since = publishedAt.get(key)?.shift();
  // Another driver's.
  if (since === undefined) return;
  responses += 1;
  if (window !== null) {
    latencies.push(at - since);
    read.push({ value: record.value, at });
  }
  if (open) publish(key);
  else if (responses >= requests) drained?.();
}

function newRequest(key: string): Message {
  requests += 1;
  const value = Buffer.from(template);
  value.write(String(requests).padStart(ID_DIGITS, '0'), plan.idAt, 'latin1');
  const since = publishedAt.get(key);
  if (since === undefined) publishedAt.set(key, [preciseNow()]);
  else since.push(preciseNow());
  return { key, value };
}

function publish(key: string): void {
  waiting.push(newRequest(key));
  if (!sending) sendAll().catch(fail);
}

async function sendAll(): Promise<void> {
  sending = true;
  while (waiting.length > 0) {
    await producer.send({ topic: plan.topics.requests, messages: waiting.splice(0) });
  }
  sending = false;
}

function startLoop(): void {
  for (let index = 0; index < plan.outstanding; index += 1) {
    const key = `${plan.keyPrefix}${index % plan.keys}`;
    if (plan.rampMs === 0) publish(key);
    else setTimeout(publish, (index * plan.rampMs) / plan.outstanding, key);
  }
}

async function publishBacklog(): Promise<void> {
  for (let sent = 0; sent < plan.backlog; sent += BACKLOG_BATCH) {
    const count = Math.min(BACKLOG_BATCH, plan.backlog - sent);
    const messages = Array.from({ length: count }, (_, index) =>
      newRequest(`${plan.keyPrefix}${(sent + index) % plan.keys}`),
    );
    await producer.send({ topic: plan.topics.requests, messages });
  }
}

function end(): DriverWindow {
  const began = window ?? { since: preciseNow(), responses };
  const elapsedMs = preciseNow() - began.since;
  window = null;
  return {
    responses: responses - began.responses,
    elapsedMs,
    requestMs: percentilesOf(latencies),
    ...(plan.decodes ? readResponses() : { failed: 0, decidedToReadMs: null }),
  };
}

function readResponses(): Pick<DriverWindow, 'failed' | 'decidedToReadMs'> {
  const codec = createAvroCodec({
    schemas: loadSchemas(),
    framing: { kind: 'single-object' },
    maxBytes: 10_000_000,
  });
  let failed = 0;
  const delays: number[] = [];
  for (const { value, at } of read) {
    const { record } = codec.decode('ChatResponse', value);
    if (record.status !== 'COMPLETED') failed += 1;
    delays.push(at - record.createdAt);
  }
  return { failed, decidedToReadMs: percentilesOf(delays) };
}

function fail(error: unknown): void {
  process.stderr.write(`driver: ${String(error)}\n`);
  process.exit(1);
}
