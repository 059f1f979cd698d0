import { brokerError } from '../kafkajs/cluster-requests.ts';

/** The record itself: sent again it is refused again, others of its batch are not. */
const OF_RECORD: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
]);
/** The topic or the service's right to it: nothing of the batch can be written. */
const OF_TOPIC: ReadonlySet<string> = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
]);
/** Codes that kafkajs has no name for. */
const NAMES: Readonly<Record<number, string>> = { 87: 'INVALID_RECORD' };

/** What an error of a partition means for the records that it was an answer to. */
export type ProduceErrorClass = 'record' | 'topic' | 'passes';

/** Also what looks like a refusal passes: a broker's clock is set (INVALID_TIMESTAMP), a wire is mended (CORRUPT_MESSAGE). */
export function classOfProduceError(errorType: string): ProduceErrorClass {
  if (OF_RECORD.has(errorType)) return 'record';
  return OF_TOPIC.has(errorType) ? 'topic' : 'passes';
}

/** The name of a broker's error code. */
export function produceErrorType(code: number): string {
  return NAMES[code] ?? (brokerError(code) as { type?: string }).type ?? `ERROR_${code}`;
}
