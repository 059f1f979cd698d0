import { setTimeout as wait } from 'node:timers/promises';
import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs';
import type { Config } from '../../../config/load-config.ts';
import { settledTopics, topicNames, topicSettings } from '../../../contract/topics.ts';
import { errorType } from '../kafkajs/broker-errors.ts';

/** The topics part of the configuration. */
export type TopicPlan = Omit<Config['topics'], 'replies'>;

/** What is wrong with the topics, all of it, and how to make it right. */
export class TopicsNotReady extends Error {
  override readonly name = 'TopicsNotReady';
}

const CREATION_TIMEOUT_MS = 30_000;
const LEADER_DELAY_MS = 100;
const LEADER_TRIES = CREATION_TIMEOUT_MS / LEADER_DELAY_MS;
/** A record leaves with its segment: a request topic's segments are short, so that none outlives the ledger by theirs. */
const REQUEST_SEGMENT_MS = 86_400_000;

/** A dead letter is its original with some headers more: its topic takes a little more than a record's limit. */
const DEAD_LETTER_MAX_BYTES = 1_048_588 + 65_536;

/**
 * Creates what is missing of the service's topics; existing ones are left as they are. Where some of the topics exist whose
 * partitions must agree, their number counts, not the plan's.
 *
 * @returns the names of those that were created
 */
export async function createTopics(admin: Admin, plan: TopicPlan): Promise<string[]> {
  const planned = plannedTopics(plan);
  const absent = new Set(
    await missingTopics(
      admin,
      planned.map(({ topic }) => topic),
    ),
  );
  const missing = planned.filter(({ topic }) => absent.has(topic));
  const names = missing.map(({ topic }) => topic);
  if (names.length === 0) return names;
  const partitions = await agreedPartitions(admin, plan, absent);
  const topics = missing.map((topic) =>
    topic.numPartitions === 1 ? topic : { ...topic, numPartitions: partitions },
  );
  try {
    await admin.createTopics({ topics, waitForLeaders: false, timeout: CREATION_TIMEOUT_MS });
  } catch (error) {
    throw (await tooManyReplicas(admin, plan, error)) ?? error;
  }
  await untilLed(admin, names, 1);
  return names;
}

/** @returns what to set where the broker refuses the number of replicas */
async function tooManyReplicas(admin: Admin, plan: TopicPlan, error: unknown): Promise<Error | null> {
  const { errors = [error] } = error as { errors?: readonly unknown[] };
  if (!errors.some((part) => errorType(part) === 'INVALID_REPLICATION_FACTOR')) return null;
  const { length } = (await admin.describeCluster()).brokers;
  const brokers = length === 1 ? 'one broker is' : `${length} brokers are`;
  return new TopicsNotReady(
    `CHAT_TOPIC_REPLICATION is ${plan.replication}, but ${brokers} running: set it to at most ${length}, or start more brokers`,
  );
}

/** As many as the request topics have, else the outputs, else what is planned. */
async function agreedPartitions(admin: Admin, plan: TopicPlan, absent: ReadonlySet<string>): Promise<number> {
  for (const names of [requestTopics(plan), settledTopics(plan.prefix)]) {
    const counts = await partitionCounts(
      admin,
      names.filter((name) => !absent.has(name)),
    );
    if (counts.size > 0) return Math.max(...counts.values());
  }
  return plan.partitions;
}

/** How many partitions each topic has. */
export async function partitionCounts(admin: Admin, names: readonly string[]): Promise<Map<string, number>> {
  // kafkajs takes no topics for all topics.
  if (names.length === 0) return new Map();
  const { topics } = await admin.fetchTopicMetadata({ topics: [...names] });
  return new Map(topics.map(({ name, partitions }) => [name, partitions.length]));
}

/**
 * Waits until each has at least so many partitions, all with a leader. kafkajs's own waiting gives up where one of several brokers
 * has not heard of a topic yet.
 */
export async function untilLed(admin: Admin, names: string[], least: number): Promise<void> {
  for (let tries = 1; tries <= LEADER_TRIES; tries += 1) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: names });
      const isLed = ({ partitions }: (typeof topics)[0]) =>
        partitions.length >= least && partitions.every(({ leader }) => leader >= 0);
      if (topics.every(isLed)) return;
    } catch (error) {
      if (!(error as { retriable?: boolean }).retriable) throw error;
    }
    await wait(LEADER_DELAY_MS);
  }
  throw new TopicsNotReady(
    `${names.join(', ')} were created, but have no leaders after ${CREATION_TIMEOUT_MS / 1000} s: look at the brokers`,
  );
}

export interface TopicExpectations {
  /** How long outcomes are remembered: longer than requests can be delivered again. */
  readonly ledgerTtlMs: number;
  /** The largest record that is written. */
  readonly recordMaxBytes: number;
  /** A topic that may be missing. */
  readonly optionalTopic?: string;
}

/**
 * Checks before the start that every topic is there but the optional one, that outputs have a partition for each of the request topics, that
 * they take the largest record, and that no request outlives the ledger.
 *
 * @throws TopicsNotReady with every problem
 */
