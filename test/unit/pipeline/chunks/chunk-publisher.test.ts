import { beforeEach, describe, expect, it } from 'vitest';
import type { CompletionDelta } from '../../../../src/domain/completion/completion-delta.ts';
import type { OutboundRecord } from '../../../../src/ports/kafka.ts';
import { FakeClock } from '../../../support/fakes/fake-clock.ts';
import { turn } from '../../../support/fakes/turn.ts';
import { ChunkBench, info, TOPIC, text } from '../chunk-bench.ts';

let bench: ChunkBench;

beforeEach(() => {
  bench = new ChunkBench();
});

describe('ChunkPublisher', () => {
  it('sends a chunk at once when the producer is free', () => {
    void bench.publisher.open(info()).publish([text('Hel', { role: 'assistant' })]);
    expect(bench.sends()).toEqual([
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
          extraJson: null,
          last: false,
          emittedAt: new FakeClock().now(),
        },
      ],
    ]);
    expect(bench.sink.sends[0]?.[0]).toMatchObject({
      topic: TOPIC,
      key: 'request-1',
      headers: { traceparent: '00-1' },
    });
  });

  it('merges text that arrives while a send is in flight into the next chunk', async () => {
    const stream = bench.publisher.open(info());
    void stream.publish([text('a')]);
    void stream.publish([text('b'), text('c')]);
    void stream.publish([text('d')]);
    expect(bench.sink.sends).toHaveLength(1);
    await bench.acknowledgeAll();
    expect(bench.sends().map((chunks) => chunks.map(({ sequence, content }) => [sequence, content]))).toEqual(
      [[[0, 'a']], [[1, 'bcd']]],
    );
    expect(bench.published).toEqual([1, 1]);
  });

  it('adds the trace to the first chunk of an attempt only', async () => {
    const stream = bench.publisher.open(info());
    void stream.publish([text('a')]);
    void stream.publish([text('b')]);
    await bench.acknowledgeAll();
    expect(bench.sink.sends.flat().map(({ headers }) => headers)).toEqual([{ traceparent: '00-1' }, {}]);
  });

  it('never changes a record after handing it to the sink', async () => {
    const stream = bench.publisher.open(info());
    void stream.publish([text('a')]);
    const before = structuredClone(bench.sends());
    const bytes = Buffer.from(bench.sink.sends[0]?.[0]?.value ?? []);
    void stream.publish([text('b')]);
    stream.finish();
    expect(bench.sends()).toEqual(before);
    expect(Buffer.from(bench.sink.sends[0]?.[0]?.value ?? [])).toEqual(bytes);
    expect(bench.sink.sends[0]).toHaveLength(1);
  });

  it('never mixes attempts, requests or choices', async () => {
    void bench.publisher.open(info({ requestId: 'busy' })).publish([text('x')]);
    const first = bench.publisher.open(info({ attempt: 1 }));
    const second = bench.publisher.open(info({ attempt: 2 }));
    void first.publish([text('a'), text('b', { choiceIndex: 1 }), text('c', { choiceIndex: 0 })]);
    void second.publish([text('A')]);
    void first.publish([text('d')]);
    await bench.acknowledgeAll();
    const later = bench
      .sends()
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

  const call = { index: 0, id: 'call_1', type: 'function', name: 'f', arguments: '{', extraJson: null };
  const audio = { id: 'audio_1', data: Buffer.from([1, 2]), transcript: 'hi', expiresAt: null };

  it.each<[string, Partial<CompletionDelta>]>([
    ['a role', { role: 'assistant' }],
    ['a refusal', { refusal: 'no' }],
    ['a tool call', { toolCalls: [call] }],
    ['audio', { audio }],
    ['citations', { annotationsJson: '[]' }],
    ['log probabilities', { logprobsJson: '{}' }],
    ['members without a field', { extraJson: '{"reasoning_content":"hm"}' }],
  ])('starts a new chunk for %s, and loses none of its fields', async (_what, members) => {
    void bench.publisher.open(info({ requestId: 'busy' })).publish([text('x')]);
    void bench.publisher.open(info()).publish([text('a'), text('b', members), text('c')]);
    await bench.acknowledgeAll();
    const chunks = bench.sends().flat().slice(1);
    expect(chunks[0]).toMatchObject({ content: 'a' });
    expect(chunks[1]).toMatchObject({ ...members, content: members.role === undefined ? 'b' : 'bc' });
    expect(chunks.map(({ content }) => content).join('')).toBe('abc');
  });

  it('adds no text to a chunk that has ended its choice', async () => {
    void bench.publisher.open(info({ requestId: 'busy' })).publish([text('x')]);
    void bench.publisher.open(info()).publish([text('a'), text('b', { finishReason: 'stop' }), text('c')]);
    await bench.acknowledgeAll();
    expect(
      bench
        .sends()
        .flat()
        .slice(1)
        .map(({ content, finishReason }) => [content, finishReason]),
    ).toEqual([
      ['ab', 'stop'],
      ['c', null],
    ]);
  });

  it('starts another chunk when one has become long', async () => {
    void bench.publisher.open(info({ requestId: 'busy' })).publish([text('x')]);
    const stream = bench.publisher.open(info());
    for (let index = 0; index < 10; index += 1) void stream.publish([text('y'.repeat(10_000))]);
    await bench.acknowledgeAll();
    expect(bench.sends()[1]?.map(({ content }) => content.length)).toEqual([70_000, 30_000]);
  });

  it('does nothing for a read without text', () => {
    expect(bench.publisher.open(info()).publish([])).toBeUndefined();
    expect(bench.sink.sends).toEqual([]);
  });

  describe('at the end of an attempt', () => {
    it('marks the last waiting chunk', async () => {
      const stream = bench.publisher.open(info());
      void stream.publish([text('a')]);
      void stream.publish([text('b')]);
      const { chunkCount, acknowledged } = stream.finish();
      let resolved = false;
      void acknowledged.then(() => {
        resolved = true;
      });
      expect(chunkCount).toBe(2);
      bench.sink.acknowledge();
      await turn();
      expect(resolved).toBe(false);
      await bench.acknowledgeAll();
      expect(resolved).toBe(true);
      expect(
        bench
          .sends()
          .flat()
          .map(({ last, content }) => [content, last]),
      ).toEqual([
        ['a', false],
        ['b', true],
      ]);
    });

    it('sends one more empty chunk when all have been sent', async () => {
      const stream = bench.publisher.open(info());
      void stream.publish([text('a')]);
      expect(stream.finish().chunkCount).toBe(2);
      expect(stream.finish().chunkCount).toBe(2);
      await bench.acknowledgeAll();
      await stream.finish().acknowledged;
      expect(
        bench
          .sends()
          .flat()
          .map(({ sequence, last, content }) => [sequence, content, last]),
      ).toEqual([
        [0, 'a', false],
        [1, '', true],
      ]);
    });

    it('sends one for an answer without any text', async () => {
      const { chunkCount, acknowledged } = bench.publisher.open(info()).finish();
      expect(chunkCount).toBe(1);
      await bench.acknowledgeAll();
      await acknowledged;
      expect(bench.sends().flat()).toMatchObject([{ sequence: 0, content: '', last: true }]);
    });
  });

  describe('with announcements', () => {
    const announcement = (key: string): OutboundRecord => ({
      topic: 'chat.message-sent',
      key,
      value: Buffer.from(key),
      headers: {},
    });
    const of = { requestId: 'request-1', tenantId: 'default', attempt: 1 };
    const announce = (key: string) => bench.publisher.announce(of, () => announcement(key));

    it('sends them in order, together with waiting chunks, and does not count them as chunks', async () => {
      announce('1');
      announce('2');
      void bench.publisher.open(info()).publish([text('a')]);
      announce('3');
      await bench.acknowledgeAll();
      expect(bench.sink.sends.map((records) => records.map(({ topic, key }) => [topic, key]))).toEqual([
        [['chat.message-sent', '1']],
        [
          [TOPIC, 'request-1'],
          ['chat.message-sent', '2'],
          ['chat.message-sent', '3'],
        ],
      ]);
      expect(bench.published).toEqual([1]);
    });
  });
});
