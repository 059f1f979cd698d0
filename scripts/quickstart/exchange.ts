import { ROOT_CONTEXT } from '@opentelemetry/api';
import { createAvroCodec } from '../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../src/adapters/avro/load-schemas.ts';
import { readTopics } from '../../src/adapters/kafka/consumer/topic-reader.ts';
import { KafkaRecordSink } from '../../src/adapters/kafka/produce/record-sink.ts';
import type { Config } from '../../src/config/load-config.ts';
import type {
  ChatChunk,
  ChatRequestInput,
  ChatResponse,
  CostCalculated,
} from '../../src/contract/record-types.ts';
import { topicNames } from '../../src/contract/topics.ts';
import type { InboundRecord, RecordHeaders } from '../../src/ports/kafka.ts';
import type { Logger } from '../../src/runtime/logger.ts';
import { injectContext, startPublishSpan, withSpan } from '../../src/telemetry/spans.ts';

/** The outcome of a request. */
export interface Answered {
  readonly response: ChatResponse;
  /** Null when no tokens were used. */
  readonly cost: CostCalculated | null;
  readonly traceId: string;
}

export interface Exchange {
  /**
   * Publishes a request and resolves with its outcome.
   *
   * @param onChunk receives the chunks of the newest attempt, each once and in order
   */
  ask(request: ChatRequestInput, onChunk: (chunk: ChatChunk) => void): Promise<Answered>;
  close(): Promise<void>;
}

/** A request in flight. */
interface Pending {
  readonly onChunk: (chunk: ChatChunk) => void;
  readonly response: PromiseWithResolvers<ChatResponse>;
  readonly cost: PromiseWithResolvers<CostCalculated>;
  attempt: number;
  nextSequence: number;
}

/** Opens a producer of requests and a consumer of their outputs, as any client program would. */
export async function openExchange(config: Config, logger: Logger): Promise<Exchange> {
  const topics = topicNames(config.topics.prefix);
  const codec = createAvroCodec({
    schemas: loadSchemas(),
    framing: { kind: 'single-object' },
    maxBytes: config.limits.recordMaxBytes,
  });
  const pending = new Map<string, Pending>();

  const onRecord = ({ topic, value, headers }: InboundRecord) => {
    if (topic === topics.chunks) {
      const { record } = codec.decode('ChatChunk', value, headers);
      const request = pending.get(record.requestId);
      if (request !== undefined) takeChunk(request, record);
    } else if (topic === topics.responses) {
      const { record } = codec.decode('ChatResponse', value, headers);
      pending.get(record.requestId)?.response.resolve(record);
    } else {
      const { record } = codec.decode('CostCalculated', value, headers);
      pending.get(record.requestId)?.cost.resolve(record);
    }
  };
  const crashed = Promise.withResolvers<never>();
  crashed.promise.catch(() => undefined);
  const reader = await readTopics({
    settings: config.kafka,
    logger,
    topics: [topics.chunks, topics.responses, topics.costs],
    from: 'end',
    onRecord,
    onCrash: crashed.reject,
  });
  const producer = await KafkaRecordSink.connect(config.kafka, logger);

  return {
    async ask(request, onChunk) {
      const { requestId } = request;
      const waiting: Pending = {
        onChunk,
        response: Promise.withResolvers(),
        cost: Promise.withResolvers(),
        attempt: 0,
        nextSequence: 0,
      };
      pending.set(requestId, waiting);

      const span = startPublishSpan(ROOT_CONTEXT, { topic: topics.requests, count: 1 });
      const headers: RecordHeaders = {};
      injectContext(withSpan(ROOT_CONTEXT, span), headers);
      const key = request.conversationId ?? requestId;
      await producer.send([
        { topic: topics.requests, key, value: codec.encode('ChatRequest', request), headers },
      ]);
      span.end();

      const response = await Promise.race([waiting.response.promise, crashed.promise]);
      const cost =
        response.costEventId === null ? null : await Promise.race([waiting.cost.promise, crashed.promise]);
      return { response, cost, traceId: span.spanContext().traceId };
    },
    close: async () => {
      await producer.close();
      await reader.close();
    },
  };
}

/** Chunks are delivered at least once. A new attempt makes the chunks of earlier attempts void. */
function takeChunk(request: Pending, chunk: ChatChunk): void {
  if (chunk.attempt > request.attempt) {
    request.attempt = chunk.attempt;
    request.nextSequence = 0;
  }
  if (chunk.attempt < request.attempt || chunk.sequence < request.nextSequence) return;
  request.nextSequence = chunk.sequence + 1;
  request.onChunk(chunk);
}
