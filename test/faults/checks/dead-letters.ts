import { type DeadLetter, type Evidence, groupBy, type RequestRecord } from './evidence.ts';

/** G1 and G9: one dead letter, with bytes, key and headers as they were, for each unreadable record and each poison request; no others. */
export function deadLetters({ requests, vanished, responses, dead }: Evidence): string[] {
  const letters = groupBy(dead, placeOf);
  const poison = new Set(
    responses
      .filter(({ value }) => value.error?.code === 'poison' && !value.replayed)
      .map(({ value }) => value.requestId),
  );
  const known = new Map(requests.map((record) => [`${record.partition}/${record.offset}`, record]));
  const vanishedCount = vanished.filter(({ requestId }) => requestId === null).length;
  const strangers = [...letters.keys()].filter((place) => !known.has(place));
  return [
    ...requests
      .filter(({ requestId }) => requestId === null)
      .flatMap((record) => one(record, letters.get(`${record.partition}/${record.offset}`) ?? [])),
    ...[...letters].flatMap(([place, own]) => {
      const record = known.get(place);
      if (record?.requestId == null) return [];
      return poison.has(record.requestId)
        ? one(record, own)
        : [`${record.requestId}: a dead letter for a record that can be read`];
    }),
    ...[...poison]
      .filter((id) => !dead.some((letter) => known.get(placeOf(letter))?.requestId === id))
      .map((id) => `${id}: poison without its dead letter`),
    ...(strangers.length > vanishedCount
      ? strangers.map((place) => `dead letter of ${place}: no such record`)
      : []),
  ];
}

function placeOf({ headers }: DeadLetter): string {
  return `${headers['dead-partition']}/${headers['dead-offset']}`;
}

function one(record: RequestRecord, letters: readonly DeadLetter[]): string[] {
  const name = `record ${record.partition}/${record.offset}`;
  const [letter] = letters;
  if (letters.length !== 1 || letter === undefined) return [`${name}: ${letters.length} dead letters`];
  const problems: string[] = [];
  const isCut = letter.headers['dead-value-omitted'] !== undefined;
  if (!isCut && Buffer.compare(Buffer.from(letter.value ?? []), Buffer.from(record.value ?? [])) !== 0)
    problems.push(`${name}: its dead letter has other bytes`);
  if (Buffer.from(letter.key ?? []).toString() !== record.key)
    problems.push(`${name}: its dead letter has another key`);
  const lost = Object.entries(record.headers).filter(
    ([header, value]) => String(letter.headers[header]) !== String(value),
  );
  if (lost.length > 0) problems.push(`${name}: its dead letter lost headers`);
  if (!letter.headers['dead-code']) problems.push(`${name}: its dead letter has no reason`);
  return problems;
}
