import { randomUUID } from 'node:crypto';
import { createSingleObjectCodec } from '../../adapters/avro/single-object-codec.ts';
import { readTopics } from '../../adapters/kafka/consumer/topic-reader.ts';
import { KafkaRecordSink } from '../../adapters/kafka/produce/record-sink.ts';
import type { ChatRequestInput, ChatResponse, CostCalculated } from '../../contract/record-types.ts';
import { topicNames } from '../../contract/topics.ts';
import type { InboundRecord } from '../../ports/kafka.ts';
import type { Tool } from '../options/tool.ts';
import { requireKafka } from '../options/with-kafka.ts';

export interface ChatOptions {
  readonly model?: string;
  readonly system?: string;
  readonly conversation?: string;
  /** Seconds. */
  readonly timeout: number;
}

/**
 * `chat TEXT`: publishes a request as any producer would, prints its chunks as they come, then the outcome and the bill.
 *
 * @returns 0 when it was answered, 1 when it failed or nothing came in time
 */
export async function chat(tool: Tool, text: string, options: ChatOptions): Promise<number> {
  await requireKafka(tool);
  const { config, logger, print } = tool;
  const topics = topicNames(config.topics.prefix);
  const codec = createSingleObjectCodec(config.limits.recordMaxBytes);
  const request: ChatRequestInput = {
    requestId: randomUUID(),
    conversationId: options.conversation ?? null,
    model: options.model ?? null,
    messages: [
      ...(options.system === undefined ? [] : [{ role: 'system', content: options.system }]),
      { role: 'user', content: text },
    ],
  };
  const { requestId } = request;
  const answered = Promise.withResolvers<ChatResponse>();
  const billed = Promise.withResolvers<CostCalculated>();
  // It may fail while something else is waited for.
  answered.promise.catch(() => undefined);
  let attempt = 0;
  let nextSequence = 0;

  const onRecord = ({ topic, value, headers }: InboundRecord) => {
    if (topic === topics.chunks) {
      const { record: chunk } = codec.decode('ChatChunk', value, headers);
      if (chunk.requestId !== requestId || chunk.attempt < attempt) return;
      if (chunk.attempt > attempt) {
        if (attempt > 0) print('\n[the stream broke; starting again]\n');
        attempt = chunk.attempt;
        nextSequence = 0;
      }
      if (chunk.sequence < nextSequence) return;
      nextSequence = chunk.sequence + 1;
      print(chunk.content);
    } else if (topic === topics.responses) {
      const { record: response } = codec.decode('ChatResponse', value, headers);
      if (response.requestId === requestId) answered.resolve(response);
    } else {
      const { record: cost } = codec.decode('CostCalculated', value, headers);
      if (cost.requestId === requestId) billed.resolve(cost);
    }
  };

  const reader = await readTopics({
    settings: config.kafka,
    logger,
    topics: [topics.chunks, topics.responses, topics.costs],
    from: 'end',
    onRecord,
    onCrash: (error) => answered.reject(error),
  });
  const timer = setTimeout(() => {
    answered.reject(
      new Error(
        `nothing came within ${options.timeout} s; is the service running (completion-bus serve) on ${config.kafka.brokers.join(',')}?`,
      ),
    );
  }, options.timeout * 1_000);
  let sink: KafkaRecordSink | null = null;
  try {
    sink = await KafkaRecordSink.connect(config.kafka, logger);
    const topic = config.topics.requests[0]?.topic ?? topics.requests;
    const key = request.conversationId ?? requestId;
    const sent = sink.send([{ topic, key, value: codec.encode('ChatRequest', request), headers: {} }]);
    // The sink tries for as long as it takes; the caller does not wait that long.
    const response = await Promise.race([answered.promise, sent.then(() => answered.promise)]);
    print('\n');
    for (const { toolCalls } of response.choices) {
      for (const { name, arguments: input } of toolCalls) print(`[calls ${name}(${input})]\n`);
    }
    if (response.error !== null)
      print(`${response.status}: ${response.error.code}: ${response.error.message}\n`);
    if (response.costEventId !== null) print(describeCost(await billed.promise));
    return response.status === 'COMPLETED' ? 0 : 1;
  } finally {
    clearTimeout(timer);
    await sink?.close();
    await reader.close();
  }
}

/** The bill, a line each. */
export function describeCost(cost: CostCalculated): string {
  const { inputTokens, outputTokens } = cost.usage;
  const total =
    cost.totalCost === null ? `${cost.costStatus}: no price is known` : `${cost.totalCost} ${cost.currency}`;
  const lines = cost.lines.map(
    ({ kind, quantity, unit, unitPrice, unitSize, amount }) =>
      `  ${kind}: ${quantity} ${unit}s x ${unitPrice} / ${unitSize} = ${amount}`,
  );
  return [`cost ${total} (${inputTokens} tokens in, ${outputTokens} out)`, ...lines, ''].join('\n');
}
