import {
  type LaneProducer,
  type LaneTransport,
  ProducerDisconnected,
  RecordRefused,
  type RecordSink,
  type TopicFacts,
} from '../../../ports/kafka.ts';
import { unpackRecords } from './pack-records.ts';
import type {
  PlainError,
  WriteRequest,
  WriterCall,
  WriterCallName,
  WriterCalls,
  WriterMessage,
  WriterRequest,
  WrittenBatch,
} from './writer-protocol.ts';

/** The parts that the thread puts to work for the service. */
export interface WriterParts {
  readonly transport: LaneTransport & { close(): Promise<void> };
  readonly sink: Pick<RecordSink, 'write' | 'close'>;
}

/** What the thread reports of its sink besides what is written. */
export interface SinkReports {
  readonly onTopics: (topics: readonly TopicFacts[]) => void;
  readonly onFailed: (errorType: string) => void;
}

/** Reports as messages. */
export function sinkReports(post: (message: WriterMessage) => void): SinkReports {
  return {
    onTopics: (topics) => post({ kind: 'topics', topics }),
    onFailed: (errorType) => post({ kind: 'writeFailed', errorType }),
  };
}

type Answers = {
  readonly [Name in WriterCallName]: (
    given: WriterCalls[Name]['takes'],
  ) => Promise<WriterCalls[Name]['gives']>;
};

/** The thread's side: executes calls and answers each under its number, in the order in which they end. */
export function serveWriter(
  { transport, sink }: WriterParts,
  post: (message: WriterMessage) => void,
): (request: WriterRequest) => void {
  const producers = new Map<number, LaneProducer>();
  let lastProducer = 0;
  const answers: Answers = {
    holds: ({ memberId, partition }) => transport.holds(memberId, partition),
    async fence({ partition, heldBy }) {
      const producer = await transport.fence(partition, heldBy);
      lastProducer += 1;
      producers.set(lastProducer, producer);
      return lastProducer;
    },
    committedPosition: ({ partition }) => transport.committedPosition(partition),
    topicId: ({ topic }) => transport.topicId(topic),
    async settle({ producer, records, ...settlement }) {
      const known = producers.get(producer);
      if (known === undefined) throw new Error('the lane has closed its producer');
      return known.settle({ ...settlement, records: unpackRecords(records) });
    },
    async closeProducer({ producer }) {
      const known = producers.get(producer);
      producers.delete(producer);
      await known?.close();
      return undefined;
    },
    ping: async () => undefined,
    async closeSink() {
      await sink.close();
      return undefined;
    },
    async closeTransport() {
      await transport.close();
      return undefined;
    },
  };
  const handle = ({ call, with: given }: WriterCall): Promise<unknown> =>
    // Name and arguments belong together by the request's type, which TypeScript cannot follow through the table.
    answers[call](given as never);

  const write = writing(sink, post);

  return (request) => {
    if (request.call === 'write') {
      write(request);
      return;
    }
    handle(request).then(
      (result) => post({ kind: 'answer', id: request.id, result }),
      (error: unknown) => post({ kind: 'refusal', id: request.id, error: plainError(error) }),
    );
  };
}

/** What is written in the same turn is answered in one message. */
function writing(
  sink: WriterParts['sink'],
  post: (message: WriterMessage) => void,
): (request: WriteRequest) => void {
  let written: WrittenBatch[] = [];
  const answer = (batch: WrittenBatch) => {
    if (written.length === 0)
      queueMicrotask(() => {
        post({ kind: 'written', batches: written });
        written = [];
      });
    written.push(batch);
  };
  return ({ batches, records }) => {
    const all = unpackRecords(records);
    let from = 0;
    const ids = new Map<object, number>();
    const unpacked = batches.map(({ id, topic, partition, count }) => {
      const batch = { topic, partition, records: all.slice(from, from + count) };
      from += count;
      ids.set(batch, id);
      return batch;
    });
    sink.write(unpacked, (batch, refused) => answer({ id: ids.get(batch) ?? 0, refused }));
  };
}

/** Threads copy errors without their class, and some causes cannot be copied at all. */
export function plainError(error: unknown): PlainError {
  if (!(error instanceof Error))
    return { name: 'Error', message: String(error), stack: undefined, portError: null };
  const causes = causesOf(error);
  return {
    name: error.name,
    message: causes.map(({ message }) => message).join(': '),
    stack: error.stack,
    portError: error instanceof RecordRefused || error instanceof ProducerDisconnected ? error.name : null,
  };
}

function causesOf(error: Error): Error[] {
  return error.cause instanceof Error ? [error, ...causesOf(error.cause)] : [error];
}
