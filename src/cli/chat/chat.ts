import { randomUUID } from 'node:crypto';
import { createSingleObjectCodec } from '../../adapters/avro/single-object-codec.ts';
import { readTopics } from '../../adapters/kafka/consumer/topic-reader.ts';
import { KafkaRecordSink } from '../../adapters/kafka/produce/record-sink.ts';
import type { ChatResponse, CostCalculated } from '../../contract/record-types.ts';
import { topicNames } from '../../contract/topics.ts';
import type { Tool } from '../options/tool.ts';
import { requireKafka } from '../options/with-kafka.ts';
import { jsonLine } from '../output/listing.ts';
import { withInstants } from '../output/with-instants.ts';
import { AnswerPrinter } from './answer-printer.ts';
import { describeCost, responseNotes } from './chat-notes.ts';
import { type ChatFlags, chatRequest } from './chat-request.ts';
import { readReply } from './read-reply.ts';

export interface ChatOptions extends ChatFlags {
  /** Seconds. */
  readonly timeout: number;
  readonly json?: boolean;
}

/** A bill is published in the same transaction as its response, so a longer wait is pointless. */
const LONGEST_WAIT_FOR_A_BILL_MS = 10_000;

/**
 * `chat [TEXT]`: publishes a request like any producer, prints its answer as it streams, then notes and the bill. The answer goes to
 * standard output, everything else to standard error.
 *
 * @returns 0 if it was answered, 1 if it failed or nothing arrived in time
 */
export async function chat(tool: Tool, text: string | undefined, options: ChatOptions): Promise<number> {
  const { config, logger, printError } = tool;
  const requestId = randomUUID();
  // 1. Build the request before connecting.
  const { value, headers } = await chatRequest(tool, requestId, text, options);
  await requireKafka(tool);

  // 2. Read everything that is published about it from here on.
  const printer = options.json ? null : new AnswerPrinter(tool);
  const answered = Promise.withResolvers<ChatResponse>();
  const billed = Promise.withResolvers<CostCalculated | null>();
  // It may fail while this waits for something else.
  answered.promise.catch(() => undefined);
  const topics = topicNames(config.topics.prefix);
  const reader = await readTopics({
    settings: config.kafka,
    logger,
    topics: [topics.chunks, topics.responses, topics.costs],
    from: 'end',
    onRecord: readReply(topics, createSingleObjectCodec(config.limits.recordMaxBytes), requestId, {
      chunk: (chunk) => printer?.chunk(chunk),
      response: answered.resolve,
      cost: billed.resolve,
    }),
    onCrash: answered.reject,
  });

  // 3. Publish the request.
  const topic = config.topics.requests[0]?.topic ?? topics.requests;
  const timer = setTimeout(
    () => answered.reject(new Error(nothingCame(tool, requestId, topic, options.timeout))),
    options.timeout * 1_000,
  );
  let sink: KafkaRecordSink | null = null;
  try {
    sink = await KafkaRecordSink.connect(config.kafka, logger);
    printError(`request ${requestId}\n`);
    const key = options.conversation ?? requestId;
    // The sink retries without end; the user does not wait that long.
    const sent = sink.send([{ topic, key, value, headers }]);
    const response = await Promise.race([answered.promise, sent.then(() => answered.promise)]);
    clearTimeout(timer);

    // 4. Print the outcome and the bill.
    printer?.response(response);
    for (const note of options.json ? [] : responseNotes(response)) printError(`${note}\n`);
    const cost = response.costEventId === null ? null : await soon(billed.promise);
    if (options.json)
      tool.print(jsonLine({ response: plain(response), cost: cost === null ? null : plain(cost) }));
    else if (cost !== null) printError(describeCost(cost));
    if (cost === null && response.costEventId !== null)
      printError(
        `the bill has not arrived yet; it will be in ${topics.costs} as event ${response.costEventId}\n`,
      );
    return response.status === 'COMPLETED' ? 0 : 1;
  } finally {
    clearTimeout(timer);
    await sink?.close();
    await reader.close();
  }
}

/** The message for a request without a response. */
function nothingCame({ config }: Tool, requestId: string, topic: string, seconds: number): string {
  const { responses } = topicNames(config.topics.prefix);
  return (
    `nothing arrived within ${seconds} s; is the service running (completion-bus serve) on ${config.kafka.brokers.join(',')}? ` +
    `The request stays in ${topic}: a service that starts later answers and bills it. Its response will be in ${responses} with the requestId ${requestId}.`
  );
}

async function soon(bill: Promise<CostCalculated | null>): Promise<CostCalculated | null> {
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(late.resolve, LONGEST_WAIT_FOR_A_BILL_MS, null);
  const found = await Promise.race([bill, late.promise]);
  clearTimeout(timer);
  return found;
}

/** A record for JSON: times as ISO 8601, bytes in base64. */
function plain(record: ChatResponse | CostCalculated): unknown {
  return JSON.parse(
    JSON.stringify(withInstants(record), (_name, value: unknown) =>
      isBytes(value) ? Buffer.from(value.data).toString('base64') : value,
    ),
  );
}

/** The form in which Buffer is serialized to JSON. */
function isBytes(value: unknown): value is { readonly data: number[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    value.type === 'Buffer' &&
    'data' in value
  );
}