export async function checkTopics(admin: Admin, plan: TopicPlan, expected: TopicExpectations): Promise<void> {
  const required = allTopics(plan).filter((topic) => topic !== expected.optionalTopic);
  await requireTopics(admin, required);
  const problems = [
    ...(await unevenPartitions(admin, plan)),
    ...(await unfitSettings(admin, plan, expected)),
  ];
  if (problems.length > 0) throw new TopicsNotReady(problems.join('; '));
}

/** @throws TopicsNotReady naming those that do not exist */
export async function requireTopics(admin: Admin, topics: readonly string[]): Promise<void> {
  const missing = await missingTopics(admin, topics);
  if (missing.length === 0) return;
  throw new TopicsNotReady(
    `these topics are missing: ${missing.join(', ')}; create them with: completion-bus topics create`,
  );
}

/** Those that do not exist. Each is asked for by its name: the answer to a list of all topics depends on those of others. */
async function missingTopics(admin: Admin, topics: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const topic of topics) if (!(await exists(admin, topic))) missing.push(topic);
  return missing;
}

async function exists(admin: Admin, topic: string): Promise<boolean> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics.some(({ partitions }) => partitions.length > 0);
  } catch (error) {
    if (errorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return false;
    throw error;
  }
}

/** Outputs may have more: then nothing is written to the last ones. */
async function unevenPartitions(admin: Admin, plan: TopicPlan): Promise<string[]> {
  const counts = await partitionCounts(admin, mirrored(plan));
  const [largest = ''] = requestTopics(plan).toSorted(
    (one, other) => (counts.get(other) ?? 0) - (counts.get(one) ?? 0),
  );
  const needed = counts.get(largest) ?? 0;
  return settledTopics(plan.prefix)
    .filter((topic) => (counts.get(topic) ?? 0) < needed)
    .map(
      (topic) =>
        `${topic} has ${counts.get(topic)} partitions and ${largest} has ${needed}: outputs go to the partition with the input's number, so requests in the last partitions cannot be answered (add the missing ones with: completion-bus topics create)`,
    );
}

async function unfitSettings(admin: Admin, plan: TopicPlan, expected: TopicExpectations): Promise<string[]> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: mirrored(plan).map((name) => ({
      type: kafkajs.ConfigResourceTypes.TOPIC,
      name,
      configNames: ['max.message.bytes', 'retention.ms', 'segment.ms'],
    })),
  });
  const requests = new Set(requestTopics(plan));
  return resources.flatMap(({ resourceName, configEntries }) => {
    const setting = (name: string) =>
      Number(configEntries.find((entry) => entry.configName === name)?.configValue);
    const problems = [];
    if (setting('max.message.bytes') <= expected.recordMaxBytes) {
      problems.push(
        `${resourceName} takes records up to ${setting('max.message.bytes')} bytes: set its max.message.bytes above RECORD_MAX_BYTES (${expected.recordMaxBytes})`,
      );
    }
    const retentionMs = setting('retention.ms');
    if (requests.has(resourceName) && (retentionMs < 0 || retentionMs >= expected.ledgerTtlMs)) {
      problems.push(
        `${resourceName} keeps requests for ${retentionMs < 0 ? 'ever' : `${retentionMs} ms`}: set its retention.ms below LEDGER_TTL (${expected.ledgerTtlMs} ms), else a late redelivery would be paid for again`,
      );
    } else if (requests.has(resourceName) && retentionMs + setting('segment.ms') > expected.ledgerTtlMs) {
      // A segment is deleted when its last record is old enough.
      problems.push(
        `${resourceName} keeps requests for up to ${retentionMs + setting('segment.ms')} ms (retention.ms and segment.ms): set its segment.ms lower, or LEDGER_TTL (${expected.ledgerTtlMs} ms) higher, else a late redelivery would be paid for again`,
      );
    }
    return problems;
  });
}

/** Topics whose partition counts must agree: the requests and everything that is settled with them. */
function mirrored(plan: TopicPlan): string[] {
  return [...requestTopics(plan), ...settledTopics(plan.prefix)];
}

/** The topics that requests are read from. */
export function requestTopics(plan: TopicPlan): string[] {
  return plan.requests.map(({ topic }) => topic);
}

/** The names of all topics of the service. */
export function allTopics(plan: TopicPlan): string[] {
  return plannedTopics(plan).map(({ topic }) => topic);
}

function plannedTopics(plan: TopicPlan): ITopicConfig[] {
  const names = topicNames(plan.prefix);
  const roles = Object.keys(topicSettings) as (keyof typeof topicSettings)[];
  return roles.flatMap((role) => {
    const { partitioning, retentionMs, cleanupPolicy } = topicSettings[role];
    const topics = role === 'requests' ? requestTopics(plan) : [names[role]];
    return topics.map((topic) => ({
      topic,
      numPartitions: partitioning === 'one' ? 1 : plan.partitions,
      replicationFactor: plan.replication,
      configEntries: [
        { name: 'retention.ms', value: String(retentionMs) },
        { name: 'cleanup.policy', value: cleanupPolicy },
        // With as many as all replicas, one broker that is down would stop every write.
        { name: 'min.insync.replicas', value: String(Math.max(1, plan.replication - 1)) },
        ...(role === 'requests' ? [{ name: 'segment.ms', value: String(REQUEST_SEGMENT_MS) }] : []),
        ...(role === 'dead' ? [{ name: 'max.message.bytes', value: String(DEAD_LETTER_MAX_BYTES) }] : []),
      ],
    }));
  });
}
