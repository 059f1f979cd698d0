import { retry } from '../../../runtime/retry.ts';
import type { Broker } from './broker.ts';
import { errorType } from './broker-errors.ts';
import { type Cluster, COORDINATOR_TYPES } from './cluster-requests.ts';

/** On a new cluster brokers first create the topic that coordinators keep their state in, which takes about a second. */
const TRIES = 30;
const DELAY_MS = 100;

/**
 * The broker that coordinates a group, or the transactions of an id.
 *
 * @throws when none does within some seconds
 */
export function findCoordinator(
  cluster: Cluster,
  of: keyof typeof COORDINATOR_TYPES,
  id: string,
): Promise<Broker> {
  const find = () => cluster.findGroupCoordinator({ groupId: id, coordinatorType: COORDINATOR_TYPES[of] });
  const isRetryable = (error: unknown) => errorType(error) === 'GROUP_COORDINATOR_NOT_AVAILABLE';
  return retry(find, { tries: TRIES, delayMs: DELAY_MS, isRetryable });
}
