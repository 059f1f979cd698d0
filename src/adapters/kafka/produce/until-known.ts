import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '../../../runtime/logger.ts';
import { doubledMs } from '../../../runtime/retry.ts';
import type { TopicDirectory } from './topic-directory.ts';

const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 2_000;

/** Waits until every topic exists, as far as brokers have heard. @throws the signal's reason when it fires first */
export async function untilKnown(
  directory: TopicDirectory,
  topics: readonly string[],
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const isUnknown = (topic: string) => directory.partitionsOf(topic) === 0;
    if (!topics.some(isUnknown)) return;
    signal.throwIfAborted();
    await directory.add(topics).catch(() => undefined);
    const missing = topics.filter(isUnknown);
    if (missing.length === 0) return;
    logger.warn({ topics: missing, tries }, 'topics do not exist or no broker answers; trying again');
    await wait(doubledMs(tries + 1, FIRST_DELAY_MS, LONGEST_DELAY_MS), undefined, { signal }).catch(
      () => undefined,
    );
  }
}
