import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { createAvroCodec } from '../../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../../src/adapters/avro/load-schemas.ts';
import type { ChatChunk } from '../../../src/contract/records.ts';
import type { CompletionDelta } from '../../../src/domain/completion-delta.ts';
import { ChunkPublisher, type ChunkStreamInfo } from '../../../src/pipeline/chunk-publisher.ts';
import type { OutboundRecord } from '../../../src/ports.ts';
import { FakeClock } from '../../support/fakes/fake-clock.ts';
import { FakeRecordSink } from '../../support/fakes/fake-record-sink.ts';
import { turn } from '../../support/fakes/turn.ts';

const TOPIC = 'chat.chunks';
const codec = createAvroCodec({
  schemas: loadSchemas(),
  framing: { kind: 'single-object' },
  maxBytes: 10_000_000,
});

function text(content: string, members: Partial<CompletionDelta> = {}): CompletionDelta {
  return {
    choiceIndex: 0,
    role: null,
    content,
    refusal: null,
    toolCalls: [],
    audio: null,
    annotationsJson: null,
    logprobsJson: null,
    finishReason: null,
    extraJson: null,
    ...members,
  };
}

function info(members: Partial<ChunkStreamInfo> = {}): ChunkStreamInfo {
  return {
    requestId: 'request-1',
    tenantId: 'default',
    attempt: 1,
    headers: { traceparent: '00-1' },
    ...members,
  };
}

function chunkOf(record: OutboundRecord): ChatChunk {
  return codec.decode('ChatChunk', record.value).record;
}

let sink: FakeRecordSink;
let publisher: ChunkPublisher;
let published: number[];

function create(maxBufferedBytes = 10_000_000): void {
  sink = new FakeRecordSink();
  published = [];
  publisher = new ChunkPublisher({
    sink,
    codec,
    topic: TOPIC,
    clock: new FakeClock(),
    maxBufferedBytes,
    onPublished: (chunks) => published.push(chunks),
  });
}

beforeEach(() => create());

/** Chunks of each send so far, announcements left out. */
function sends(): ChatChunk[][] {
  return sink.sends.map((records) => records.filter(({ topic }) => topic === TOPIC).map(chunkOf));
}

async function acknowledgeAll(): Promise<void> {
  while (sink.isBusy) {
    sink.acknowledge();
    await turn();
  }
}

