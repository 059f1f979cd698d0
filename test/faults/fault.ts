import type { Allowances } from './checks/evidence.ts';
import type { FaultRun } from './fault-run.ts';
import type { ClusterName } from './laboratory.ts';
import type { WorkloadOptions } from './workload.ts';

/** One fault to inject into a service under load. */
export interface Fault {
  readonly name: string;
  /** Short description for the table. */
  readonly what: string;
  readonly cluster: ClusterName;
  /** Additional clusters. */
  readonly alsoNeeds?: readonly ClusterName[];
  /** Whether the ledger uses a replica set of three. Default: of one. */
  readonly hasMongoSet?: boolean;
  /** Number of workers at the start. Default: 2. */
  readonly workers?: number;
  /** Environment of the workers. Overrides the environment of all faults. */
  readonly env?: Readonly<Record<string, string>>;
  readonly workload?: WorkloadOptions;
  /** Records per second. Default: 40. */
  readonly rate?: number;
  /** Deviations that the fault makes acceptable. Default: none. */
  readonly allows?: Partial<Omit<Allowances, 'deaths'>>;
  /** Whether workers may exit unexpectedly, after which they are restarted. Default: no. */
  readonly workersMayEnd?: boolean;
  /** Whether workers may exit before they are ready, because a broker is down. They are restarted. Default: no. */
  readonly startMayFail?: boolean;
  /** Time limit of the fault. Default: 150 s. */
  readonly timeoutMs?: number;
  /** Injects the fault under load, and repairs what does not recover automatically. */
  disturb(run: FaultRun): Promise<void>;
  /** Checks more than the topics, once everything is answered and before the workers stop. */
  whenAnswered?(run: FaultRun): Promise<void>;
}
