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
  /** Null when the record cannot be decoded, so it must become a dead letter. */
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

/** The group's position on one partition of the request topic. */
export interface PartitionPosition {
  readonly partition: number;
  /** First unsettled offset. Null when nothing was committed. */
  readonly committed: number | null;
  readonly logStart: number;
  readonly logEnd: number;
}

/** Deviations that the injected fault makes acceptable. */
export interface Allowances {
  /** Workers that died while working. Only their deaths can make a request poison or orphan a call. */
  readonly deaths: number;
  /** Whether the service may abort or lose calls. Another call then answers the request, and both are billed. */
  readonly lostCalls: boolean;
  /** Whether records may be deleted before a running service can publish their outcome. */
  readonly lostRecords: boolean;
  /** Whether an answer may be too large to be published. */
  readonly refusedAnswers: boolean;
  /** Whether requests may fail against their scripts, because the provider misbehaves. */
  readonly providerFails: boolean;
}

/** All data of a finished run. */
export interface Evidence {
  /** The request topic, each partition in log order. */
  readonly requests: readonly RequestRecord[];
  /** Published records that the log no longer has, in the order of publishing. Each is answered once or not at all. */
  readonly vanished: readonly { readonly key: string; readonly requestId: string | null }[];
  /** How a request must end, if its script decides that. */
  readonly expected: ReadonlyMap<string, 'COMPLETED' | 'FAILED'>;
  readonly responses: readonly Visible<ChatResponse>[];
  readonly generated: readonly Visible<ResponseGenerated>[];
  readonly costs: readonly Visible<CostCalculated>[];
  readonly chunks: readonly Visible<ChatChunk>[];
  readonly dead: readonly DeadLetter[];
  /** The calls that the provider received. */
  readonly calls: readonly Call[];
  /** How long workers wait for the first byte of an answer. */
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
