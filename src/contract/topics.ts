import type { RecordName } from './record-types.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Kafka's `retention.ms` for a topic whose records are never deleted. */
export const KEEP_FOR_EVER = -1;

export interface TopicSettings {
  /** The topic's name is the prefix, a dot and this. */
  suffix: string;
  /**
   * - `requests`: as many partitions as the request topic has. The records of an input partition go to the partition of
   *   the same number, so that a stalled transaction hides only its own partition's records.
   * - `one`: one partition, for few records that everyone reads in order.
   * - `free`: any number; by default as many as the request topic.
   */
  partitioning: 'requests' | 'one' | 'free';
  /** Kafka's `retention.ms`. */
  retentionMs: number;
  /** Kafka's `cleanup.policy`. No topic is compacted: a later record of a key never replaces an earlier one. */
  cleanupPolicy: 'delete';
  /** The record type of its values; null if they are the unchanged bytes of an input record. */
  record: RecordName | null;
}

/** Every topic of the service, with the settings that `topics create` gives it. */
export const topicSettings = {
  /** In. Key: conversationId, else requestId. */
  requests: topic('requests', 'requests', 7 * DAY_MS, 'ChatRequest'),
  /** In, read by every worker. Key: requestId. */
  cancellations: topic('cancellations', 'one', DAY_MS, 'CancelRequest'),
  /** Out at once, not transactional. Key: requestId. */
  chunks: topic('chunks', 'free', 6 * HOUR_MS, 'ChatChunk'),
  /** Out, transactional. Key: the request's key. */
  responses: topic('responses', 'requests', 7 * DAY_MS, 'ChatResponse'),
  /** Out at call start, at least once. Key: the request's key. */
  messageSent: topic('message-sent', 'free', 7 * DAY_MS, 'MessageSent'),
  /** Out, transactional. Key: the request's key. */
  responseGenerated: topic('response-generated', 'requests', 7 * DAY_MS, 'ResponseGenerated'),
  /** Out, transactional: the bill. Key: the request's key. */
  costs: topic('costs', 'requests', KEEP_FOR_EVER, 'CostCalculated'),
  /** Out. Key: provider/model. */
  modelChanges: topic('model-changes', 'one', KEEP_FOR_EVER, 'ModelChanged'),
  /** Out, transactional: unchanged undecodable and poison input, with `dead-*` headers. Key: the request's key. */
  dead: topic('requests.dead', 'requests', 30 * DAY_MS, null),
  /** Out: copies of responses for callers that asked for one by header. Key: requestId. */
  replies: topic('replies', 'free', HOUR_MS, 'ChatResponse'),
} as const satisfies Record<string, TopicSettings>;

export type TopicRole = keyof typeof topicSettings;
export type TopicNames = Record<TopicRole, string>;

/** The roles in the order of `topicSettings`. */
export const TOPIC_ROLES = Object.keys(topicSettings) as TopicRole[];

/** The topics' names under `prefix` (`CHAT_TOPIC_PREFIX`, by default `chat`). */
export function topicNames(prefix: string): TopicNames {
  const names = TOPIC_ROLES.map((role) => [role, `${prefix}.${topicSettings[role].suffix}`]);
  return Object.fromEntries(names) as TopicNames;
}

/** The topics that are written to in the transactions that settle requests. */
export function settledTopics(prefix: string): readonly string[] {
  const { responses, responseGenerated, costs, dead } = topicNames(prefix);
  return [responses, responseGenerated, costs, dead];
}

function topic<Record extends RecordName | null>(
  suffix: string,
  partitioning: TopicSettings['partitioning'],
  retentionMs: number,
  record: Record,
) {
  return { suffix, partitioning, retentionMs, cleanupPolicy: 'delete', record } as const;
}
