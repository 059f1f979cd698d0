import { setTimeout as wait } from 'node:timers/promises';
import { untilAborted } from '../runtime/until-aborted.ts';

/** How long to wait for a member that should leave again: only a member that has joined can leave its group. */
const JOIN_MS = 3_000;

/**
 * Waits until a consumer has joined its group, or the signal fires; then it may be closed.
 *
 * @throws the signal's reason, or what keeps the consumer from joining
 */
export async function joinGroup(joining: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await untilAborted(joining, signal);
  } catch (error) {
    const joined = joining.catch(() => undefined);
    await Promise.race([joined, wait(JOIN_MS, undefined, { ref: false })]);
    throw error;
  }
}

/** Closes a consumer that has not joined: kafkajs waits for the group's answer first, which a service that stops does not need. */
export async function leaveUnjoined(closing: Promise<void>): Promise<void> {
  const closed = closing.catch(() => undefined);
  await Promise.race([closed, wait(JOIN_MS, undefined, { ref: false })]);
}