describe('ChunkPublisher', () => {
  it('sends a chunk at once when the producer is free', () => {
    void publisher.open(info()).publish([text('Hel', { role: 'assistant' })]);
    expect(sends()).toEqual([
      [
        {
          requestId: 'request-1',
          tenantId: 'default',
          attempt: 1,
          sequence: 0,
          choiceIndex: 0,
          content: 'Hel',
          role: 'assistant',
          refusal: null,
          toolCalls: [],
          audio: null,
          annotationsJson: null,
          logprobsJson: null,
          finishReason: null,
          last: false,
          emittedAt: new FakeClock().now(),
        },
      ],
    ]);
    expect(sink.sends[0]?.[0]).toMatchObject({
      topic: TOPIC,
      key: 'request-1',
      headers: { traceparent: '00-1' },
    });
  });

  it('merges what comes while a send is under way into the next chunk', async () => {
    const stream = publisher.open(info());
    void stream.publish([text('a')]);
    void stream.publish([text('b'), text('c')]);
    void stream.publish([text('d')]);
    expect(sink.sends).toHaveLength(1);
    await acknowledgeAll();
    expect(sends().map((chunks) => chunks.map(({ sequence, content }) => [sequence, content]))).toEqual([
      [[0, 'a']],
      [[1, 'bcd']],
    ]);
    expect(published).toEqual([1, 1]);
  });

  it('gives the trace to the first chunk of an attempt only', async () => {
    const stream = publisher.open(info());
    void stream.publish([text('a')]);
    void stream.publish([text('b')]);
    await acknowledgeAll();
    expect(sink.sends.flat().map(({ headers }) => headers)).toEqual([{ traceparent: '00-1' }, {}]);
  });

  it('never changes a record that it has handed over', async () => {
    const stream = publisher.open(info());
    void stream.publish([text('a')]);
    const before = structuredClone(sends());
    const bytes = Buffer.from(sink.sends[0]?.[0]?.value ?? []);
    void stream.publish([text('b')]);
    stream.finish();
    expect(sends()).toEqual(before);
    expect(Buffer.from(sink.sends[0]?.[0]?.value ?? [])).toEqual(bytes);
    expect(sink.sends[0]).toHaveLength(1);
  });

  it('never mixes attempts, requests or choices', async () => {
    void publisher.open(info({ requestId: 'busy' })).publish([text('x')]);
    const first = publisher.open(info({ attempt: 1 }));
    const second = publisher.open(info({ attempt: 2 }));
    void first.publish([text('a'), text('b', { choiceIndex: 1 }), text('c', { choiceIndex: 0 })]);
    void second.publish([text('A')]);
    void first.publish([text('d')]);
    await acknowledgeAll();
    const later = sends()
      .flat()
      .slice(1)
      .map(({ attempt, sequence, choiceIndex, content }) => [attempt, sequence, choiceIndex, content]);
    expect(later).toEqual([
      [1, 0, 0, 'a'],
      [1, 1, 1, 'b'],
      [1, 2, 0, 'cd'],
      [2, 0, 0, 'A'],
    ]);
  });

  const call = { index: 0, id: 'call_1', type: 'function', name: 'f', arguments: '{' };
  const audio = { id: 'audio_1', data: Buffer.from([1, 2]), transcript: 'hi', expiresAt: null };

  it.each<[string, Partial<CompletionDelta>]>([
    ['a role', { role: 'assistant' }],
    ['a refusal', { refusal: 'no' }],
    ['a tool call', { toolCalls: [call] }],
    ['audio', { audio }],
    ['citations', { annotationsJson: '[]' }],
    ['log probabilities', { logprobsJson: '{}' }],
  ])('begins a chunk for %s, with nothing of its own lost', async (_what, members) => {
    void publisher.open(info({ requestId: 'busy' })).publish([text('x')]);
    void publisher.open(info()).publish([text('a'), text('b', members), text('c')]);
    await acknowledgeAll();
    const chunks = sends().flat().slice(1);
    expect(chunks[0]).toMatchObject({ content: 'a' });
    expect(chunks[1]).toMatchObject({ ...members, content: members.role === undefined ? 'b' : 'bc' });
    expect(chunks.map(({ content }) => content).join('')).toBe('abc');
  });

  it('takes no text into a chunk that has ended its choice', async () => {
    void publisher.open(info({ requestId: 'busy' })).publish([text('x')]);
    void publisher.open(info()).publish([text('a'), text('b', { finishReason: 'stop' }), text('c')]);
    await acknowledgeAll();
    expect(
      sends()
        .flat()
        .slice(1)
        .map(({ content, finishReason }) => [content, finishReason]),
    ).toEqual([
      ['ab', 'stop'],
      ['c', null],
    ]);
  });

  it('begins another chunk when one has become long', async () => {
    void publisher.open(info({ requestId: 'busy' })).publish([text('x')]);
    const stream = publisher.open(info());
    for (let index = 0; index < 10; index += 1) void stream.publish([text('y'.repeat(10_000))]);
    await acknowledgeAll();
    expect(sends()[1]?.map(({ content }) => content.length)).toEqual([70_000, 30_000]);
  });

  it('does nothing for a read without text', () => {
    expect(publisher.open(info()).publish([])).toBeUndefined();
    expect(sink.sends).toEqual([]);
  });

  describe('at the end of an attempt', () => {
    it('marks the last chunk that waits', async () => {
      const stream = publisher.open(info());
      void stream.publish([text('a')]);
      void stream.publish([text('b')]);
      const { chunkCount, acknowledged } = stream.finish();
      let told = false;
      void acknowledged.then(() => {
        told = true;
      });
      expect(chunkCount).toBe(2);
      sink.acknowledge();
      await turn();
      expect(told).toBe(false);
      await acknowledgeAll();
      expect(told).toBe(true);
      expect(
        sends()
          .flat()
          .map(({ last, content }) => [content, last]),
      ).toEqual([
        ['a', false],
        ['b', true],
      ]);
    });

    it('sends one more, empty, when all have left', async () => {
      const stream = publisher.open(info());
      void stream.publish([text('a')]);
      expect(stream.finish().chunkCount).toBe(2);
      expect(stream.finish().chunkCount).toBe(2);
      await acknowledgeAll();
      await stream.finish().acknowledged;
      expect(
        sends()
          .flat()
          .map(({ sequence, last, content }) => [sequence, content, last]),
      ).toEqual([
        [0, 'a', false],
        [1, '', true],
      ]);
    });

    it('sends one for an answer without any text', async () => {
      const { chunkCount, acknowledged } = publisher.open(info()).finish();
      expect(chunkCount).toBe(1);
      await acknowledgeAll();
      await acknowledged;
      expect(sends().flat()).toMatchObject([{ sequence: 0, content: '', last: true }]);
    });
  });

  describe('with announcements', () => {
    const announcement = (key: string): OutboundRecord => ({
      topic: 'chat.message-sent',
      key,
      value: Buffer.from(key),
      headers: {},
    });

    it('sends them in order, before the chunks that wait with them, and does not count them as chunks', async () => {
      publisher.announce(announcement('1'));
      publisher.announce(announcement('2'));
      void publisher.open(info()).publish([text('a')]);
      publisher.announce(announcement('3'));
      await acknowledgeAll();
      expect(sink.sends.map((records) => records.map(({ topic, key }) => [topic, key]))).toEqual([
        [['chat.message-sent', '1']],
        [
          ['chat.message-sent', '2'],
          ['chat.message-sent', '3'],
          [TOPIC, 'request-1'],
        ],
      ]);
      expect(published).toEqual([0, 1]);
    });
  });

  describe('when the broker is behind', () => {
    it('asks writers to wait above its limit, until half of that is acknowledged', async () => {
      create(1_000);
      const stream = publisher.open(info());
      expect(stream.publish([text('a'.repeat(300))])).toBeUndefined();
      const full = stream.publish([text('b'.repeat(700))]);
      expect(full).toBeInstanceOf(Promise);
      let relieved = false;
      void full?.then(() => {
        relieved = true;
      });
      expect(publisher.bufferedBytes).toBeGreaterThan(1_000);
      sink.acknowledge();
      await turn();
      expect(relieved).toBe(false);
      sink.acknowledge();
      await turn();
      expect(relieved).toBe(true);
      expect(publisher.bufferedBytes).toBe(0);
      expect(stream.publish([text('c')])).toBeUndefined();
    });

    it('keeps every send small enough for one batch, whatever has gathered meanwhile', async () => {
      const logprobsJson = JSON.stringify({ content: '世'.repeat(500) });
      const requestId = 'r'.repeat(128);
      const streams = [1, 2, 3].map((attempt) => publisher.open(info({ requestId, attempt })));
      void publisher.open(info({ requestId: 'busy' })).publish([text('x')]);
      for (let index = 0; index < 800; index += 1) {
        for (const stream of streams)
          void stream.publish([text('世界', { logprobsJson: index % 2 ? logprobsJson : '{}' })]);
      }
      const counts = streams.map((stream) => stream.finish());
      await acknowledgeAll();
      await Promise.all(counts.map(({ acknowledged }) => acknowledged));
      for (const records of sink.sends) {
        const bytes = records.reduce(
          (sum, { value, key }) => sum + (value?.byteLength ?? 0) + (key?.length ?? 0),
          0,
        );
        expect(bytes).toBeLessThan(700_000);
      }
      expect(sink.sends.length).toBeGreaterThan(3);
      for (const attempt of [1, 2, 3]) {
        const chunks = sends()
          .flat()
          .filter((chunk) => chunk.requestId === requestId && chunk.attempt === attempt);
        expect(chunks.map(({ sequence }) => sequence)).toEqual(
          Array.from({ length: 800 }, (_, sequence) => sequence),
        );
        expect(chunks.map(({ last }) => last).indexOf(true)).toBe(799);
      }
      expect(publisher.bufferedBytes).toBe(0);
    });

    it('does not let a long stream keep a short one waiting for all of its chunks', async () => {
      void publisher.open(info({ requestId: 'busy' })).publish([text('x')]);
      const long = publisher.open(info({ requestId: 'long' }));
      for (let index = 0; index < 10; index += 1) {
        void long.publish([text('', { logprobsJson: JSON.stringify('y'.repeat(500_000)) })]);
      }
      void publisher.open(info({ requestId: 'short' })).publish([text('z')]);
      await acknowledgeAll();
      const at = sends().findIndex((chunks) => chunks.some(({ requestId }) => requestId === 'short'));
      expect(at).toBeLessThan(3);
    });
  });

  describe('when the sink has ended', () => {
    it('sends no more, and lets waiting writers go', async () => {
      create(100);
      const stream = publisher.open(info());
      const full = stream.publish([text('a'.repeat(200))]);
      sink.fail(new Error('the sink was closed'));
      await full;
      void stream.publish([text('b')]);
      expect(sink.sends).toHaveLength(1);
    });

    it('does not make anyone wait who comes later', async () => {
      create(100);
      const stream = publisher.open(info());
      void stream.publish([text('a')]);
      sink.fail(new Error('the sink was closed'));
      await turn();
      await stream.publish([text('b'.repeat(200))]);
    });
  });
});

