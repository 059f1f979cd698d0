import type { ChatResponse } from '../../../src/contract/record-types.ts';
import { type Evidence, groupBy } from './evidence.ts';

/**
 * G1 and G6: each record has one response. One is the original, the others are its replays. Each original has one ResponseGenerated.
 */
export function outcomes(evidence: Evidence): string[] {
  const records = groupBy(
    evidence.requests.filter(({ requestId }) => requestId !== null),
    ({ requestId }) => requestId ?? '',
  );
  const vanished = groupBy(evidence.vanished, ({ requestId }) => requestId ?? '');
  const responses = groupBy(
    evidence.responses.map(({ value }) => value),
    ({ requestId }) => requestId,
  );
  const generated = groupBy(
    evidence.generated.map(({ value }) => value),
    ({ requestId }) => requestId,
  );
  const ids = new Set([...records.keys(), ...vanished.keys(), ...responses.keys(), ...generated.keys()]);
  ids.delete('');
  return [...ids].flatMap((id) => {
    const own = responses.get(id) ?? [];
    const least = records.get(id)?.length ?? 0;
    // A record that the log has lost may have been written more often than acknowledged.
    const mayBeMore = evidence.allowances.lostRecords && vanished.has(id);
    const most = mayBeMore ? Number.POSITIVE_INFINITY : least + (vanished.get(id)?.length ?? 0);
    const bodies = new Set(records.get(id)?.map(({ value }) => Buffer.from(value ?? []).toString('base64')));
    return [
      ...count(id, own.length, least, most),
      ...originals(id, own, most, bodies.size > 1, vanished.has(id), evidence.allowances.refusedAnswers),
      ...events(id, own, generated.get(id)?.length ?? 0),
      ...own.flatMap((response) => ending(id, response, evidence)),
    ];
  });
}

function count(id: string, found: number, least: number, most: number): string[] {
  if (most === 0) return [`${id}: answered but never published`];
  if (found < least) return [`${id}: ${found} responses to ${least} records: lost`];
  if (found > most) return [`${id}: ${found} responses to ${most} records: doubled`];
  return [];
}

/** Whether the ledger does not keep the outcome, so that a repeated request is handled from scratch. */
function isForgotten({ error, costEventId, attempts }: ChatResponse): boolean {
  if (error === null || costEventId !== null) return false;
  return error.retryable || (error.code === 'invalid_request' && attempts === 0);
}

function originals(
  id: string,
  responses: readonly ChatResponse[],
  records: number,
  hasOtherBody: boolean,
  hasVanished: boolean,
  mayBeRefused: boolean,
): string[] {
  const remembered = responses.filter((response) => !response.replayed && !isForgotten(response));
  const replays = responses.filter(({ replayed }) => replayed);
  const [original] = remembered;
  const conflicts = responses.filter(({ error }) => error?.param === 'requestId');
  // The broker's limit may change between two of them.
  const comparable = (response: ChatResponse) => !(mayBeRefused && response.error?.code === 'internal');
  const differing =
    original === undefined || !comparable(original)
      ? []
      : replays.filter((replay) => comparable(replay) && said(replay) !== said(original));
  return [
    ...(remembered.length > 1 ? [`${id}: ${remembered.length} originals`] : []),
    ...(replays.length > 0 && original === undefined && !hasVanished
      ? [`${id}: a replay without an original`]
      : []),
    ...(replays.length >= records && records > 0 ? [`${id}: as many replays as records`] : []),
    ...differing.map(() => `${id}: the replay says something else than the original`),
    ...(conflicts.length > 0 && !hasOtherBody && !hasVanished
      ? [`${id}: refused as used for another request, which it was not`]
      : []),
  ];
}

function said({ status, choices, error, costEventId }: ChatResponse): string {
  return JSON.stringify([status, choices, error, costEventId]);
}

function events(id: string, responses: readonly ChatResponse[], generated: number): string[] {
  const wanted = responses.filter(({ replayed }) => !replayed).length;
  return generated === wanted ? [] : [`${id}: ${generated} ResponseGenerated for ${wanted} responses`];
}

/** The request ended as scripted. Poison, internal failures and similar outcomes must be caused by the fault. */
function ending(id: string, response: ChatResponse, { expected, allowances }: Evidence): string[] {
  const { status, error, replayed } = response;
  const code = error?.code ?? '';
  const problems: string[] = [];
  if (!['COMPLETED', 'FAILED', 'CANCELLED'].includes(status)) problems.push(`${id}: status ${status}`);
  if ((status === 'COMPLETED') !== (error === null)) problems.push(`${id}: ${status} with error '${code}'`);
  // Two crashes make a request a suspect, and three more are counted against it. A harmless request is never quarantined as poison.
  if (code === 'poison' && allowances.deaths < 5)
    problems.push(`${id}: poison although only ${allowances.deaths} workers died`);
  if (code === 'internal' && !allowances.refusedAnswers)
    problems.push(`${id}: internal failure: ${error?.message}`);
  const wanted = expected.get(id);
  const isAllowed =
    error?.param === 'requestId' ||
    (code === 'internal' && allowances.refusedAnswers) ||
    (allowances.providerFails && status === 'FAILED');
  if (wanted !== undefined && status !== wanted && !isAllowed && !replayed)
    problems.push(`${id}: ${status} (${code} ${error?.message ?? ''}) instead of ${wanted}`);
  return problems;
}
