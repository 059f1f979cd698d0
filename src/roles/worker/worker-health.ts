import type { Check } from '../../adapters/http/health-server.ts';

/** The inputs of a worker's health checks. Ages are in milliseconds, null if nothing waits. */
export interface WorkerHealth {
  /** Whether the group has completed an assignment, even an empty one. */
  wasAssigned(): boolean;
  /** Number of lanes by state. */
  lanes(): { readonly open: number; readonly opening: number; readonly halted: number };
  /** Time since a broker answered a fetch; null before the first answer. */
  lastFetchAgeMs(): number | null;
  /** How long the writer thread has not answered; 0 if it has. */
  writerUnansweredMs(): number;
  /** How long the oldest outcome has waited to be settled. */
  oldestUnsettledMs(): number | null;
  /** How long chunks have waited without any being acknowledged. */
  chunksUnacknowledgedMs(): number | null;
  /** Circuit breakers of providers and models. */
  providers(): readonly { readonly provider: string; readonly model: string; readonly breaker: string }[];
  /** Epoch ms. */
  now(): number;
}

/** Callers choose the names of models, so only this many are listed. */
const NAMED_MODELS = 5;

/** A worker is not ready if its last answer from a broker, or its oldest work, is older than this. */
const READY_MAX_AGE_MS = 30_000;

/** Whether the worker is working now. */
export function readyChecks(health: WorkerHealth): Check[] {
  const lanes = health.lanes();
  const fetchAgeMs = health.lastFetchAgeMs();
  return [
    {
      name: 'group',
      ok: health.wasAssigned(),
      why: health.wasAssigned()
        ? 'partitions are assigned'
        : 'waiting for the first assignment of partitions',
    },
    {
      name: 'lanes',
      ok: lanes.opening === 0 && lanes.halted === 0,
      why: `${lanes.open} open, ${lanes.opening} opening, ${lanes.halted} halted`,
    },
    kafkaCheck(fetchAgeMs, health.now()),
    providerCheck(health),
    ...progressChecks(health, READY_MAX_AGE_MS),
  ];
}

function kafkaCheck(fetchAgeMs: number | null, now: number): Check {
  const name = 'kafka';
  if (fetchAgeMs === null) return { name, ok: false, why: 'nothing fetched yet' };
  if (fetchAgeMs < READY_MAX_AGE_MS) return { name, ok: true, why: `last answer ${seconds(fetchAgeMs)} ago` };
  return {
    name,
    ok: false,
    since: new Date(now - fetchAgeMs).toISOString(),
    why: `no broker has answered for ${seconds(fetchAgeMs)}; meanwhile: calls in flight continue, their outcomes wait in the ledger`,
  };
}

/** A provider that is down makes its requests wait. It does not make the worker unready. */
function providerCheck(health: WorkerHealth): Check {
  const down = health.providers().filter(({ breaker }) => breaker !== 'closed');
  if (down.length === 0)
    return { name: 'provider', ok: true, advisory: true, why: 'no circuit breaker is open' };
  const names = down.slice(0, NAMED_MODELS).map(({ provider, model }) => `${provider} ${model}`);
  const more = down.length > NAMED_MODELS ? ` and ${down.length - NAMED_MODELS} more` : '';
  return {
    name: 'provider',
    ok: false,
    advisory: true,
    why: `unavailable: ${names.join(', ')}${more}; meanwhile: their calls wait, other models continue`,
  };
}

/**
 * Whether work makes progress. If not, the process should be restarted.
 *
 * @param stuckAfterMs how long work may wait without any progress
 */
export function liveChecks(health: WorkerHealth, stuckAfterMs: number): Check[] {
  return progressChecks(health, stuckAfterMs);
}

function progressChecks(health: WorkerHealth, maxAgeMs: number): Check[] {
  const writerMs = health.writerUnansweredMs();
  const unsettledMs = health.oldestUnsettledMs();
  const chunksMs = health.chunksUnacknowledgedMs();
  return [
    {
      name: 'writer',
      ok: writerMs < maxAgeMs,
      why:
        writerMs === 0
          ? 'the writing thread answers'
          : `the writing thread has not answered for ${seconds(writerMs)}`,
    },
    {
      name: 'settle',
      ok: (unsettledMs ?? 0) < maxAgeMs,
      why:
        unsettledMs === null
          ? 'no outcome is waiting'
          : `the oldest outcome has waited for ${seconds(unsettledMs)}`,
    },
    {
      name: 'chunks',
      ok: (chunksMs ?? 0) < maxAgeMs,
      why: chunksMs === null ? 'no chunk is waiting' : `no chunk was acknowledged for ${seconds(chunksMs)}`,
    },
  ];
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
