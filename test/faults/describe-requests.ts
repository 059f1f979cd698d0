import type { Evidence } from './checks/evidence.ts';

const MOST_REQUESTS = 10;

/** Describes the requests named in breaches, with a line for each record, response, bill and call. */
export function describeRequests(evidence: Evidence, breaches: readonly string[]): string[] {
  const ids = new Set(breaches.flatMap((breach) => /\brequest-\d+/.exec(breach) ?? []));
  return [...ids].slice(0, MOST_REQUESTS).flatMap((id) => [
    ...evidence.requests
      .filter(({ requestId }) => requestId === id)
      .map(({ partition, offset, key }) => `${id}: record ${partition}/${offset} under ${key}`),
    ...evidence.vanished
      .filter(({ requestId }) => requestId === id)
      .map(({ key }) => `${id}: vanished record under ${key}`),
    ...evidence.responses
      .filter(({ value }) => value.requestId === id)
      .map(({ value: { status, error, replayed, attempts, acceptedAttempt, createdAt, costEventId } }) => {
        const what = `${status}${replayed ? ' replayed' : ''} ${error?.code ?? ''}`;
        return `${id}: response ${what}, ${attempts} attempts, ${acceptedAttempt} accepted, at ${time(createdAt)}, bill ${costEventId}`;
      }),
    ...evidence.costs
      .filter(({ value }) => value.requestId === id)
      .flatMap(({ value }) =>
        value.calls.map(
          ({ attempt, disposition, amount, startedAt }) =>
            `${id}: bill ${value.eventId} of attempt ${attempt} ${disposition} ${amount}, begun at ${time(startedAt)}`,
        ),
      ),
    ...evidence.calls
      .filter(({ requestId }) => requestId === id)
      .map(
        ({ attempt, status, outcome, completionTokens, startedAt, endedAt }) =>
          `${id}: call ${attempt} ${status} ${outcome}, ${completionTokens} tokens, ${time(startedAt)} to ${time(endedAt)}`,
      ),
  ]);
}

function time(at: number | null): string {
  return at === null ? 'now' : new Date(at).toISOString().slice(11, 23);
}
