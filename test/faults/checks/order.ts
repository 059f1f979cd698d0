import { type Evidence, groupBy } from './evidence.ts';

/** G3: the responses of one key are in the log order of its requests. A key on several partitions has moved and is exempt. */
export function orderPerKey({ requests, vanished, responses }: Evidence): string[] {
  const records = groupBy(
    requests.filter(({ requestId }) => requestId !== null),
    ({ key }) => key,
  );
  const answers = groupBy(responses, ({ source }) => Buffer.from(source.key ?? []).toString());
  // The order of deleted requests among the others of their key is unknown.
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

/** Returns the items out of order in `found`, which need not contain everything in `wanted`. */
function outOfOrder(found: readonly string[], wanted: readonly string[]): string[] {
  const places = new Map<string, number[]>();
  for (const [index, id] of wanted.entries()) places.set(id, [...(places.get(id) ?? []), index]);
  let reached = -1;
  const late: string[] = [];
  for (const id of found) {
    const place = places.get(id)?.shift();
    // The check of outcomes reports duplicates and unknown items.
    if (place === undefined) continue;
    if (place < reached) late.push(id);
    reached = Math.max(reached, place);
  }
  return late;
}
