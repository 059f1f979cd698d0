import { type DeadLetter, type Evidence, groupBy, type RequestRecord } from './evidence.ts';

/** G1 and G9: each unreadable record and each poison request has one dead letter with unchanged bytes, key and headers. There are no others. */
export function deadLetters({ requests, vanished, responses, dead }: Evidence): string[] {
  const known = new Map(requests.map((record) => [`${record.partition}/${record.offset}`, record]));
  const poison = new Set(
    responses
      .filter(({ value }) => value.error?.code === 'poison' && !value.replayed)
      .map(({ value }) => value.requestId),
  );
  const mayHaveLetter = (record: RequestRecord) => record.requestId === null || poison.has(record.requestId);
  const fits = (letter: DeadLetter) => {
    const record = known.get(placeOf(letter));
    return record !== undefined && mayHaveLetter(record);
  };
  // In a recreated topic, the same offset held other records before. Headers distinguish their dead letters.
  const wasReused = vanished.length > 0;
  const letters = groupBy(dead.filter(fits), placeOf);
  const strays = dead.filter((letter) => !fits(letter));
  const allowed = vanished.length;
  return [
    ...requests
      .filter(({ requestId }) => requestId === null)
      .flatMap((record) => {
        const own = letters.get(`${record.partition}/${record.offset}`) ?? [];
        return one(
          record,
          wasReused ? own.filter((letter) => lostHeaders(record, letter).length === 0) : own,
        );
      }),
    ...requests
      .filter(({ requestId }) => requestId !== null && poison.has(requestId))
      .flatMap((record) => {
        const own = letters.get(`${record.partition}/${record.offset}`) ?? [];
        return own.length === 0 ? [] : one(record, own);
      }),
    ...[...poison]
      .filter((id) => !dead.some((letter) => known.get(placeOf(letter))?.requestId === id))
      .map((id) => `${id}: poison without its dead letter`),
    ...(strays.length > allowed ? strays.map((letter) => stray(letter, known.get(placeOf(letter)))) : []),
  ];
}

function stray(letter: DeadLetter, record: RequestRecord | undefined): string {
  return record === undefined
    ? `dead letter of ${placeOf(letter)}: no such record`
    : `${record.requestId}: a dead letter for a record that can be read`;
}

function lostHeaders(record: RequestRecord, letter: DeadLetter): string[] {
  return Object.entries(record.headers)
    .filter(([header, value]) => String(letter.headers[header]) !== String(value))
    .map(([header]) => header);
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
  if (lostHeaders(record, letter).length > 0) problems.push(`${name}: its dead letter lost headers`);
  if (!letter.headers['dead-code']) problems.push(`${name}: its dead letter has no reason`);
  return problems;
}
