import { setTimeout as wait } from 'node:timers/promises';
import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs';
import type { Config } from '../../config.ts';
import { settledTopics, topicNames, topicSettings } from '../../contract/topics.ts';
import { errorType } from './broker-errors.ts';

type TopicPlan = Config['topics'];

/** What is wrong with the topics, all of it, and how to make it right. */
export class TopicsNotReady extends Error {
  override readonly name = 'TopicsNotReady';
}

const CREATION_TIMEOUT_MS = 30_000;
const LEADER_DELAY_MS = 100;
const LEADER_TRIES = CREATION_TIMEOUT_MS / LEADER_DELAY_MS;

/** A dead letter is its original with some headers more: its topic takes a little more than a record's limit. */
const DEAD_LETTER_MAX_BYTES = 1_048_588 + 65_536;

/**
 * Creates what is missing of the service's topics; existing ones are left as they are.
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
  await admin.createTopics({ topics: missing, waitForLeaders: false, timeout: CREATION_TIMEOUT_MS });
  await untilLed(admin, names);
  return names;
}

/** kafkajs's own waiting gives up where one of several brokers has not heard of a topic yet. */
async function untilLed(admin: Admin, names: string[]): Promise<void> {
  for (let tries = 1; tries <= LEADER_TRIES; tries += 1) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: names });
      if (topics.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))) return;
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
}

/**
 * Checks before the start that every topic is there, that outputs have as many partitions as the request topics, that
 * they take the largest record, and that no request outlives the ledger.
 *
 * @throws TopicsNotReady with every problem
 */
export async function checkTopics(admin: Admin, plan: TopicPlan, expected: TopicExpectations): Promise<void> {
  await requireTopics(
    admin,
    plannedTopics(plan).map(({ topic }) => topic),
  );
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

async function unevenPartitions(admin: Admin, plan: TopicPlan): Promise<string[]> {
  const names = mirrored(plan);
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  const counts = new Map(topics.map(({ name, partitions }) => [name, partitions.length]));
  const [first = '', ...others] = names;
  return others
    .filter((topic) => counts.get(topic) !== counts.get(first))
    .map(
      (topic) =>
        `${topic} has ${counts.get(topic)} partitions and ${first} has ${counts.get(first)}: outputs go to the partition with the input's number, so give both the same count`,
    );
}

async function unfitSettings(admin: Admin, plan: TopicPlan, expected: TopicExpectations): Promise<string[]> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: mirrored(plan).map((name) => ({
      type: kafkajs.ConfigResourceTypes.TOPIC,
      name,
      configNames: ['max.message.bytes', 'retention.ms'],
    })),
  });
  const requests = new Set(plan.requests.map(({ topic }) => topic));
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
    }
    return problems;
  });
}

/** Topics whose partition counts must be equal: the requests and everything that is settled with them. */
function mirrored(plan: TopicPlan): string[] {
  return [...plan.requests.map(({ topic }) => topic), ...settledTopics(plan.prefix)];
}

function plannedTopics(plan: TopicPlan): ITopicConfig[] {
  const names = topicNames(plan.prefix);
  const roles = Object.keys(topicSettings) as (keyof typeof topicSettings)[];
  return roles.flatMap((role) => {
    const { partitioning, retentionMs, cleanupPolicy } = topicSettings[role];
    const topics = role === 'requests' ? plan.requests.map(({ topic }) => topic) : [names[role]];
    return topics.map((topic) => ({
      topic,
      numPartitions: partitioning === 'one' ? 1 : plan.partitions,
      replicationFactor: plan.replication,
      configEntries: [
        { name: 'retention.ms', value: String(retentionMs) },
        { name: 'cleanup.policy', value: cleanupPolicy },
        ...(role === 'dead' ? [{ name: 'max.message.bytes', value: String(DEAD_LETTER_MAX_BYTES) }] : []),
      ],
    }));
  });
}
