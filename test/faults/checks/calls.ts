import type { ChatResponse, CostCalculated, ProviderCall } from '../../../src/contract/record-types.ts';
import type { Call } from '../../support/stand-in/call-log.ts';
import { type Evidence, groupBy } from './evidence.ts';

interface BilledCall {
  readonly id: string;
  readonly requestId: string;
  readonly call: ProviderCall;
}

/** G2 and G4: every call is billed in exactly one cost event, from what is known. No answer is paid twice. */
export function calls(evidence: Evidence): string[] {
  const billed = evidence.costs.flatMap(({ value }) =>
    value.calls.map((call) => ({
      id: `${value.requestId}/${call.attempt}`,
      requestId: value.requestId,
      call,
    })),
  );
  const billable = evidence.calls.filter(canBeBilled(evidence));
  return [
    ...eachCallInOneBill(billable, billed),
    ...eachBillFromACall(evidence, billed),
    ...noCallTwice(evidence.calls),
    ...oneAccepted(billable, billed),
    ...billsOfResponses(
      evidence.costs.map(({ value }) => value),
      evidence.responses.map(({ value }) => value),
    ),
  ];
}

/**
 * A bill is published with its request's outcome. If the request's record is deleted first, no worker receives it again,
 * and its calls stay only in the ledger. While its worker lives, the request still gets its outcome.
 */
function canBeBilled({ vanished, responses, allowances }: Evidence): (call: Call) => boolean {
  if (allowances.deaths === 0 && !allowances.lostRecords) return () => true;
  // A refusal reports no calls, e.g. of an id that was used for another request.
  const originals = responses.filter(({ value }) => !value.replayed && value.attempts > 0);
  const answered = new Set(originals.map(({ value }) => value.requestId));
  const orphaned = new Set(
    vanished.map(({ requestId }) => requestId).filter((id) => !answered.has(id ?? '')),
  );
  return ({ requestId }) => !orphaned.has(requestId);
}

/** Whether the provider charges for the call, because it began to answer. */
function isCharged({ status, completionTokens, outcome }: Call): boolean {
  return status === 200 && (completionTokens > 0 || outcome === 'completed');
}

function eachCallInOneBill(made: readonly Call[], billed: readonly BilledCall[]): string[] {
  const bills = groupBy(billed, ({ id }) => id);
  return made
    .filter(isCharged)
    .map(({ clientRequestId }) => clientRequestId ?? 'a call without an id')
    .filter((id) => bills.get(id)?.length !== 1)
    .map((id) => `call ${id}: in ${bills.get(id)?.length ?? 0} cost events`);
}

/** A bill names a call that was made, and the usage that the provider reported. A lost call may never have reached it. */
function eachBillFromACall(
  { calls: made, patienceMs, allowances }: Evidence,
  billed: readonly BilledCall[],
): string[] {
  const seen = new Map(made.map((call) => [call.clientRequestId, call]));
  return billed.flatMap(({ id, call: { disposition, usage, startedAt } }) => {
    const call = seen.get(id);
    const isLost = disposition === 'ORPHANED' || disposition === 'ABORTED';
    const problems: string[] = [];
    // A provider that was frozen refuses calls whose client has left.
    const isUnheard = call?.endedAt != null && call.endedAt - startedAt >= patienceMs;
    if (isLost && !allowances.lostCalls)
      problems.push(`call ${id}: ${disposition}, although no worker was lost`);
    if (call === undefined && !isLost) problems.push(`call ${id}: billed as ${disposition} but never made`);
    if (call?.status != null && call.status >= 400 && !isLost && !isUnheard)
      problems.push(`call ${id}: billed although it was refused with ${call.status}`);
    const isReported = usage.confidence === 'PROVIDER' && call !== undefined;
    if (
      isReported &&
      (usage.inputTokens !== call.promptTokens || usage.outputTokens !== call.completionTokens)
    ) {
      problems.push(
        `call ${id}: billed ${usage.inputTokens}+${usage.outputTokens} tokens, but it used ${call.promptTokens}+${call.completionTokens}`,
      );
    }
    return problems;
  });
}

/** Attempt numbers are never reused. */
function noCallTwice(made: readonly Call[]): string[] {
  const ids = groupBy(made, ({ clientRequestId }) => clientRequestId ?? '');
  return [...ids]
    .filter(([, own]) => own.length > 1)
    .map(([id, own]) => `call ${id} was made ${own.length} times`);
}

/** Apart from the accepted answer, only calls billed as lost or retried were answered. */
function oneAccepted(made: readonly Call[], billed: readonly BilledCall[]): string[] {
  const lost = new Set(billed.filter(({ call }) => call.disposition !== 'ACCEPTED').map(({ id }) => id));
  const answered = groupBy(
    made.filter(
      ({ outcome, clientRequestId }) => outcome === 'completed' && !lost.has(clientRequestId ?? ''),
    ),
    ({ requestId }) => requestId ?? '',
  );
  const accepted = groupBy(
    billed.filter(({ call }) => call.disposition === 'ACCEPTED'),
    ({ requestId }) => requestId,
  );
  return [
    ...[...answered]
      .filter(([, own]) => own.length > 1)
      .map(([id, own]) => `${id} was answered and paid ${own.length} times`),
    ...[...accepted]
      .filter(([, own]) => own.length > 1)
      .map(([id, own]) => `${id}: ${own.length} calls are billed as accepted`),
  ];
}

/** Each request has at most one charge, the one that its original response names. */
function billsOfResponses(costs: readonly CostCalculated[], responses: readonly ChatResponse[]): string[] {
  const byRequest = groupBy(costs, ({ requestId }) => requestId);
  const named = new Map(
    responses
      .filter(({ replayed, costEventId }) => !replayed && costEventId !== null)
      .map((response) => [response.costEventId, response]),
  );
  const visible = new Set(costs.map(({ eventId }) => eventId));
  return [
    ...[...byRequest]
      .filter(([, own]) => own.length > 1)
      .map(([id, own]) => `${id}: ${own.length} cost events`),
    ...costs.flatMap(({ eventId, requestId, totalCost }) => {
      const response = named.get(eventId);
      if (response === undefined) return [`${requestId}: a cost event that no response names`];
      return response.cost === totalCost
        ? []
        : [`${requestId}: the response says ${response.cost}, the bill ${totalCost}`];
    }),
    ...[...named.values()]
      .filter(({ costEventId }) => !visible.has(costEventId ?? ''))
      .map(({ requestId }) => `${requestId}: its cost event is missing`),
  ];
}
