import { setTimeout as wait } from 'node:timers/promises';
import { errorType } from './broker-errors.ts';
import { type Broker, type Cluster, COORDINATOR_TYPES } from './cluster-requests.ts';

/** On a new cluster brokers first create the topic that coordinators keep their state in, which takes about a second. */
const TRIES = 30;
const DELAY_MS = 100;

/**
 * The broker that coordinates a group, or the transactions of an id.
 *
 * @throws when none does within some seconds
 */
export async function findCoordinator(
  cluster: Cluster,
  of: keyof typeof COORDINATOR_TYPES,
  id: string,
): Promise<Broker> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await cluster.findGroupCoordinator({ groupId: id, coordinatorType: COORDINATOR_TYPES[of] });
    } catch (error) {
      if (errorType(error) !== 'GROUP_COORDINATOR_NOT_AVAILABLE' || tries >= TRIES) throw error;
      await wait(DELAY_MS);
    }
  }
}
