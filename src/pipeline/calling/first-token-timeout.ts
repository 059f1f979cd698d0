import type { ChatRequest } from '../../contract/record-types.ts';
import { effortOf } from '../../domain/parameters/refused-parameters.ts';
import type { ModelInfo } from '../../ports/catalog.ts';

export interface FirstTokenPolicy {
  readonly firstTokenTimeoutMs: number;
  /** For calls that reason long or wait for capacity. Default: the same. */
  readonly slowFirstTokenTimeoutMs?: number;
}

/** Reasoning efforts that take minutes. */
const HIGH_EFFORTS: ReadonlySet<string> = new Set(['high', 'xhigh', 'max']);
/** Models that take minutes at any effort. */
const SLOW_MODEL = /(?:^|[-/])(?:pro|deep-research)(?:$|[-:])/;

/** Whether the first piece of an answer may take minutes: by tier, effort or model. */
export function isSlowToBegin(model: ModelInfo, { serviceTier, reasoningEffort }: ChatRequest): boolean {
  if (serviceTier === 'flex' || SLOW_MODEL.test(model.id)) return true;
  return HIGH_EFFORTS.has(effortOf(model, reasoningEffort) ?? '');
}

/** How long to wait for the first piece of an answer, in milliseconds. */
export function firstTokenTimeout(model: ModelInfo, request: ChatRequest, policy: FirstTokenPolicy): number {
  const { firstTokenTimeoutMs, slowFirstTokenTimeoutMs = firstTokenTimeoutMs } = policy;
  return isSlowToBegin(model, request)
    ? Math.max(firstTokenTimeoutMs, slowFirstTokenTimeoutMs)
    : firstTokenTimeoutMs;
}
