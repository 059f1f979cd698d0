import type {
  ChatChunk,
  ChatResponse,
  CostCalculated,
  ResponseGenerated,
} from '../../../src/contract/record-types.ts';
import type { RecordHeaders } from '../../../src/ports/kafka.ts';
import type { Call } from '../../support/stand-in/call-log.ts';

/** A record of the request topic. */
export interface RequestRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  /** Null when the record cannot be decoded, so that it has to become a dead letter. */
  readonly requestId: string | null;
  readonly value: Uint8Array | null;
  readonly headers: RecordHeaders;
}

/** A visible record of an output topic. */
export interface Visible<T> {
  readonly value: T;
  readonly source: { readonly partition: number; readonly key: Uint8Array | null };
}

export interface DeadLetter {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: RecordHeaders;
}

/** Where the group stands on one partition of the request topic. */
export interface PartitionPosition {
  readonly partition: number;
  /** First offset that is not settled; null when nothing was committed. */
  readonly committed: number | null;
  readonly logStart: number;
  readonly logEnd: number;
}

/** What the fault that was injected makes acceptable. */
export interface Allowances {
  /** Workers that died while they worked: only that many can make a request poison, and only so can a call be orphaned. */
  readonly deaths: number;
  /** Whether calls may be ended or lost by the service: their request is answered by another call, both are billed. */
  readonly lostCalls: boolean;
  /** Whether records are lost to the service before it can publish their outcome, however alive it is. */
  readonly lostRecords: boolean;
  /** Whether an answer may be too large to be published. */
  readonly refusedAnswers: boolean;
  /** Whether requests that should be answered may fail, because the provider does more than their scripts say. */
  readonly providerFails: boolean;
}

/** Everything there is to know of a run when it is over. */
export interface Evidence {
  /** The request topic, each partition in log order. */
  readonly requests: readonly RequestRecord[];
  /** What was published and is not in the log any more, in the order of publishing: answered once or not at all. */
  readonly vanished: readonly { readonly key: string; readonly requestId: string | null }[];
  /** How a request has to end, where its script leaves no choice. */
  readonly expected: ReadonlyMap<string, 'COMPLETED' | 'FAILED'>;
  readonly responses: readonly Visible<ChatResponse>[];
  readonly generated: readonly Visible<ResponseGenerated>[];
  readonly costs: readonly Visible<CostCalculated>[];
  readonly chunks: readonly Visible<ChatChunk>[];
  readonly dead: readonly DeadLetter[];
  /** What the provider saw. */
  readonly calls: readonly Call[];
  /** How long workers wait for the beginning of an answer. */
  readonly patienceMs: number;
  readonly positions: readonly PartitionPosition[];
  readonly allowances: Allowances;
}

/** Groups by a key, keeping the order. */
export function groupBy<K, V>(values: Iterable<V>, keyOf: (value: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
