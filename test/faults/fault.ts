import type { Allowances } from './checks/evidence.ts';
import type { FaultRun } from './fault-run.ts';
import type { ClusterName } from './laboratory.ts';
import type { WorkloadOptions } from './workload.ts';

/** One way to do harm to a service under load. */
export interface Fault {
  readonly name: string;
  /** In a few words, for the table. */
  readonly what: string;
  readonly cluster: ClusterName;
  /** Clusters beside it. */
  readonly alsoNeeds?: readonly ClusterName[];
  /** Whether the ledger is on a replica set of three. Default: of one. */
  readonly hasMongoSet?: boolean;
  /** Workers at the beginning. Default: 2. */
  readonly workers?: number;
  /** Environment of the workers, over that of all faults. */
  readonly env?: Readonly<Record<string, string>>;
  readonly workload?: WorkloadOptions;
  /** Records per second. Default: 40. */
  readonly rate?: number;
  /** What the harm makes acceptable; by default nothing. */
  readonly allows?: Partial<Omit<Allowances, 'deaths'>>;
  /** Whether workers may end by themselves (they are started again). Default: no. */
  readonly workersMayEnd?: boolean;
  /** Whether workers may end before they were ready, because a broker is away (they are started again). Default: no. */
  readonly startMayFail?: boolean;
  /** How long the harm may take in all. Default: 150 s. */
  readonly timeoutMs?: number;
  /** Does the harm, while the load goes on, and mends what nobody else would mend. */
  disturb(run: FaultRun): Promise<void>;
  /** Judges more than what is visible in topics, once everything is answered and before the workers are stopped. */
  whenAnswered?(run: FaultRun): Promise<void>;
}
