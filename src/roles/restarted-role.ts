import { setTimeout as wait } from 'node:timers/promises';
import type { Check } from '../adapters/http/health-server.ts';
import type { Role } from '../config/environment.ts';
import { fired } from '../runtime/fired.ts';
import { doubledMs } from '../runtime/retry.ts';
import { attribute, metricName } from '../telemetry/names.ts';
import type { RoleContext, RunningRole, StartRole } from './role.ts';

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;
/** After this run time, the restart delay of a role starts at its minimum again. */
const STABLE_MS = 5 * 60_000;
/** How long a failed role may take to close. After that it is abandoned. */
const CLOSE_MS = 10_000;

/**
 * A role that fails alone: after a failed start, or a fatal error later, it is restarted instead of ending the process.
 *
 * ```
 *   starting ──started──► running ──fatal──► failed ──delay: 1 s, doubling to 1 min──► starting
 *      └── failed ────────────────────────────▲
 *   stopped ◄── stop() from any state
 * ```
 */
export function restarted(name: Role, start: StartRole, pause: Pause = untilLater): StartRole {
  return async (context) => {
    const role = new RestartedRole(name, start, context, pause);
    await role.firstStart;
    return role;
  };
}

/** Resolves after a time, or as soon as the signal fires. */
export type Pause = (delayMs: number, signal: AbortSignal) => Promise<void>;

const untilLater: Pause = (delayMs, signal) => wait(delayMs, undefined, { signal }).catch(() => undefined);

type State =
  | { readonly kind: 'starting' }
  | { readonly kind: 'running'; readonly role: RunningRole }
  | { readonly kind: 'failed'; readonly since: number; readonly error: Error; readonly failures: number };

class RestartedRole implements RunningRole {
  /** Resolves when the first start has succeeded or failed. */
  readonly firstStart: Promise<void>;
  private readonly name: Role;
  private readonly startRole: StartRole;
  private readonly pause: Pause;
  private readonly context: RoleContext;
  private readonly stopping = new AbortController();
  private readonly life: Promise<void>;
  private readonly settleFirst: () => void;
  private state: State = { kind: 'starting' };

  constructor(name: Role, start: StartRole, context: RoleContext, pause: Pause) {
    this.pause = pause;
    this.name = name;
    this.startRole = start;
    this.context = context;
    const first = Promise.withResolvers<void>();
    this.firstStart = first.promise;
    this.settleFirst = first.resolve;
    // The service stopped during the start: the role is not stored yet, so it must be stopped here.
    const stop = () => this.stopping.abort(context.signal.reason);
    if (context.signal.aborted) stop();
    else context.signal.addEventListener('abort', stop, { once: true });
    this.life = this.run().finally(first.resolve);
  }

  ready(): readonly Check[] {
    const { state, name } = this;
    if (state.kind === 'running') return [{ name, ok: true, why: 'running' }, ...state.role.ready()];
    if (state.kind === 'starting') return [{ name, ok: false, why: 'starting' }];
    const { error, failures, since } = state;
    return [
      {
        name,
        ok: false,
        since: new Date(since).toISOString(),
        why: `failed (${failures} in a row) and is restarted; the other roles continue: ${error.message}`,
      },
    ];
  }

  live(): readonly Check[] {
    return this.state.kind === 'running' ? (this.state.role.live?.() ?? []) : [];
  }

  async stop(): Promise<void> {
    this.stopping.abort(new Error('the service is stopping'));
    await this.life;
  }

  private async run(): Promise<void> {
    const { context, name, stopping } = this;
    const { clock, logger } = context;
    const restarts = context.telemetry.meter.createCounter(metricName.roleRestarts, {
      description: 'Restarts of a role after a failure',
      unit: '{start}',
    });
    const labels = { [attribute.role]: name };
    restarts.add(0, labels);
    const { signal } = stopping;
    let failures = 0;
    while (!signal.aborted) {
      const began = clock.monotonic();
      const error = await this.runOnce();
      if (error === null) return;
      failures = clock.monotonic() - began > STABLE_MS ? 1 : failures + 1;
      const delayMs = doubledMs(failures, FIRST_DELAY_MS, LONGEST_DELAY_MS);
      this.state = { kind: 'failed', since: clock.now(), error, failures };
      logger.error({ err: error, role: name, failures, delayMs }, 'the role failed; restarting it');
      this.settleFirst();
      await this.pause(delayMs, signal);
      if (!signal.aborted) restarts.add(1, labels);
    }
  }

  /** @returns what the role failed with, null when it was stopped; it is closed then */
  private async runOnce(): Promise<Error | null> {
    const { context, name, stopping } = this;
    const { signal } = stopping;
    const fatal = Promise.withResolvers<Error>();
    const wasRunning = this.state.kind !== 'failed';
    let role: RunningRole;
    try {
      role = await this.startRole({ ...context, signal, onFatal: fatal.resolve });
    } catch (error) {
      return signal.aborted ? null : asError(error);
    }
    this.state = { kind: 'running', role };
    if (!wasRunning) context.logger.info({ role: name }, 'the role is running again');
    this.settleFirst();
    const error = await Promise.race([fatal.promise, fired(signal)]);
    if (error === undefined) await role.stop();
    else await this.close(role);
    return error ?? null;
  }

  /** An error while closing does not prevent the restart. */
  private async close(role: RunningRole): Promise<void> {
    const { logger } = this.context;
    const closed = role
      .stop()
      .catch((error: unknown) =>
        logger.warn({ err: error, role: this.name }, 'the failed role could not be closed'),
      );
    await Promise.race([closed, wait(CLOSE_MS, undefined, { ref: false })]);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
