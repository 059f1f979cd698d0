import { type Evidence, groupBy } from './evidence.ts';

/** G3: the responses of one key lie in the log order of its requests. Keys that lie on several partitions have moved and are exempt. */
export function orderPerKey({ requests, vanished, responses }: Evidence): string[] {
  const records = groupBy(
    requests.filter(({ requestId }) => requestId !== null),
    ({ key }) => key,
  );
  const answers = groupBy(responses, ({ source }) => Buffer.from(source.key ?? []).toString());
  // Where requests have vanished nobody knows any more where they lay among the others of their key.
  const incomplete = new Set(vanished.map(({ key }) => key));
  return [...answers].flatMap(([key, own]) => {
    const log = records.get(key) ?? [];
    if (incomplete.has(key) || new Set(log.map(({ partition }) => partition)).size > 1) return [];
    const wanted = log.map(({ requestId }) => requestId ?? '');
    const strays = outOfOrder(
      own.map(({ value }) => value.requestId),
      wanted,
    );
    return strays.map((requestId) => `${requestId}: out of order under key ${key}`);
  });
}

/** Those that come too late in `found`, which need not have everything that `wanted` has. */
function outOfOrder(found: readonly string[], wanted: readonly string[]): string[] {
  const places = new Map<string, number[]>();
  for (const [index, id] of wanted.entries()) places.set(id, [...(places.get(id) ?? []), index]);
  let reached = -1;
  const late: string[] = [];
  for (const id of found) {
    const place = places.get(id)?.shift();
    // One too many, or a stranger: said by the check of outcomes.
    if (place === undefined) continue;
    if (place < reached) late.push(id);
    reached = Math.max(reached, place);
  }
  return late;
}
