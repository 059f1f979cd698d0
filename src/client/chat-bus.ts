import { randomUUID } from 'node:crypto';
import { TopicFollower } from '../adapters/kafka/follow/topic-follower.ts';
import type { KafkaConnection } from '../adapters/kafka/kafkajs/kafka-client.ts';
import { partitionOfKey } from '../adapters/kafka/produce/partition-of-key.ts';
import type { KafkaRecordSink } from '../adapters/kafka/produce/record-sink.ts';
import type { RecordCodec } from '../contract/codec.ts';
import type { ChatResponse, MessageInput } from '../contract/record-types.ts';
import type { TopicNames } from '../contract/topics.ts';
import type { Logger } from '../runtime/logger.ts';
import { type AnswerHost, ChatAnswer } from './answer/chat-answer.ts';
import { runTools } from './answer/run-tools.ts';
import { Conversation } from './conversation.ts';
import { findResponse, lookAround } from './replies/look-around.ts';
import { LookupLimit } from './replies/lookup-limit.ts';
import { type PendingAnswer, PendingAnswers } from './replies/pending-answers.ts';
import { ReplyReader } from './replies/reply-reader.ts';
import type { ReplyRoute } from './replies/reply-route.ts';
import { type ChatOptions, toRequest } from './request/chat-request.ts';
import { milliseconds } from './request/durations.ts';
import { parseOutput } from './request/output-format.ts';
import { ChatBusError } from './result/chat-bus-error.ts';
import { toResult } from './result/chat-result.ts';
import { decodeResumeToken, encodeResumeToken, type ResumePoint } from './result/resume-token.ts';

/** Beyond the deadline: the service's own answer comes first. */
const DEADLINE_GRACE_MS = 5_000;
/** A response is looked for from this long before the request, since clocks differ. */
const CLOCK_MARGIN_MS = 300_000;
const LONGEST_ID = 128;
/** A timer of Node cannot take longer. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** What a bus works with. */
export interface BusParts {
  readonly follower: TopicFollower;
  readonly sink: KafkaRecordSink;
  readonly codec: RecordCodec;
  readonly pending: PendingAnswers;
  readonly topics: TopicNames;
  readonly requestTopic: string;
  /** Of the topics that are written to and read. */
  readonly partitions: ReadonlyMap<string, readonly number[]>;
  /** Null when everything is read. */
  readonly route: ReplyRoute | null;
  readonly settings: KafkaConnection;
  readonly logger: Logger;
}

export interface BusSettings {
  readonly tenantId: string;
  readonly groupId: string;
  readonly idleTimeoutMs: number;
  readonly maxPending: number;
}

/** Of an answer, what has nothing to do with its data. */
interface AnyAnswer extends PendingAnswer {
  readonly id: string;
  cancel(reason?: string | null): Promise<void>;
}

/** A connection to the service. Any number of requests may run at once. Close it, or declare it with `await using`. */
export class ChatBus implements AsyncDisposable {
  private readonly parts: BusParts;
  private readonly settings: BusSettings;
  /** Answers that began in another process: each has a reader of its own. */
  private readonly attached = new Set<AnyAnswer>();
  private readonly lookups = new LookupLimit();
  private ended: ChatBusError | null = null;

  /** For `connect` alone. @param lost resolves when reading has ended for good */
  constructor(parts: BusParts, settings: BusSettings, lost: Promise<Error>) {
    this.parts = parts;
    this.settings = settings;
    void lost.then((cause) =>
      this.end(
        new ChatBusError(
          'connection_lost',
          `answers cannot be read any more: ${cause.message}; connect again`,
          {
            retryable: true,
            cause,
          },
        ),
      ),
    );
  }

  /**
   * Sends a request now. Errors of any kind come from the answer, never from this call.
   *
   * @throws TypeError for an option that cannot be read
   *
   * @example
   * for await (const text of bus.chat({ messages: 'Tell me a story.' })) process.stdout.write(text);
   */
  chat<Data = unknown>(options: ChatOptions<Data>): ChatAnswer<Data> {
    const requestId = options.id ?? randomUUID();
    const { tenantId } = this.settings;
    const request = toRequest(options as ChatOptions, { requestId, tenantId }, Date.now());
    const key = request.conversationId ?? requestId;
    const point = this.pointOf(requestId, key);
    const { signal } = options;
    const timers = new AbortController();
    const answer: ChatAnswer<Data> = new ChatAnswer<Data>(
      {
        ...this.hostOf(options, point, () => answer),
        runTools: (handlers, runOptions) =>
          runTools(
            answer,
            request.messages ?? [],
            (messages, turn) => this.chat<Data>(nextTurn(options, requestId, messages, turn)),
            handlers,
            { ...runOptions, ...(signal !== undefined && runOptions.signal === undefined && { signal }) },
          ),
        settled: () => {
          timers.abort();
          this.parts.pending.remove(requestId, key, answer);
        },
      },
      this.answerSettings(options, point),
    );
    if (this.refuseIfNotPossible(answer, requestId)) return answer;
    this.parts.pending.add(requestId, key, answer);
    this.watch(answer, options, request.deadline ?? null, timers.signal);
    if (signal?.aborted !== true)
      void this.publish(answer, key, () => this.parts.codec.encode('ChatRequest', request));
    return answer;
  }

