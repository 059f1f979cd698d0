import {
  type LaneProducer,
  type LaneTransport,
  ProducerDisconnected,
  RecordRefused,
  type RecordSink,
} from '../../../ports.ts';
import { unpackRecords } from './pack-records.ts';
import type {
  PlainError,
  WriterCallName,
  WriterCalls,
  WriterMessage,
  WriterRequest,
} from './writer-protocol.ts';

/** The parts that the thread puts to work for the service. */
export interface WriterParts {
  readonly transport: LaneTransport & { close(): Promise<void> };
  readonly sink: RecordSink;
}

type Answers = {
  readonly [Name in WriterCallName]: (
    given: WriterCalls[Name]['takes'],
  ) => Promise<WriterCalls[Name]['gives']>;
};

/** The thread's side: does what it is asked and answers each call under its number, in whatever order they end. */
export function serveWriter(
  { transport, sink }: WriterParts,
  post: (message: WriterMessage) => void,
): (request: WriterRequest) => void {
  const producers = new Map<number, LaneProducer>();
  let lastProducer = 0;
  const answers: Answers = {
    holds: ({ memberId, partition }) => transport.holds(memberId, partition),
    async fence({ partition }) {
      const producer = await transport.fence(partition);
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
    async send({ records }) {
      await sink.send(unpackRecords(records));
      return undefined;
    },
    async closeSink() {
      await sink.close();
      return undefined;
    },
    async closeTransport() {
      await transport.close();
      return undefined;
    },
  };
  const handle = ({ call, with: given }: WriterRequest): Promise<unknown> =>
    // Name and arguments belong together by the request's type, which TypeScript cannot follow through the table.
    answers[call](given as never);

  return (request) => {
    handle(request).then(
      (result) => post({ kind: 'answer', id: request.id, result }),
      (error: unknown) => post({ kind: 'refusal', id: request.id, error: plainError(error) }),
    );
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
