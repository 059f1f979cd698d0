import type { Message } from 'kafkajs';
import { createKafka, PATIENT_RETRIES } from '../../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { silent } from '../../support/world.ts';
import { obey, planOf, preciseNow } from '../support/child-commands.ts';

/* Nothing but kafkajs: stamped messages, as many and as far apart as the tokens of so many streams. */

const plan = planOf('plain-producer');
const producer = createKafka(plan.kafka, silent, PATIENT_RETRIES).producer({
  allowAutoTopicCreation: false,
  retry: PATIENT_RETRIES,
});
await producer.connect();

/** Streams begin evenly spread over one gap. */
const startedAt = performance.now();
const dueAt = Array.from(
  { length: plan.streams },
  (_, index) => startedAt + (index / plan.streams) * plan.gapMs,
);
/** The streams in the order in which they are due, over and over. */
let next = 0;
const waiting: Message[] = [];
let sending = false;

setInterval(() => {
  const now = performance.now();
  for (let due = dueAt[next] ?? now; due <= now; due = dueAt[next] ?? now + 1) {
    dueAt[next] = due + plan.gapMs;
    produce(next);
    next = (next + 1) % plan.streams;
  }
}, 1);

obey({});

function produce(stream: number): void {
  const stamp = `${Math.round(preciseNow() * 1000)} `;
  const message = { key: `stream-${stream}`, value: stamp.padEnd(plan.valueBytes) };
  if (plan.sending === 'each') {
    producer.send({ topic: plan.topic, messages: [message] }).catch(fail);
    return;
  }
  waiting.push(message);
  if (!sending) sendAll().catch(fail);
}

async function sendAll(): Promise<void> {
  sending = true;
  while (waiting.length > 0) await producer.send({ topic: plan.topic, messages: waiting.splice(0) });
  sending = false;
}

function fail(error: unknown): void {
  process.stderr.write(`plain producer: ${String(error)}\n`);
  process.exit(1);
}
