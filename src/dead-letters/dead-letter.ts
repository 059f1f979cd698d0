import type { HeaderValue, InboundRecord, RecordHeaders, TopicPartition } from '../ports/kafka.ts';

/** A record of the dead-letter topic. */
export interface DeadLetter {
  /** Its partition and offset, as in `3/17`: by this name a person asks for it. */
  readonly id: string;
  /** When it was written, epoch ms. */
  readonly at: number;
  /** Why it is there (`dead-code`); null when somebody else than the service wrote it. */
  readonly code: string | null;
  /** The reason in words (`dead-message`). */
  readonly message: string;
  /** Where it was read; null when that is not told. */
  readonly source: (TopicPartition & { readonly offset: number }) | null;
  /** Whether its value was too large for the topic, so that only the rest is here. */
  readonly isWithoutValue: boolean;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** As they were, without those that begin with `dead-`. */
  readonly headers: RecordHeaders;
}

const OURS = /^dead-/;
const WHOLE_NUMBER = /^\d{1,15}$/;

/** Reads a record of the dead-letter topic, whoever wrote it. */
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

/** A letter in one line, without its value: prompts are not for terminals. */
export function describeLetter({ id, at, code, message, source, key }: DeadLetter): string {
  const from = source === null ? '' : placeOf(source);
  const columns = [id, new Date(at).toISOString(), code ?? '', from, keyText(key) ?? '', message];
  return `${columns.map(onOneLine).join('\t')}\n`;
}

/** The same as one line of JSON. */
export function letterAsJson({ id, at, code, message, source, key, isWithoutValue }: DeadLetter): string {
  const time = new Date(at).toISOString();
  return `${JSON.stringify({ id, time, code, message, source, key: keyText(key), isWithoutValue })}\n`;
}

/** A key that is no text is told by its bytes. */
function keyText(key: Uint8Array | null): string | null {
  if (key === null) return null;
  const bytes = Buffer.from(key);
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : `0x${bytes.toString('hex')}`;
}

/** Keys are whatever publishers make them: they must not move the cursor of who reads the list. */
function onOneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

/** As in `chat.requests/3/4711`. */
function placeOf({ topic, partition, offset }: TopicPartition & { readonly offset: number }): string {
  return `${topic}/${partition}/${offset}`;
}

function headerText(value: HeaderValue): string | null {
  if (value === undefined || value === null) return null;
  // Repeated, as in a copy of a copy, the last one is the service's own.
  if (Array.isArray(value)) return headerText(value.at(-1));
  return typeof value === 'string' ? value : Buffer.from(value).toString('utf8');
}
