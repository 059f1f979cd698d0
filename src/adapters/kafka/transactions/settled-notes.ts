import { decodeOffsetMap } from '../../../domain/offsets/offset-map.ts';
import type { OutboundRecord, TopicPartition } from '../../../ports/kafka.ts';
import type { Broker } from '../kafkajs/broker.ts';

/*
 * The position of a lane lies with the group's coordinator, where anybody may reset it. So each transaction notes it as well, in
 * a header of one of its outcomes: what was settled once is known for as long as the outputs are kept.
 */

/** The header of an outcome that says up to where its partition is settled. */
export const NOTE_HEADER = 'settled-position';

/** A lane of a group. */
export interface NotedLane extends TopicPartition {
  readonly groupId: string;
}

/** What is asked of the outputs' logs. */
export interface OutputLog {
  /** The first offset, and the one after the last. */
  bounds(output: TopicPartition): Promise<{ readonly start: number; readonly end: number }>;
  leader(output: TopicPartition): Promise<Broker>;
}

/** A position as it is committed beside it. */
export interface NotedPosition {
  readonly offset: number;
  readonly metadata: string;
}

const FIRST_WINDOW = 200;
const FETCH_BYTES = 4 * 1024 * 1024;
const FETCH_WAIT_MS = 500;

/**
 * The same records with the position on one of the first topic that has any: the shortest one.
 *
 * @param topics that are searched by `readNote`, in that order
 * @param maxBytes of a topic's records in a transaction: where there is no room, nothing is noted
 */
export function withNote(
  records: readonly OutboundRecord[],
  lane: NotedLane,
  { offset, metadata }: NotedPosition,
  topics: readonly string[],
  maxBytes: number,
): readonly OutboundRecord[] {
  const topic = topics.find((candidate) => records.some((record) => record.topic === candidate));
  const note = `${prefixOf(lane)}${offset} ${metadata}`;
  let bytes = NOTE_HEADER.length + note.length + 16;
  let shortest: OutboundRecord | null = null;
  for (const record of records) {
    if (record.topic !== topic) continue;
    bytes += bytesOf(record);
    if (shortest === null || valueBytes(record) < valueBytes(shortest)) shortest = record;
  }
  if (shortest === null || bytes > maxBytes) return records;
  const headers = Object.assign(Object.create(null), shortest.headers, { [NOTE_HEADER]: note });
  return records.map((record) => (record === shortest ? { ...record, headers } : record));
}

/**
 * Searches the lane's outputs, from their ends back, for the last position that was noted. Waits for transactions of others that
 * are open in these partitions.
 *
 * @returns null when the outputs have none
 */
export async function readNote(
  log: OutputLog,
  lane: NotedLane,
  topics: readonly string[],
  clusterId: string,
): Promise<NotedPosition | null> {
  const notes = await Promise.all(
    topics.map((topic) => readNoteOf(log, lane, { topic, partition: lane.partition })),
  );
  const found = notes.filter((note) => note !== null);
  const settledCount = ({ offset, metadata }: NotedPosition) => {
    const map = decodeOffsetMap(metadata, clusterId, offset);
    return map === null ? offset : map.next - map.unsettled.length;
  };
  // Each transaction settles more than the one before it.
  return found.toSorted((one, other) => settledCount(other) - settledCount(one))[0] ?? null;
}

async function readNoteOf(
  log: OutputLog,
  lane: NotedLane,
  output: TopicPartition,
): Promise<NotedPosition | null> {
  const bounds = await log.bounds(output);
  let { end } = bounds;
  for (let size = FIRST_WINDOW; end > bounds.start; size *= 4) {
    const start = Math.max(bounds.start, end - size);
    const note = await lastNoteBetween(log, lane, output, start, end);
    if (note !== null) return note;
    end = start;
  }
  return null;
}

async function lastNoteBetween(
  log: OutputLog,
  lane: NotedLane,
  output: TopicPartition,
  start: number,
  end: number,
): Promise<NotedPosition | null> {
  let last: NotedPosition | null = null;
  for (let next = start; next < end; ) {
    const messages = await fetchFrom(log, output, next);
    for (const { offset, isControlRecord, headers } of messages) {
      next = Number(offset) + 1;
      if (isControlRecord || next > end) continue;
      last = parseNote(headers?.[NOTE_HEADER], lane) ?? last;
    }
  }
  return last;
}

/** Committed records from an offset on; none while another transaction is open there. */
async function fetchFrom(log: OutputLog, output: TopicPartition, offset: number) {
  const { topic, partition } = output;
  const broker = await log.leader(output);
  const { responses } = await broker.fetch({
    isolationLevel: READ_COMMITTED,
    maxWaitTime: FETCH_WAIT_MS,
    minBytes: 1,
    maxBytes: FETCH_BYTES,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: FETCH_BYTES }] }],
  });
  return responses.flatMap(({ partitions }) => partitions.flatMap(({ messages }) => messages));
}

const READ_COMMITTED = 1;

function parseNote(value: unknown, lane: NotedLane): NotedPosition | null {
  const text = value === undefined || value === null ? '' : String(value);
  const prefix = prefixOf(lane);
  if (!text.startsWith(prefix)) return null;
  const [offset, metadata = ''] = text.slice(prefix.length).split(' ');
  return Number.isSafeInteger(Number(offset)) ? { offset: Number(offset), metadata } : null;
}

/** "/" and "@" cannot be in a topic's name. */
function prefixOf({ groupId, topic, partition }: NotedLane): string {
  return `${groupId}/${topic}/${partition}@`;
}

const valueBytes = ({ value }: OutboundRecord) => value?.byteLength ?? 0;

/** Roughly: texts by their characters. */
function bytesOf({ key, value, headers }: OutboundRecord): number {
  let bytes = (key?.length ?? 0) + (value?.byteLength ?? 0);
  for (const name in headers) {
    const header = headers[name];
    for (const one of Array.isArray(header) ? header : [header]) bytes += name.length + (one?.length ?? 0);
  }
  return bytes;
}
