import { Big } from 'big.js';
import type { History } from './history.ts';
import type { Call } from './stand-in/call-log.ts';
import type { Published } from './world.ts';

/**
 * Holds what became visible against what was published and against the calls that the provider saw.
 *
 * @param published in log order per key, each request id once
 * @returns every breach of G1 to G4, in words; empty when all hold
 */
export function breaches(
  published: readonly Published[],
  history: History,
  calls: readonly Call[],
): string[] {
  return [
    ...oneOutcome(published, history),
    ...orderPerKey(published, history),
    ...everyCallBilledOnce(history, calls),
    ...noSecondBill(history, calls),
    ...exactSums(history),
  ];
}

/** G1: exactly one response, one response-generated and at most one charge for each request. */
function oneOutcome(published: readonly Published[], history: History): string[] {
  const count = (values: readonly { readonly requestId: string }[]) => {
    const counts = new Map<string, number>();
    for (const { requestId } of values) counts.set(requestId, (counts.get(requestId) ?? 0) + 1);
    return counts;
  };
  const responses = count(history.originals);
  const generated = count(history.generated.map(({ value }) => value));
  const costs = count(history.costs.map(({ value }) => value));
  const known = new Set(published.map(({ request }) => request.requestId));
  const strangers = history.originals.filter(({ requestId }) => !known.has(requestId));
  return [
    ...published.flatMap(({ request: { requestId } }) => [
      ...(responses.get(requestId) === 1 ? [] : [`${requestId}: ${responses.get(requestId) ?? 0} responses`]),
      ...(generated.get(requestId) === 1
        ? []
        : [`${requestId}: ${generated.get(requestId) ?? 0} ResponseGenerated`]),
      ...((costs.get(requestId) ?? 0) <= 1 ? [] : [`${requestId}: ${costs.get(requestId)} cost events`]),
    ]),
    ...strangers.map(({ requestId }) => `${requestId}: answered but never published`),
  ];
}

/** G3: the responses of one key lie in the order in which its requests were published. */
function orderPerKey(published: readonly Published[], history: History): string[] {
  const place = new Map(published.map(({ request }, index) => [request.requestId, index]));
  const latest = new Map<string, number>();
  const problems: string[] = [];
  for (const { value, source } of history.responses) {
    if (value.replayed) continue;
    const key = Buffer.from(source.key ?? []).toString();
    const index = place.get(value.requestId) ?? -1;
    if (index < (latest.get(key) ?? -1)) problems.push(`${value.requestId}: out of order under key ${key}`);
    latest.set(key, index);
  }
  return problems;
}

/** G2: every call that may have used tokens is in exactly one cost event of its request. */
function everyCallBilledOnce(history: History, calls: readonly Call[]): string[] {
  const billed = new Map<string, number>();
  for (const { value } of history.costs) {
    for (const { attempt } of value.calls) {
      const id = `${value.requestId}/${attempt}`;
      billed.set(id, (billed.get(id) ?? 0) + 1);
    }
  }
  return calls
    .filter(
      ({ status, completionTokens, outcome }) =>
        status === 200 && (completionTokens > 0 || outcome === 'completed'),
    )
    .map(({ clientRequestId }) => clientRequestId ?? '')
    .filter((id) => billed.get(id) !== 1)
    .map((id) => `call ${id}: in ${billed.get(id) ?? 0} cost events`);
}

/**
 * G4: no attempt number is used for two calls, and besides the one accepted answer only calls that are billed as lost
 * (orphaned, aborted, retried) were answered at all.
 */
function noSecondBill(history: History, calls: readonly Call[]): string[] {
  const attempts = new Map<string, number>();
  for (const { clientRequestId } of calls) {
    attempts.set(clientRequestId ?? '', (attempts.get(clientRequestId ?? '') ?? 0) + 1);
  }
  const lost = new Set(
    history.costs.flatMap(({ value }) =>
      value.calls
        .filter(({ disposition }) => disposition !== 'ACCEPTED')
        .map(({ attempt }) => `${value.requestId}/${attempt}`),
    ),
  );
  const answered = new Map<string, number>();
  for (const { clientRequestId, requestId, outcome } of calls) {
    if (outcome !== 'completed' || lost.has(clientRequestId ?? '')) continue;
    answered.set(requestId ?? '', (answered.get(requestId ?? '') ?? 0) + 1);
  }
  return [
    ...[...attempts]
      .filter(([, count]) => count > 1)
      .map(([id, count]) => `call ${id} was made ${count} times`),
    ...[...answered]
      .filter(([, count]) => count > 1)
      .map(([id, count]) => `${id} was answered and paid ${count} times`),
  ];
}

/** The lines of each event add up to its total, and each line to quantity x price. */
function exactSums(history: History): string[] {
  return history.costs.flatMap(({ value }) => {
    const sum = value.lines.reduce((total, line) => total.plus(line.amount), new Big(0));
    const wrongLines = value.lines.filter(
      ({ quantity, unitPrice, unitSize, amount }) =>
        !new Big(amount).times(unitSize).eq(new Big(unitPrice).times(quantity)),
    );
    return [
      ...(value.totalCost === null || sum.eq(value.totalCost)
        ? []
        : [`${value.requestId}: lines add up to ${sum.toFixed()}`]),
      ...wrongLines.map(({ lineNumber }) => `${value.requestId}: line ${lineNumber} is not quantity x price`),
    ];
  });
}
