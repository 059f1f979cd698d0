import { createAvroCodec } from '../../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../../src/adapters/avro/load-schemas.ts';
import type { ChatChunk } from '../../../src/contract/record-types.ts';
import { type CompletionDelta, emptyDelta } from '../../../src/domain/completion/completion-delta.ts';
import type { PublishFailure } from '../../../src/pipeline/chunks/chunk-failure.ts';
import { ChunkPublisher } from '../../../src/pipeline/chunks/chunk-publisher.ts';
import type { ChunkStreamInfo } from '../../../src/pipeline/chunks/chunk-stream.ts';
import { FakeClock } from '../../support/fakes/fake-clock.ts';
import { FakeRecordSink } from '../../support/fakes/fake-record-sink.ts';
import { turn } from '../../support/fakes/turn.ts';

export const TOPIC = 'chat.chunks';

const codec = createAvroCodec({
  schemas: loadSchemas(),
  framing: { kind: 'single-object' },
  maxBytes: 10_000_000,
});

/** A delta with this text. */
export function text(content: string, members: Partial<CompletionDelta> = {}): CompletionDelta {
  return { ...emptyDelta(0), content, ...members };
}

export function info(members: Partial<ChunkStreamInfo> = {}): ChunkStreamInfo {
  return {
    requestId: 'request-1',
    tenantId: 'default',
    attempt: 1,
    headers: { traceparent: '00-1' },
    ...members,
  };
}

/** A publisher whose sends are acknowledged when the test says so. */
export class ChunkBench {
  readonly sink = new FakeRecordSink();
  readonly published: number[] = [];
  readonly failures: PublishFailure[] = [];
  readonly clock = new FakeClock();
  readonly publisher: ChunkPublisher;

  constructor(maxBufferedBytes = 10_000_000, patienceMs = 2_147_483_647) {
    this.publisher = new ChunkPublisher({
      sink: this.sink,
      codec,
      topic: TOPIC,
      clock: this.clock,
      maxBufferedBytes,
      onPublished: (chunks) => this.published.push(chunks),
      onFailed: (failure) => this.failures.push(failure),
      spacingMs: 0,
      patienceMs,
    });
  }

  /** Chunks of each send so far, without announcements. */
  sends(): ChatChunk[][] {
    return this.sink.sends.map((records) =>
      records
        .filter(({ topic }) => topic === TOPIC)
        .map(({ value }) => codec.decode('ChatChunk', value).record),
    );
  }

  async acknowledgeAll(): Promise<void> {
    while (this.sink.isBusy) {
      this.sink.acknowledge();
      await turn();
    }
  }
}
