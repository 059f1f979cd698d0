import type { Db } from 'mongodb';
import type { Check } from '../adapters/http/health-server.ts';
import type { Config } from '../config/load-config.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Telemetry } from '../telemetry/start.ts';

/** The reason for stopping after an uncaught error: a request that does not end in time may have caused it. */
export class DefectFound extends Error {
  override readonly name = 'DefectFound';
}

/** What every role of a process gets. A role starts and closes everything else that it needs. */
export interface RoleContext {
  readonly config: Config;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Connected, with its indexes, and bound to this cluster, group and prefix. */
  readonly db: Db;
  /** Fires if the service stops while the role starts. The start then finishes its current step and ends. */
  readonly signal: AbortSignal;
  /** Called when the role cannot continue. The role must be restarted, or the process if the role is the worker. */
  readonly onFatal: (error: Error) => void;
}

/** A running role. */
export interface RunningRole {
  /** Whether it works now. Called for every request of `/readyz`; must answer at once. */
  ready(): readonly Check[];
  /** Whether it makes progress. If not, the process should be restarted. Called for every request of `/livez`. */
  live?(): readonly Check[];
  /** Finishes work in flight and closes the role's resources. Called once. */
  stop(): Promise<void>;
}

/**
 * Starts one role. If a part of it fails, everything started is closed again.
 *
 * @throws the error that prevents the start, with a message that says what to do
 */
export type StartRole = (context: RoleContext) => Promise<RunningRole>;
