import { calls as checkCalls } from '../faults/checks/calls.ts';
import type { Evidence } from '../faults/checks/evidence.ts';
import { orderPerKey } from '../faults/checks/order.ts';
import { outcomes } from '../faults/checks/outcomes.ts';
import { exactSums } from '../faults/checks/sums.ts';
import type { History } from './history.ts';
import type { Call } from './stand-in/call-log.ts';
import type { Published } from './world.ts';

/**
 * Compares the visible outputs with the published requests and the provider's calls: outcomes, order, bills and sums. Workers
 * may have died, so calls may be lost. Chunks, dead letters and offsets are left to the test.
 *
 * @param published each request id once; the request topic may have some twice, since publishers repeat themselves after errors
 * @returns a description of every breach of G1 to G4. Empty when all hold
 */
export function breaches(
  published: readonly Published[],
  history: History,
  calls: readonly Call[],
): string[] {
  const evidence: Evidence = {
    requests: history.requests.map(({ requestId, source }) => {
      const { partition, offset } = source;
      return { partition, offset, key: String(source.key), requestId, value: null, headers: {} };
    }),
    vanished: [],
    expected: new Map(),
    responses: history.responses,
    generated: history.generated,
    costs: history.costs,
    chunks: history.chunks,
    dead: history.dead,
    calls,
    patienceMs: Number.POSITIVE_INFINITY,
    positions: [],
    allowances: {
      deaths: Number.POSITIVE_INFINITY,
      lostCalls: true,
      lostRecords: false,
      refusedAnswers: false,
      providerFails: false,
    },
  };
  const inLog = new Set(history.requests.map(({ requestId }) => requestId));
  const lost = published.filter(({ request }) => !inLog.has(request.requestId));
  return [
    ...lost.map(({ request }) => `${request.requestId}: never reached the request topic`),
    ...outcomes(evidence),
    ...orderPerKey(evidence),
    ...checkCalls(evidence),
    ...exactSums(evidence),
  ];
}
