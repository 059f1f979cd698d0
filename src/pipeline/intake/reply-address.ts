import type { Problem } from '../../contract/record-types.ts';
import { REPLY_HEADERS, SPRING_REPLY_HEADERS } from '../../contract/reply-headers.ts';
import type { HeaderValue, RecordHeaders } from '../../ports/kafka.ts';

/** Where the chunks and a copy of the response of one request go. */
export interface ReplyAddress {
  readonly topic: string;
  /** Also for the request's chunks. Null: chosen by the request's id, as for any chunk. */
  readonly partition: number | null;
  /** Repeated unchanged in each of these records. */
  readonly headers: RecordHeaders;
}

/** The operator's rules for replies. */
export interface ReplyRules {
  readonly topics: ReadonlySet<string>;
  /** The topic of replies that name none. */
  readonly defaultTopic: string;
  readonly chunkTopic: string;
  /** The current number of partitions of a topic. */
  partitionsOf(topic: string): number;
}

/** A topic's name takes up to 249 bytes, a UUID as text 36. */
const LONGEST_VALUE = 256;
const LONGEST_REPEATED = 1_024;
const PARTITION = /^\d{1,10}$/;
const INT32_BYTES = 4;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Null if the headers ask for no reply, or for a reply that is not allowed: `problems` then says why. */
export function readReplyAddress(
  headers: RecordHeaders,
  rules: ReplyRules,
): { readonly address: ReplyAddress | null; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const problem = (name: string, message: string) => {
    problems.push({ path: `headers.${name}`, code: 'invalid_value', message });
  };
  const [topicName, givenTopic] = firstOf(headers, REPLY_HEADERS.topic, SPRING_REPLY_HEADERS.topic);
  const [partitionName, givenPartition] = firstOf(
    headers,
    REPLY_HEADERS.partition,
    SPRING_REPLY_HEADERS.partition,
  );
  if (givenTopic === undefined && givenPartition === undefined) return { address: null, problems };

  const topic = givenTopic === undefined ? rules.defaultTopic : (textOf(givenTopic) ?? '');
  if (!rules.topics.has(topic)) {
    const allowed = [...rules.topics].join(', ') || 'none';
    problem(
      topicName,
      `replies may go to ${allowed} (CHAT_REPLY_TOPICS); name one of these, or leave it out`,
    );
    return { address: null, problems };
  }
  const partition = givenPartition === undefined ? null : partitionOf(givenPartition);
  const count = Math.min(rules.partitionsOf(topic), rules.partitionsOf(rules.chunkTopic));
  if (partition !== null && !(partition < count))
    problem(
      partitionName,
      `it must be a whole number from 0 to ${count - 1}: both topics have such a partition`,
    );

  const repeated: RecordHeaders = Object.create(null);
  for (const name of [REPLY_HEADERS.client, REPLY_HEADERS.correlation, SPRING_REPLY_HEADERS.correlation]) {
    const value = headers[name];
    if (value === undefined || value === null) continue;
    if (Array.isArray(value) || value.length > LONGEST_REPEATED)
      problem(name, `it must occur once, with at most ${LONGEST_REPEATED} bytes`);
    // A copy, because it is kept longer than its record.
    else repeated[name] = typeof value === 'string' ? value : Buffer.from(value);
  }
  return { address: problems.length > 0 ? null : { topic, partition, headers: repeated }, problems };
}

/** The first header that is set, with its name; else the first name. An empty header counts as missing. */
function firstOf(
  headers: RecordHeaders,
  ...names: readonly [string, ...string[]]
): [name: string, value: HeaderValue] {
  for (const name of names) {
    const value = headers[name];
    if (value !== undefined && value !== null && value.length > 0) return [name, value];
  }
  return [names[0], undefined];
}

/** NaN if it is not a partition number. */
function partitionOf(value: HeaderValue): number {
  const text = textOf(value);
  if (text !== null && PARTITION.test(text)) return Number(text);
  if (!(value instanceof Uint8Array) || value.length !== INT32_BYTES) return Number.NaN;
  const number = new DataView(value.buffer, value.byteOffset, value.byteLength).getInt32(0);
  return number < 0 ? Number.NaN : number;
}

function textOf(value: HeaderValue): string | null {
  if (value === undefined || value === null || Array.isArray(value) || value.length > LONGEST_VALUE)
    return null;
  try {
    return typeof value === 'string' ? value : utf8.decode(value);
  } catch {
    return null;
  }
}
