import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../runtime/logger.ts';
import type { CatalogMetrics } from '../../telemetry/catalog-metrics.ts';
import type { AnnounceChanges } from './announce-changes.ts';

/** Another process has the task now: the work of the old owner ends. */
export class TaskLost extends Error {
  override readonly name = 'TaskLost';
}

/** Who owns a task, and when it is due by the database's clock. */
export interface TaskLead {
  isDue(): Promise<boolean>;
  /**
   * Waits until this process owns the task: it is free, or its owner is dead.
   *
   * @returns the worker id that holds it
   * @throws the signal's reason
   */
  take(signal: AbortSignal): Promise<string>;
  /**
   * Releases the task.
   *
   * @param nextInMs when it is due again; null: as before
   */
  release(owner: string, nextInMs: number | null): Promise<void>;
}

export interface CatalogDuty {
  readonly lead: TaskLead;
  /** The steps of a run, in order. A failed step does not stop the others. `owner` owns the task. */
  readonly steps: readonly CatalogStep[];
  readonly announce: AnnounceChanges;
  /** Time between two runs. */
  readonly intervalMs: number;
  /** Time between two checks whether there is something to do. */
  readonly lookMs: number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly metrics: Omit<CatalogMetrics, 'close'>;
  readonly logger: Logger;
}

export interface CatalogStep {
  readonly name: 'models' | 'prices';
  run(owner: string, signal: AbortSignal): Promise<void>;
}

/** How early or late a run may be, as a part of the interval. It spreads the runs of many deployments. */
const JITTER = 0.1;
/** A run that failed is repeated after this part of the interval. */
const RETRY_PART = 1 / 12;

/**
 * Keeps the catalog up to date until the signal fires: one process at a time, at each interval.
 *
 * ```
 *  idle ──due, or changes to announce──► waiting for the task ──taken──► running ──► released, with the next due time
 *    ▲                                        (its owner is alive)          │ died or frozen: taken over, due as before
 *    └──────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * @param turnSignal ends the work of one turn; called for each turn
 */
export async function keepCatalog(
  duty: CatalogDuty,
  signal: AbortSignal,
  turnSignal: () => AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const turn = AbortSignal.any([signal, turnSignal()]);
    await takeTurn(duty, turn).catch((error: unknown) => {
      if (!signal.aborted) duty.logger.warn({ err: error }, 'catalog upkeep failed; trying again');
    });
    await delay(duty.lookMs, undefined, { signal }).catch(() => undefined);
  }
}

async function takeTurn(duty: CatalogDuty, signal: AbortSignal): Promise<void> {
  const { lead, announce, intervalMs, random } = duty;
  // 1 Check whether there is anything to do.
  if (!(await lead.isDue()) && !(await announce.isNeeded())) return;
  // 2 Take the task.
  const owner = await lead.take(signal);
  let nextInMs: number | null = null;
  try {
    // 3 Run it, unless another process did so during the wait.
    if (await lead.isDue()) {
      const went = await runSteps(duty, owner, signal);
      nextInMs = Math.round(intervalMs * (went ? 1 : RETRY_PART) * (1 - JITTER + 2 * JITTER * random()));
    }
    // 4 Announce what other processes have stored, or a dead one left.
    await announce.all(signal);
  } finally {
    await lead.release(owner, nextInMs);
  }
}

/** @returns whether all steps succeeded */
async function runSteps(duty: CatalogDuty, owner: string, signal: AbortSignal): Promise<boolean> {
  let went = true;
  for (const step of duty.steps) {
    try {
      await step.run(owner, signal);
      duty.metrics.stepDone(step.name, null);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TaskLost) throw error;
      went = false;
      duty.metrics.stepDone(step.name, nameOf(error));
      duty.logger.warn(
        { err: error, step: step.name },
        'a step of the catalog upkeep failed; the catalog stays as it is',
      );
    }
  }
  return went;
}

/** The code of a failure of the closed set; the class of any other error. */
function nameOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  if (typeof code === 'string') return code;
  return error instanceof Error ? error.name : 'unknown';
}