  /**
   * The answer to a request that another process, or another connection, has sent.
   *
   * @param resumeToken an answer's `resumeToken`; it is good for as long as the topics keep the answer (chunks: 6 hours)
   * @throws ChatBusError `invalid_token`
   */
  attach<Data = unknown>(
    resumeToken: string,
    options: Pick<ChatOptions<Data>, 'output' | 'idleTimeout' | 'signal' | 'cancelOnBreak'> = {},
  ): ChatAnswer<Data> {
    const point = decodeResumeToken(resumeToken);
    const ending = new AbortController();
    const answer: ChatAnswer<Data> = new ChatAnswer<Data>(
      {
        ...this.hostOf(options, point, () => answer),
        runTools: () =>
          Promise.reject(
            new ChatBusError('invalid_request', 'the tools of a request are known where it was sent alone', {
              retryable: false,
              requestId: point.requestId,
            }),
          ),
        settled: () => {
          this.attached.delete(answer);
          ending.abort();
        },
      },
      this.answerSettings(options, point),
    );
    if (this.refuseIfNotPossible(answer, point.requestId)) return answer;
    this.attached.add(answer);
    this.watch(answer, options, null, ending.signal);
    void this.readFrom(point, answer, ending.signal);
    return answer;
  }

  /**
   * A conversation in the fluent form.
   *
   * @param id of a conversation that exists; default: a new one
   */
  conversation(id: string = randomUUID()): Conversation {
    return new Conversation((options) => this.chat(options), id);
  }

