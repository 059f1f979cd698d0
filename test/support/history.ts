import { readTopics, type TopicReader } from '../../src/adapters/kafka/consumer/topic-reader.ts';
import type { KafkaSettings } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import type { RecordCodec } from '../../src/contract/codec.ts';
import type {
  ChatChunk,
  ChatResponse,
  CostCalculated,
  MessageSent,
  ResponseGenerated,
} from '../../src/contract/record-types.ts';
import type { TopicNames } from '../../src/contract/topics.ts';
import type { InboundRecord } from '../../src/ports/kafka.ts';
import { createLogger } from '../../src/runtime/logger.ts';

/** A header by which a test marks the end of a partition; such a record is no output. */
export const END_MARK = 'end-mark';

/** A record with where it lies. */
export interface Read<T> {
  readonly value: T;
  readonly source: InboundRecord;
}

/** Everything visible on the output topics, in the order of reading. */
export class History {
  readonly responses: Read<ChatResponse>[] = [];
  readonly generated: Read<ResponseGenerated>[] = [];
  readonly costs: Read<CostCalculated>[] = [];
  readonly chunks: Read<ChatChunk>[] = [];
  readonly sent: Read<MessageSent>[] = [];
  readonly dead: InboundRecord[] = [];
  /** The request topic as it is: a publisher that repeats itself after an error has written some requests twice. */
  readonly requests: { readonly requestId: string; readonly source: InboundRecord }[] = [];
  /** The partitions (`topic/partition`) in which each end mark was seen. */
  readonly endMarks = new Map<string, Set<string>>();
  /** Sequences seen of each attempt. */
  private readonly chunkCounts = new Map<string, Set<number>>();
  private reader: TopicReader | null = null;
  private readonly waiting = new Set<{
    holds: () => boolean;
    resolve: () => void;
    reject: (error: Error) => void;
  }>();

  static async read(settings: KafkaSettings, topics: TopicNames, codec: RecordCodec): Promise<History> {
    const history = new History();
    const { requests, responses, responseGenerated, costs, chunks, messageSent, dead } = topics;
    history.reader = await readTopics({
      settings,
      logger: createLogger({ level: 'silent' }),
      topics: [requests, responses, responseGenerated, costs, chunks, messageSent, dead],
      from: 'start',
      onRecord: (source) => history.add(source, topics, codec),
      onCrash: (error) => {
        for (const { reject } of history.waiting) reject(error);
      },
    });
    return history;
  }

  /** Resolves as soon as the condition holds. It is checked after each record. */
  until(holds: (history: History) => boolean): Promise<void> {
    if (holds(this)) return Promise.resolve();
    return new Promise((resolve, reject) => this.waiting.add({ holds: () => holds(this), resolve, reject }));
  }

  /**
   * Resolves when so many requests have been answered and everything that belongs to their answers was read: topics are
   * read side by side, so that a response may be seen before its bill or its last chunk.
   */
  untilAnswered(count: number): Promise<void> {
    return this.until(
      ({ requests, responses, originals, generated, costs }) =>
        originals.length >= count &&
        responses.length >= requests.length &&
        generated.length >= count &&
        costs.length >= originals.filter(({ costEventId }) => costEventId !== null).length &&
        originals.every((response) => this.chunksOf(response) >= response.chunkCount),
    );
  }

  /** The same for the original answer to one request. */
  async untilAnswerTo(requestId: string): Promise<ChatResponse> {
    const answer = () => this.originals.find((response) => response.requestId === requestId);
    const isIn = (events: readonly Read<{ requestId: string }>[]) =>
      events.some(({ value }) => value.requestId === requestId);
    await this.until(({ generated, costs }) => {
      const response = answer();
      if (response === undefined || !isIn(generated)) return false;
      return (response.costEventId === null || isIn(costs)) && this.chunksOf(response) >= response.chunkCount;
    });
    return answer() as ChatResponse;
  }

  private chunksOf({ requestId, acceptedAttempt }: ChatResponse): number {
    return this.chunkCounts.get(`${requestId}/${acceptedAttempt}`)?.size ?? 0;
  }

  /** The final answers, without those to publishers' repetitions. */
  get originals(): ChatResponse[] {
    return this.responses.map(({ value }) => value).filter(({ replayed }) => !replayed);
  }

  /** The text that a subscriber pieces together from a request's chunks: highest attempt, by sequence, each once. */
  textOf(requestId: string): string {
    const own = this.chunks.map(({ value }) => value).filter((chunk) => chunk.requestId === requestId);
    const attempt = Math.max(...own.map((chunk) => chunk.attempt));
    const bySequence = new Map(
      own.filter((chunk) => chunk.attempt === attempt).map((chunk) => [chunk.sequence, chunk]),
    );
    return [...bySequence.values()]
      .sort((one, other) => one.sequence - other.sequence)
      .map((chunk) => chunk.content)
      .join('');
  }

  async close(): Promise<void> {
    await this.reader?.close();
  }

  private add(source: InboundRecord, topics: TopicNames, codec: RecordCodec): void {
    const { topic, value, headers } = source;
    const mark = headers[END_MARK];
    if (mark !== undefined) {
      const seen = this.endMarks.get(String(mark)) ?? new Set();
      this.endMarks.set(String(mark), seen.add(`${topic}/${source.partition}`));
    } else if (topic === topics.requests) {
      const requestId = requestIdOf(source, codec);
      if (requestId !== null) this.requests.push({ requestId, source });
    } else if (topic === topics.responses) {
      this.responses.push({ source, value: codec.decode('ChatResponse', value, headers).record });
    } else if (topic === topics.responseGenerated) {
      this.generated.push({ source, value: codec.decode('ResponseGenerated', value, headers).record });
    } else if (topic === topics.costs) {
      this.costs.push({ source, value: codec.decode('CostCalculated', value, headers).record });
    } else if (topic === topics.chunks) {
      const chunk = codec.decode('ChatChunk', value, headers).record;
      this.chunks.push({ source, value: chunk });
      const attempt = `${chunk.requestId}/${chunk.attempt}`;
      this.chunkCounts.set(attempt, (this.chunkCounts.get(attempt) ?? new Set()).add(chunk.sequence));
    } else if (topic === topics.messageSent) {
      this.sent.push({ source, value: codec.decode('MessageSent', value, headers).record });
    } else {
      this.dead.push(source);
    }
    for (const entry of this.waiting) {
      if (!entry.holds()) continue;
      this.waiting.delete(entry);
      entry.resolve();
    }
  }
}

/** Null for a record that is not a request. */
function requestIdOf({ value, headers }: InboundRecord, codec: RecordCodec): string | null {
  try {
    return codec.decode('ChatRequest', value, headers).record.requestId;
  } catch {
    return null;
  }
}
