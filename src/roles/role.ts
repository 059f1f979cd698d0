import type { Db } from 'mongodb';
import type { Check } from '../adapters/http/health-server.ts';
import type { Config } from '../config/load-config.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Telemetry } from '../telemetry/start.ts';

/** Why a process stops after an error that nobody caught: what does not end in time may have caused it. */
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
  /** Fires when the service stops while the role starts: the start ends then, and finishes what it has begun. */
  readonly signal: AbortSignal;
  /** The role cannot go on: it, or where it is the worker the process, must end and be started again. */
  readonly onFatal: (error: Error) => void;
}

/** A role that runs. */
export interface RunningRole {
  /** Whether it does its work now. Asked on every request of `/readyz`; must answer at once. */
  ready(): readonly Check[];
  /** Whether it still gets on with its work; if not, the process should be started again. Asked on every request of `/livez`. */
  live?(): readonly Check[];
  /** Finishes what runs and closes what the role has started. Called once. */
  stop(): Promise<void>;
}

/**
 * Starts one role, and undoes what was started when a part of it fails.
 *
 * @throws whatever keeps it from starting, with a message that names the way out
 */
export type StartRole = (context: RoleContext) => Promise<RunningRole>;
