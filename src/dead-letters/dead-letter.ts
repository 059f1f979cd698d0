import type { HeaderValue, InboundRecord, RecordHeaders, TopicPartition } from '../ports/kafka.ts';

/** A record of the dead-letter topic. */
export interface DeadLetter {
  /** Its partition and offset, as in `3/17`. Operators name it by this id. */
  readonly id: string;
  /** When it was written, epoch ms. */
  readonly at: number;
  /** Why it is there (`dead-code`); null if another writer than the service wrote it. */
  readonly code: string | null;
  /** The reason in words (`dead-message`). */
  readonly message: string;
  /** Where it was read; null if the headers do not say. */
  readonly source: (TopicPartition & { readonly offset: number }) | null;
  /** Whether its value was too large for the topic, so that it was left out. */
  readonly isWithoutValue: boolean;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** The original headers, without those that start with `dead-`. */
  readonly headers: RecordHeaders;
}

const OURS = /^dead-/;
const WHOLE_NUMBER = /^\d{1,15}$/;

/** Reads a record of the dead-letter topic, whether or not the service wrote it. */
export function readDeadLetter(record: InboundRecord): DeadLetter {
  const text = (name: string) => headerText(record.headers[`dead-${name}`]);
  const number = (name: string) => {
    const value = text(name);
    return value !== null && WHOLE_NUMBER.test(value) ? Number(value) : null;
  };
  const [topic, partition, offset] = [text('topic'), number('partition'), number('offset')];
  return {
    id: `${record.partition}/${record.offset}`,
    at: record.timestamp,
    code: text('code'),
    message: text('message') ?? '',
    source: topic === null || partition === null || offset === null ? null : { topic, partition, offset },
    isWithoutValue: text('value-omitted') !== null,
    key: record.key,
    value: record.value,
    headers: Object.fromEntries(Object.entries(record.headers).filter(([name]) => !OURS.test(name))),
  };
}

/** The facts of a dead letter for a program or a table. They omit the value: prompts do not belong on terminals. */
export interface LetterFacts {
  readonly id: string;
  /** ISO 8601. */
  readonly time: string;
  readonly code: string | null;
  readonly message: string;
  readonly source: DeadLetter['source'];
  readonly key: string | null;
  readonly isWithoutValue: boolean;
}

export function letterFacts({ id, at, code, message, source, key, isWithoutValue }: DeadLetter): LetterFacts {
  return { id, time: new Date(at).toISOString(), code, message, source, key: keyText(key), isWithoutValue };
}

/** A key that is not text is shown by its bytes. */
function keyText(key: Uint8Array | null): string | null {
  if (key === null) return null;
  const bytes = Buffer.from(key);
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : `0x${bytes.toString('hex')}`;
}

/** As in `chat.requests/3/4711`. */
export function placeOf({ topic, partition, offset }: TopicPartition & { readonly offset: number }): string {
  return `${topic}/${partition}/${offset}`;
}

function headerText(value: HeaderValue): string | null {
  if (value === undefined || value === null) return null;
  // If it is repeated, as in a copy of a copy, the last one is the service's own.
  if (Array.isArray(value)) return headerText(value.at(-1));
  return typeof value === 'string' ? value : Buffer.from(value).toString('utf8');
}
