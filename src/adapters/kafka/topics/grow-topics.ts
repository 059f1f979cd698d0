import type { Admin } from 'kafkajs';
import { settledTopics } from '../../../contract/topics.ts';
import { partitionCounts, requestTopics, requireTopics, type TopicPlan, untilLed } from './topics.ts';

/** A topic that was given more partitions. */
export interface GrownTopic {
  readonly topic: string;
  readonly from: number;
  readonly to: number;
}

/** A request topic has more partitions than were asked for. */
export class CannotShrink extends Error {
  override readonly name = 'CannotShrink';
}

/**
 * Gives the request topics so many partitions, and everything that is settled with them at least as many. Outputs come first: a
 * request whose partition has no outputs cannot be answered.
 *
 * @returns those that were given more, in that order; empty when all have them
 * @throws TopicsNotReady when a topic is missing; CannotShrink
 */
export async function growTopics(admin: Admin, plan: TopicPlan, count: number): Promise<GrownTopic[]> {
  const requests = requestTopics(plan);
  const outputs = settledTopics(plan.prefix);
  await requireTopics(admin, [...requests, ...outputs]);
  const counts = await partitionCounts(admin, requests);
  for (const [topic, has] of counts)
    if (has > count)
      throw new CannotShrink(
        `${topic} has ${has} partitions, and Kafka cannot remove partitions: ask for ${has} or more`,
      );
  return [...(await grow(admin, outputs, count)), ...(await grow(admin, requests, count))];
}

/**
 * Gives outputs the partitions that they lack beside the request topics.
 *
 * @returns those that were given more
 */
export async function repairPartitions(admin: Admin, plan: TopicPlan): Promise<GrownTopic[]> {
  const counts = await partitionCounts(admin, requestTopics(plan));
  return grow(admin, settledTopics(plan.prefix), Math.max(...counts.values()));
}

async function grow(admin: Admin, topics: readonly string[], count: number): Promise<GrownTopic[]> {
  const counts = await partitionCounts(admin, topics);
  const hasLess = (topic: string) => (counts.get(topic) ?? count) < count;
  const names = topics.filter(hasLess);
  if (names.length === 0) return [];
  await admin.createPartitions({ topicPartitions: names.map((topic) => ({ topic, count })) });
  await untilLed(admin, names, count);
  return names.map((topic) => ({ topic, from: counts.get(topic) ?? 0, to: count }));
}
