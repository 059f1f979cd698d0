import {
  readToEnd,
  readTopics,
  type TopicReader,
} from '../../../src/adapters/kafka/consumer/topic-reader.ts';
import type {
  ChatChunk,
  ChatResponse,
  CostCalculated,
  RecordName,
  RecordTypes,
  ResponseGenerated,
} from '../../../src/contract/record-types.ts';
import type { InboundRecord } from '../../../src/ports/kafka.ts';
import type { Visible } from '../../faults/checks/evidence.ts';
import { silent, type World } from '../../support/world.ts';
import { NEIGHBOUR_MARK, placeOf } from './publication.ts';

/** An outcome of a record of the tenth tenant, with only the checked fields. */
export interface HostileResponse {
  readonly key: string;
  readonly tenantId: string;
  readonly requestId: string;
  readonly status: string;
  readonly code: string | null;
  readonly replayed: boolean;
  readonly costEventId: string | null;
}

export interface HostileBill {
  readonly key: string;
  readonly tenantId: string;
  readonly eventId: string;
  /** `request id/attempt` of each. */
  readonly calls: readonly string[];
}

/** Everything visible on the output topics, in full for the nine. */
export interface Outputs {
  readonly responses: Visible<ChatResponse>[];
  readonly generated: Visible<ResponseGenerated>[];
  readonly costs: Visible<CostCalculated>[];
  readonly chunks: Visible<ChatChunk>[];
  /** Positions of the records that have a dead letter, except poison. */
  readonly dead: string[];
  readonly hostileResponses: HostileResponse[];
  readonly hostileBills: HostileBill[];
  /** Descriptions of records that no consumer can read. */
  readonly unreadable: string[];
}

/** Reads the topics after the worker has stopped. */
export async function readOutputs(world: World): Promise<Outputs> {
  const outputs: Outputs = {
    responses: [],
    generated: [],
    costs: [],
    chunks: [],
    dead: [],
    hostileResponses: [],
    hostileBills: [],
    unreadable: [],
  };
  const { topics, codec } = world;
  const read = async <N extends RecordName>(
    name: N,
    topic: string,
    add: (value: RecordTypes[N], source: InboundRecord) => void,
  ) =>
    readToEnd(world.config.kafka, silent, topic, (source) => {
      try {
        add(codec.decode(name, source.value, source.headers).record, source);
      } catch (error) {
        outputs.unreadable.push(`${name} ${source.partition}/${source.offset}: ${String(error)}`);
      }
    });
  await read('ChatResponse', topics.responses, (value, source) => {
    if (isNeighbours(source)) outputs.responses.push({ value, source });
    else outputs.hostileResponses.push(hostileResponse(value, source));
  });
  await read('ResponseGenerated', topics.responseGenerated, (value, source) => {
    if (isNeighbours(source)) outputs.generated.push({ value, source });
  });
  await read('CostCalculated', topics.costs, (value, source) => {
    if (isNeighbours(source)) outputs.costs.push({ value, source });
    else outputs.hostileBills.push(hostileBill(value, source));
  });
  await read('ChatChunk', topics.chunks, (value, source) => {
    if (isNeighbours(source)) outputs.chunks.push({ value, source });
  });
  await read('MessageSent', topics.messageSent, () => undefined);
  await readToEnd(world.config.kafka, silent, topics.dead, ({ headers }) => {
    if (String(headers['dead-code']) !== 'poison') outputs.dead.push(deadPlace(headers));
  });
  return outputs;
}

/** Follows responses and dead letters while they become visible. */
export class OutcomeWatch {
  /** When the answer to each request of the nine was seen, by `performance.now()`. */
  readonly answeredAt = new Map<string, number>();
  /** How many responses each key has, and dead letters each place. */
  readonly byKey = new Map<string, number>();
  readonly dead = new Set<string>();
  lastAt = performance.now();
  private reader: TopicReader | null = null;

  static async start(world: World): Promise<OutcomeWatch> {
    const watch = new OutcomeWatch();
    const { topics, codec } = world;
    watch.reader = await readTopics({
      settings: world.config.kafka,
      logger: silent,
      topics: [topics.responses, topics.dead],
      from: 'start',
      onRecord: (source) => {
        watch.lastAt = performance.now();
        if (source.topic === topics.dead) {
          watch.dead.add(deadPlace(source.headers));
          return;
        }
        const key = keyOf(source);
        watch.byKey.set(key, (watch.byKey.get(key) ?? 0) + 1);
        if (!isNeighbours(source)) return;
        const { requestId } = codec.decode('ChatResponse', source.value, source.headers).record;
        if (!watch.answeredAt.has(requestId)) watch.answeredAt.set(requestId, watch.lastAt);
      },
      onCrash: (error) => process.stderr.write(`responses are not followed any more: ${error}\n`),
    });
    return watch;
  }

  async close(): Promise<void> {
    await this.reader?.close();
  }
}

function keyOf({ key }: { readonly key: Uint8Array | null }): string {
  return Buffer.from(key ?? []).toString();
}

/** Chunks have the request's id as their key, all others its key. */
function isNeighbours(source: InboundRecord): boolean {
  return keyOf(source).startsWith(NEIGHBOUR_MARK);
}

function deadPlace(headers: InboundRecord['headers']): string {
  const [topic, partition, offset] = ['dead-topic', 'dead-partition', 'dead-offset'].map((name) => {
    const value = headers[name];
    // A publisher may have sent the same header name. The service's own header comes last.
    return String(Array.isArray(value) ? value.at(-1) : value);
  });
  return placeOf({ topic: topic ?? '', partition: Number(partition), offset: Number(offset) });
}

function hostileResponse(value: ChatResponse, source: InboundRecord): HostileResponse {
  const { tenantId, requestId, status, error, replayed, costEventId } = value;
  return {
    // The smallest form of a response has no key.
    key: keyOf(source) || requestId,
    tenantId,
    requestId,
    status,
    code: error?.code ?? null,
    replayed,
    costEventId,
  };
}

function hostileBill(value: CostCalculated, source: InboundRecord): HostileBill {
  const { tenantId, eventId, requestId } = value;
  return {
    key: keyOf(source),
    tenantId,
    eventId,
    calls: value.calls.map(({ attempt }) => `${requestId}/${attempt}`),
  };
}