describe('ChunkPublisher, in any interleaving', () => {
  type Step =
    | { readonly kind: 'publish'; readonly stream: number; readonly pieces: readonly Piece[] }
    | { readonly kind: 'finish'; readonly stream: number }
    | { readonly kind: 'acknowledge' };
  interface Piece {
    readonly choiceIndex: number;
    readonly content: string;
    readonly call: boolean;
    readonly role: boolean;
  }

  const piece = fc.record({
    choiceIndex: fc.nat(2),
    content: fc.string({ unit: 'grapheme', maxLength: 8 }),
    call: fc.boolean(),
    role: fc.boolean(),
  });
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('publish' as const),
        stream: fc.nat(3),
        pieces: fc.array(piece, { maxLength: 4 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('finish' as const), stream: fc.nat(3) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('acknowledge' as const) }) },
  );

  it('lets a consumer that orders by sequence read the exact text, and know that it has all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        create();
        const streams = [1, 2, 3, 4].map((attempt) => publisher.open(info({ attempt })));
        const written = new Map<string, { text: string; calls: string }>();
        const finished = new Set<number>();
        for (const each of steps) {
          if (each.kind === 'acknowledge') {
            sink.acknowledge();
            await turn();
          } else if (each.kind === 'finish') {
            streams[each.stream]?.finish();
            finished.add(each.stream);
          } else if (!finished.has(each.stream)) {
            for (const { choiceIndex, content, call } of each.pieces) {
              const place = `${each.stream + 1}/${choiceIndex}`;
              const before = written.get(place) ?? { text: '', calls: '' };
              written.set(place, {
                text: before.text + content,
                calls: before.calls + (call ? content : ''),
              });
            }
            void streams[each.stream]?.publish(
              each.pieces.map(({ choiceIndex, content, call, role }) =>
                text(content, {
                  choiceIndex,
                  role: role ? 'assistant' : null,
                  toolCalls: call ? [{ index: 0, id: null, type: null, name: null, arguments: content }] : [],
                }),
              ),
            );
          }
        }
        const ends = streams.map((stream) => stream.finish());
        await acknowledgeAll();
        await Promise.all(ends.map(({ acknowledged }) => acknowledged));
        const chunks = sends().flat();
        const read = new Map<string, { text: string; calls: string }>();
        for (const [index, { chunkCount }] of ends.entries()) {
          const own = chunks.filter(({ attempt }) => attempt === index + 1);
          expect(own.map(({ sequence }) => sequence)).toEqual(
            Array.from({ length: chunkCount }, (_, at) => at),
          );
          expect(own.filter(({ last }) => last)).toEqual([own.at(-1)]);
          for (const { attempt, choiceIndex, content, toolCalls } of own) {
            const before = read.get(`${attempt}/${choiceIndex}`) ?? { text: '', calls: '' };
            const calls = toolCalls.map((call) => call.arguments).join('');
            read.set(`${attempt}/${choiceIndex}`, {
              text: before.text + content,
              calls: before.calls + calls,
            });
          }
        }
        // The empty last chunk of an attempt stands in choice 0.
        for (const [place, { text: content }] of read)
          if (content === '') written.set(place, written.get(place) ?? { text: '', calls: '' });
        expect(read).toEqual(written);
        expect(publisher.bufferedBytes).toBe(0);
      }),
    );
  });
});
