import { calls as checkCalls } from '../../faults/checks/calls.ts';
import { chunks } from '../../faults/checks/chunks.ts';
import type { Evidence } from '../../faults/checks/evidence.ts';
import { orderPerKey } from '../../faults/checks/order.ts';
import { outcomes } from '../../faults/checks/outcomes.ts';
import { exactSums } from '../../faults/checks/sums.ts';
import type { Call } from '../../support/stand-in/call-log.ts';
import type { NeighbourRequest } from '../run/neighbours.ts';
import type { Outputs } from '../run/outputs.ts';
import { NEIGHBOUR_MARK, placeOf } from '../run/publication.ts';

export interface NeighbourBreaches {
  readonly outcomes: string[];
  readonly order: string[];
  readonly chunks: string[];
  readonly bills: string[];
  readonly dead: string[];
}

/** The nine must not notice the tenth at all. No exception is allowed. */
export function checkNeighbours(
  published: readonly NeighbourRequest[],
  outputs: Outputs,
  calls: readonly Call[],
): NeighbourBreaches {
  const evidence: Evidence = {
    requests: inLogOrder(published).map(({ partition, offset, key, requestId, value }) => ({
      partition,
      offset,
      key,
      requestId,
      value,
      headers: {},
    })),
    vanished: [],
    expected: new Map(published.map(({ requestId }) => [requestId, 'COMPLETED'])),
    responses: outputs.responses,
    generated: outputs.generated,
    costs: outputs.costs,
    chunks: outputs.chunks,
    dead: [],
    calls: calls.filter(({ requestId }) => requestId?.startsWith(NEIGHBOUR_MARK)),
    patienceMs: Number.POSITIVE_INFINITY,
    positions: [],
    allowances: {
      deaths: 0,
      lostCalls: false,
      lostRecords: false,
      refusedAnswers: false,
      providerFails: false,
    },
  };
  const deadLettered = new Set(outputs.dead);
  return {
    outcomes: outcomes(evidence),
    order: orderPerKey(evidence),
    chunks: chunks(evidence),
    bills: [...checkCalls(evidence), ...exactSums(evidence), ...unbilled(evidence)],
    dead: published
      .filter((request) => deadLettered.has(placeOf(request)))
      .map(({ requestId }) => `${requestId}: a dead letter`),
  };
}

/** A key is on one partition of one topic, where the offsets are in the order of its requests. */
function inLogOrder(published: readonly NeighbourRequest[]): NeighbourRequest[] {
  return published.toSorted((one, other) => one.offset - other.offset);
}

/** Each of them was answered by a priced model. */
function unbilled({ responses }: Evidence): string[] {
  return responses
    .filter(({ value }) => value.status === 'COMPLETED' && !value.replayed && value.costStatus !== 'PRICED')
    .map(({ value }) => `${value.requestId}: completed with cost ${value.costStatus}`);
}
