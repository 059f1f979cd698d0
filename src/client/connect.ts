import { randomUUID } from 'node:crypto';
import { createSingleObjectCodec } from '../adapters/avro/single-object-codec.ts';
import { TopicFollower } from '../adapters/kafka/follow/topic-follower.ts';
import type { KafkaConnection } from '../adapters/kafka/kafkajs/kafka-client.ts';
import { KafkaRecordSink } from '../adapters/kafka/produce/record-sink.ts';
import { topicNames } from '../contract/topics.ts';
import { createLogger } from '../runtime/logger.ts';
import { ChatBus } from './chat-bus.ts';
import { PendingAnswers } from './replies/pending-answers.ts';
import { ReplyReader } from './replies/reply-reader.ts';
import { chooseRoute } from './replies/reply-route.ts';
import { type Duration, milliseconds } from './request/durations.ts';
import { ChatBusError } from './result/chat-bus-error.ts';

/** How to reach the brokers and the service. */
export interface ConnectOptions {
  /** `host:port`; several in a list, or separated by commas. */
  readonly brokers: string | readonly string[];
  /** Who is billed. Default: `default`. */
  readonly tenantId?: string;
  /** Where requests are published. Default: `<topicPrefix>.requests`. */
  readonly requestTopic?: string;
  /** The service's `CHAT_TOPIC_PREFIX`. Default: `chat`. */
  readonly topicPrefix?: string;
  /** The service's `KAFKA_GROUP_ID`, for what errors say about its workers. Default: `completion-bus`. */
  readonly groupId?: string;
  /** Name of this client in the brokers' logs and quotas. */
  readonly clientId?: string;
  /** TLS: true for the system's authorities, or PEM texts. */
  readonly ssl?: boolean | { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
  /**
   * Whether the service is asked to answer in one partition (`chat.replies`), which this client reads alone. Default: true. If the
   * service allows no replies, all partitions of `chat.chunks` and `chat.responses` are read instead.
   */
  readonly replies?: boolean;
  /** How long `connect` may take. Default: 10 s. */
  readonly connectTimeout?: Duration;
  /** How long an answer may be silent. Default: 2 minutes. */
  readonly idleTimeout?: Duration;
  /** How many answers may wait at once, attached ones included. Default: 10,000. */
  readonly maxPending?: number;
  /** The largest record that is read. Default: 8 MiB. */
  readonly recordMaxBytes?: number;
}

const REQUEST_TIMEOUT_MS = 10_000;
const RECORD_MAX_BYTES = 8 * 1024 * 1024;
const MAX_PENDING = 10_000;

/**
 * Connects to the service's topics.
 *
 * @throws ChatBusError `connect_failed` or `topics_missing`
 * @throws TypeError for an option that cannot be read
 *
 * @example
 * await using bus = await connect({ brokers: 'localhost:9092', tenantId: 'acme' });
 * const { text } = await bus.chat({ model: 'gpt-4o-mini', messages: 'Say hello.' });
 */
export async function connect(options: ConnectOptions): Promise<ChatBus> {
  const timeoutMs = milliseconds('connectTimeout', options.connectTimeout ?? '10s');
  const idleTimeoutMs = milliseconds('idleTimeout', options.idleTimeout ?? '2m');
  const settings = settingsOf(options);
  const { tenantId = 'default', topicPrefix = 'chat', groupId = 'completion-bus' } = options;
  const topics = topicNames(topicPrefix);
  const requestTopic = options.requestTopic ?? topics.requests;
  const codec = createSingleObjectCodec(settings.recordMaxBytes);
  const pending = new PendingAnswers();
  const responseTopic = options.replies === false ? topics.responses : topics.replies;
  const logger = createLogger({ level: 'silent' });
  const lost = Promise.withResolvers<Error>();

  const opened: { close(): Promise<void> }[] = [];
  const closeAll = async () => {
    await Promise.all(opened.splice(0).map((part) => part.close()));
  };
  let hasFailed = false;
  const keep = async <Part extends { close(): Promise<void> }>(part: Part): Promise<Part> => {
    if (hasFailed) await part.close();
    opened.push(part);
    return part;
  };
  let reader: ReplyReader | null = null;
  const open = async () => {
    const [follower, sink] = await Promise.all([
      TopicFollower.connect({
        settings,
        logger,
        isolationLevel: 'read_committed',
        onFetched: (fetched) => reader?.take(fetched),
        onFailed: lost.resolve,
      }).then(keep),
      KafkaRecordSink.connect(settings, logger).then(keep),
    ]);
    const partitions = await follower.partitionsOf([requestTopic, topics.chunks, responseTopic]);
    const missing = [...partitions].filter(([, found]) => found.length === 0).map(([topic]) => topic);
    if (missing.length > 0)
      throw new ChatBusError(
        'topics_missing',
        `these topics are missing: ${missing.join(', ')}; create them with: completion-bus topics create`,
        { retryable: false },
      );
    const read = [topics.chunks, responseTopic];
    const counts = read.map((topic) => partitions.get(topic)?.length ?? 0);
    const route = options.replies === false ? null : chooseRoute(responseTopic, Math.min(...counts));
    reader = new ReplyReader(topics, tenantId, codec, pending, route?.client ?? null);
    await follower.follow(
      read.flatMap((topic) =>
        (route === null ? (partitions.get(topic) ?? []) : [route.partition]).map((partition) => ({
          topic,
          partition,
          from: 'end' as const,
        })),
      ),
    );
    return { follower, sink, partitions, route };
  };

  const timer = Promise.withResolvers<never>();
  const timeout = setTimeout(() => {
    timer.reject(new Error(`nothing answered within ${timeoutMs} ms`));
  }, timeoutMs);
  const opening = open();
  // It may end after the time is over.
  opening.catch(() => undefined);
  try {
    const { follower, sink, partitions, route } = await Promise.race([opening, timer.promise]);
    return new ChatBus(
      { follower, sink, codec, pending, topics, requestTopic, partitions, route, settings, logger },
      { tenantId, groupId, idleTimeoutMs, maxPending: options.maxPending ?? MAX_PENDING },
      lost.promise,
    );
  } catch (error) {
    // What connects from now on is closed again.
    hasFailed = true;
    await closeAll();
    if (error instanceof ChatBusError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ChatBusError(
      'connect_failed',
      `the brokers ${settings.brokers.join(', ')} cannot be used: ${why}`,
      { retryable: true, cause: error },
    );
  } finally {
    clearTimeout(timeout);
  }
}

function settingsOf(options: ConnectOptions): KafkaConnection {
  const { brokers, ssl = false, sasl = null } = options;
  const list = (typeof brokers === 'string' ? brokers.split(',') : [...brokers]).map((one) => one.trim());
  if (list.length === 0 || list.some((one) => one === ''))
    throw new TypeError('brokers must be host:port, several in a list or separated by commas');
  const pem = typeof ssl === 'object' ? ssl : {};
  return {
    brokers: list,
    clientId: options.clientId ?? `completion-bus-client-${randomUUID().slice(0, 8)}`,
    recordMaxBytes: options.recordMaxBytes ?? RECORD_MAX_BYTES,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    ssl: ssl === false ? null : { ca: pem.ca ?? null, cert: pem.cert ?? null, key: pem.key ?? null },
    sasl,
  };
}