  /** Closes all connections. Answers that are not there yet fail with `closed`; their requests go on. */
  async close(): Promise<void> {
    this.end(new ChatBusError('closed', 'the connection was closed', { retryable: true }));
    const { follower, sink } = this.parts;
    await Promise.all([follower.close(), sink.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private end(error: ChatBusError): void {
    if (this.ended !== null) return;
    this.ended = error;
    for (const answer of [...this.parts.pending.all(), ...this.attached]) answer.fail(error);
  }

  private refuseIfNotPossible(answer: AnyAnswer, requestId: string): boolean {
    const { maxPending } = this.settings;
    if (this.ended !== null) answer.fail(this.ended);
    else if (this.parts.pending.size + this.attached.size < maxPending) return false;
    else
      answer.fail(
        new ChatBusError(
          'too_many_requests',
          `${maxPending} answers (maxPending) wait already: try again once some have arrived`,
          { retryable: true, requestId },
        ),
      );
    return true;
  }

  private pointOf(requestId: string, key: string): ResumePoint {
    const { topics, requestTopic, follower, route } = this.parts;
    const chunks = route?.partition ?? partitionOfKey(requestId, this.countOf(topics.chunks));
    const offset = follower.positionOf({ topic: topics.chunks, partition: chunks });
    return {
      tenantId: this.settings.tenantId,
      requestId,
      key,
      chunks: [chunks, offset ?? 0],
      responses: [partitionOfKey(key, this.countOf(requestTopic)), Date.now() - CLOCK_MARGIN_MS],
    };
  }

  private countOf(topic: string): number {
    return this.parts.partitions.get(topic)?.length ?? 1;
  }

  private answerSettings(options: Partial<ChatOptions>, point: ResumePoint) {
    const { idleTimeout, cancelOnBreak = false } = options;
    return {
      id: point.requestId,
      resumeToken: encodeResumeToken(point),
      idleTimeoutMs:
        idleTimeout === undefined ? this.settings.idleTimeoutMs : milliseconds('idleTimeout', idleTimeout),
      cancelOnBreak,
    };
  }

  private hostOf<Data>(
    { output }: Pick<ChatOptions<Data>, 'output'>,
    point: ResumePoint,
    answer: () => ChatAnswer<Data>,
  ): Omit<AnswerHost<Data>, 'runTools' | 'settled'> {
    const { requestId, tenantId } = point;
    const sentAt = Date.now();
    return {
      cancel: async (reason) => {
        const { sink, codec, topics } = this.parts;
        const value = codec.encode('CancelRequest', { requestId, tenantId, reason });
        await sink.send([{ topic: topics.cancellations, key: requestId, value, headers: {} }]);
      },
      toResult: (response: ChatResponse, streamed: string) => {
        const text = response.choices[0]?.content ?? streamed;
        const data = output === undefined ? (undefined as Data) : parseOutput(output, text, response);
        return toResult(response, streamed, data);
      },
      findResponse: () => this.lookups.run(() => findResponse(this.parts, point), null),
      silent: async () => {
        const { wasSeen, workers } = await this.lookups.run(
          () => lookAround(this.parts, this.settings.groupId, point, sentAt),
          { wasSeen: null, workers: null },
        );
        return new ChatBusError('idle_timeout', silenceOf(answer().id, wasSeen, workers), {
          retryable: true,
          requestId,
          wasSeen,
          workers,
        });
      },
    };
  }

  /** Ends the answer when its signal fires, or its deadline has passed. */
  private watch(
    answer: AnyAnswer,
    { signal }: Pick<ChatOptions, 'signal'>,
    deadline: number | null,
    settled: AbortSignal,
  ): void {
    const requestId = answer.id;
    const abort = () =>
      answer.fail(
        new ChatBusError('aborted', 'the signal of the request has fired', {
          retryable: false,
          requestId,
          cause: signal?.reason,
        }),
      );
    const cancel = () => {
      void answer.cancel('the caller’s signal fired').catch(() => undefined);
      abort();
    };
    if (signal?.aborted === true) abort();
    else signal?.addEventListener('abort', cancel, { once: true, signal: settled });
    if (deadline === null || settled.aborted) return;
    const leftMs = Math.min(LONGEST_TIMER_MS, Math.max(0, deadline - Date.now()) + DEADLINE_GRACE_MS);
    const timer = setTimeout(() => {
      const details = { retryable: true, requestId };
      answer.fail(new ChatBusError('deadline_exceeded', 'no answer came before the deadline', details));
    }, leftMs);
    settled.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }

  private async publish(answer: AnyAnswer, key: string, encode: () => Buffer): Promise<void> {
    const requestId = answer.id;
    let value: Buffer;
    try {
      value = encode();
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      answer.fail(new ChatBusError('invalid_request', message, { retryable: false, requestId, cause }));
      return;
    }
    try {
      const { sink, requestTopic: topic, route } = this.parts;
      await sink.send([{ topic, key, value, headers: route?.headers ?? {} }]);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      answer.fail(new ChatBusError('record_refused', message, { retryable: false, requestId, cause }));
    }
  }

  /** Reads what was written since the request was sent, and goes on with what is still to come. */
  private async readFrom(point: ResumePoint, answer: AnyAnswer, settled: AbortSignal): Promise<void> {
    const { settings, logger, codec, topics } = this.parts;
    const { requestId, key, tenantId, chunks, responses } = point;
    const pending = new PendingAnswers();
    pending.add(requestId, key, answer);
    const reader = new ReplyReader(topics, tenantId, codec, pending, null);
    const fail = (cause: unknown) => {
      const details = { retryable: true, requestId, cause };
      answer.fail(
        this.ended ?? new ChatBusError('connection_lost', 'the answer cannot be read any more', details),
      );
    };
    try {
      const follower = await TopicFollower.connect({
        settings,
        logger,
        isolationLevel: 'read_committed',
        onFetched: (fetched) => reader.take(fetched),
        onFailed: fail,
        signal: settled,
      });
      const [chunkPartition, offset] = chunks;
      const [responsePartition, since] = responses;
      // What is in the chunks comes first: the response ends the reading.
      await follower.follow([{ topic: topics.chunks, partition: chunkPartition, from: { offset } }]);
      await follower.follow([
        { topic: topics.responses, partition: responsePartition, from: { timestamp: since } },
      ]);
    } catch (error) {
      fail(error);
    }
  }
}

function nextTurn<Data>(
  options: ChatOptions<Data>,
  requestId: string,
  messages: readonly MessageInput[],
  turn: number,
): ChatOptions<Data> {
  const id = `${requestId}~${turn}`;
  return { ...options, id: id.length <= LONGEST_ID ? id : randomUUID(), messages };
}

function silenceOf(id: string, wasSeen: boolean | null, workers: number | null): string {
  const seen =
    wasSeen === null
      ? ''
      : wasSeen
        ? '; a provider was called for it'
        : '; no provider was called for it yet';
  const who =
    workers === null
      ? ''
      : workers === 0
        ? '; the service has no workers: start it with completion-bus serve'
        : `; the service has ${workers} workers`;
  return `nothing came for request ${id} in time${seen}${who}`;
}
