import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CompletionDelta } from '../../../src/domain/completion/completion-delta.ts';
import { turn } from '../../support/fakes/turn.ts';
import { ChunkBench, info, TOPIC, text } from './chunk-bench.ts';

const CALL = { requestId: 'request-1', tenantId: 'default', attempt: 1 };

let bench: ChunkBench;

beforeEach(() => {
  bench = new ChunkBench();
});

function announcement(key: string, bytes = 0) {
  return { topic: 'chat.message-sent', key, value: Buffer.alloc(bytes), headers: {} };
}

/** The chunks of an attempt that its readers have, in the order of the sends. */
function textOf(requestId: string): string {
  return bench
    .sends()
    .flat()
    .filter((chunk) => chunk.requestId === requestId)
    .map(({ content }) => content)
    .join('');
}

const audio = { id: 'audio_1', data: null, transcript: null, expiresAt: null };
const hostile: [string, string, Partial<CompletionDelta>][] = [
  ['an index between two', 'choices[].index', { choiceIndex: 0.5 }],
  ['an index beyond 31 bits', 'choices[].index', { choiceIndex: 3e9 }],
  ['an infinite index', 'choices[].index', { choiceIndex: Number.POSITIVE_INFINITY }],
  ...[3e9, 1e308, -0.1, Number.NaN].map((index): (typeof hostile)[number] => [
    `a tool call at ${index}`,
    'tool_calls[].index',
    { toolCalls: [{ index, id: 'c', type: null, name: null, arguments: '', extraJson: null }] },
  ]),
  ['a fraction of a millisecond', 'audio.expires_at', { audio: { ...audio, expiresAt: 1.0005 } }],
  ['a list instead of a text', 'a field', { refusal: ['no'] as unknown as string }],
  ['a number instead of a text', 'a field', { finishReason: 7 as unknown as string }],
];

describe('ChunkPublisher and a delta that cannot be encoded', () => {
  it.each(hostile)('ends the stream of %s alone, and names the field', async (_what, field, members) => {
    const others = [1, 2, 3].map((at) => bench.publisher.open(info({ requestId: `other-${at}` })));
    const stream = bench.publisher.open(info({ requestId: 'hostile' }));
    for (const other of others) void other.publish([text('a')]);
    const outcome = Promise.all([
      expect(stream.publish([text('x')]) ?? Promise.resolve()).resolves.toBeUndefined(),
      Promise.resolve().then(() => stream.publish([text('', members)])),
    ]).catch((error: unknown) => error);
    for (const other of others) void other.publish([text('b')]);
    await bench.acknowledgeAll();
    await outcome;
    await expect(stream.publish([text('more')])).rejects.toMatchObject({
      code: 'internal',
      retryable: false,
      message: expect.stringContaining(field),
    });
    await expect(stream.finish().acknowledged).rejects.toMatchObject({ code: 'internal' });
    const ends = others.map((other) => other.finish());
    await bench.acknowledgeAll();
    await Promise.all(ends.map(({ acknowledged }) => acknowledged));
    for (const at of [1, 2, 3]) expect(textOf(`other-${at}`)).toBe('ab');
    expect(bench.failures).toMatchObject([
      { kind: 'stream', reason: 'encoding', requestId: 'hostile', tenantId: 'default', attempt: 1 },
    ]);
    expect(bench.publisher.bufferedBytes).toBe(0);
  });

  it('rejects a writer that waits for the broker', async () => {
    bench = new ChunkBench(2_000);
    const stream = bench.publisher.open(info());
    void stream.publish([text('a')]);
    const waiting = stream.publish([text('b'.repeat(2_000)), text('', { choiceIndex: 0.5 })]);
    expect(waiting).toBeInstanceOf(Promise);
    bench.sink.acknowledge();
    await expect(waiting).rejects.toMatchObject({ code: 'internal' });
    await bench.acknowledgeAll();
    expect(bench.publisher.bufferedBytes).toBe(0);
  });

  it('logs no text of the answer', async () => {
    const stream = bench.publisher.open(info());
    const secret = 'the answer';
    await expect(stream.publish([text(secret, { choiceIndex: 0.5 })])).rejects.not.toMatchObject({
      message: expect.stringContaining(secret),
    });
    expect(JSON.stringify(bench.failures)).not.toContain(secret);
  });
});

describe('ChunkPublisher and the limit of its topic', () => {
  it('splits larger chunks, counting the first chunk’s headers, and loses nothing', async () => {
    bench.sink.maxBytes = 10_000;
    const content = 'aé世😀'.repeat(5_000);
    const headers = { traceparent: 't'.repeat(2_000) };
    const stream = bench.publisher.open(info({ requestId: 'r'.repeat(1_000), headers }));
    void stream.publish([text(content, { finishReason: 'stop' })]);
    const { acknowledged } = stream.finish();
    await bench.acknowledgeAll();
    await acknowledged;
    const chunks = bench.sends().flat();
    expect(chunks.map((chunk) => chunk.content).join('')).toBe(content);
    expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, index) => index));
    expect(chunks.map(({ last }) => last).indexOf(true)).toBe(chunks.length - 1);
    expect(stream.count).toBe(chunks.length);
    for (const records of bench.sink.sends) {
      const bytes = records.map(
        ({ value, key, headers: own }) =>
          (value?.byteLength ?? 0) + (key?.length ?? 0) + JSON.stringify(own).length,
      );
      expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThan(9_900);
    }
    expect(bench.failures).toEqual([]);
    expect(bench.publisher.bufferedBytes).toBe(0);
  });

  it.each<[string, Partial<CompletionDelta>]>([
    ['a reason of 3 MB', { finishReason: 'x'.repeat(3_000_000) }],
    [
      'a name of 3 MB',
      {
        toolCalls: [
          { index: 0, id: null, type: null, name: 'x'.repeat(3e6), arguments: '', extraJson: null },
        ],
      },
    ],
    ['a citation of 3 MB', { annotationsJson: JSON.stringify(['x'.repeat(3_000_000)]) }],
  ])('ends the stream of %s, which cannot be split', async (_what, members) => {
    const stream = bench.publisher.open(info());
    await expect(stream.publish([text('a', members)])).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('max.message.bytes'),
    });
    expect(bench.failures).toMatchObject([{ kind: 'stream', reason: 'too_large' }]);
    expect(bench.publisher.bufferedBytes).toBe(0);
  });

  it('ends the stream whose ids and headers leave no room', async () => {
    bench.sink.maxBytes = 1_024;
    const stream = bench.publisher.open(info({ requestId: 'r'.repeat(600) }));
    await expect(stream.publish([text('a')])).rejects.toMatchObject({ code: 'internal' });
  });

  it('lets an unsplittable part be as large as the topic allows', async () => {
    bench.sink.maxBytes = 5_000_000;
    const stream = bench.publisher.open(info());
    void stream.publish([text('', { finishReason: 'x'.repeat(3_000_000) })]);
    await bench.acknowledgeAll();
    expect(bench.sends().flat()).toHaveLength(1);
  });

  it('splits waiting chunks by a limit that was lowered since, and ends only the stream of a refused chunk', async () => {
    bench.sink.maxBytes = 500_000;
    const large = bench.publisher.open(info({ requestId: 'large' }));
    const small = bench.publisher.open(info({ requestId: 'small' }));
    void bench.publisher.open(info({ requestId: 'busy' })).publish([text('x')]);
    void large.publish([text('y'.repeat(200_000))]);
    void small.publish([text('z')]);
    bench.sink.refuses = ({ value }) => ((value?.byteLength ?? 0) > 100_000 ? 'MESSAGE_TOO_LARGE' : null);
    bench.sink.acknowledge();
    void large.publish([text('Y'.repeat(200_000))]);
    void small.publish([text('Z'.repeat(200_000))]);
    bench.sink.maxBytes = 100_000;
    const ends = [large.finish(), small.finish()].map(({ acknowledged }) => acknowledged);
    await bench.acknowledgeAll();
    expect(await Promise.allSettled(ends)).toMatchObject([
      {
        status: 'rejected',
        reason: { code: 'internal', message: expect.stringContaining('MESSAGE_TOO_LARGE') },
      },
      { status: 'fulfilled' },
    ]);
    expect(textOf('small')).toBe(`z${'Z'.repeat(200_000)}`);
    expect(bench.failures).toMatchObject([
      { kind: 'stream', reason: 'MESSAGE_TOO_LARGE', requestId: 'large', topic: TOPIC },
    ]);
    expect(bench.publisher.bufferedBytes).toBe(0);
  });
});

describe('ChunkPublisher and announcements', () => {
  it('keeps 40 with 64 kB each below the limit of a send', async () => {
    for (let index = 0; index < 41; index += 1)
      bench.publisher.announce(CALL, () => announcement('k', 64_000));
    await bench.acknowledgeAll();
    expect(bench.sink.sends.flat()).toHaveLength(41);
    for (const records of bench.sink.sends) expect(records.length * 64_000).toBeLessThan(1_048_588);
  });

  it('drops one that is too large, cannot be encoded, or was refused, and continues with others and chunks', async () => {
    bench.sink.maxBytes = 10_000;
    bench.sink.refuses = ({ key }) => (key === 'refused' ? 'INVALID_RECORD' : null);
    bench.publisher.announce(CALL, () => announcement('large', 20_000));
    bench.publisher.announce(CALL, () => {
      throw new TypeError('invalid "long": 0.5');
    });
    bench.publisher.announce(CALL, () => ({ ...announcement('odd'), headers: { odd: 7 as never } }));
    bench.publisher.announce(CALL, () => announcement('refused'));
    bench.publisher.announce(CALL, () => announcement('good'));
    const stream = bench.publisher.open(info());
    void stream.publish([text('a')]);
    const { acknowledged } = stream.finish();
    await bench.acknowledgeAll();
    await acknowledged;
    expect(bench.sink.sends.flat().map(({ key }) => key)).toEqual(
      expect.arrayContaining(['refused', 'good']),
    );
    expect(bench.failures.map(({ kind, reason }) => [kind, reason])).toEqual([
      ['announcement', 'too_large'],
      ['announcement', 'encoding'],
      ['announcement', 'encoding'],
      ['announcement', 'INVALID_RECORD'],
    ]);
    expect(bench.failures[0]).toMatchObject({ ...CALL, topic: 'chat.message-sent' });
    expect(bench.publisher.bufferedBytes).toBe(0);
  });

  it('drops those that a stalled partition has no room for, and makes no writer wait', async () => {
    bench = new ChunkBench(100_000);
    for (let index = 0; index < 100; index += 1)
      bench.publisher.announce(CALL, () => announcement('k', 10_000));
    expect(bench.publisher.bufferedBytes).toBeLessThanOrEqual(50_000);
    expect(bench.failures.at(-1)).toMatchObject({ kind: 'announcement', reason: 'buffer_full' });
    expect(bench.publisher.open(info()).publish([text('a')])).toBeUndefined();
  });
});

describe('ChunkPublisher and a partition that does not acknowledge', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    bench = new ChunkBench(1_000_000, 10);
    bench.sink.partitions = 3;
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const open = (partition: number) => bench.publisher.open(info({ requestId: `request-${partition}` }));

  it('delays other partitions briefly, and then only its own streams', async () => {
    const stuck = open(0);
    const free = open(1);
    void stuck.publish([text('a')]);
    void free.publish([text('b')]);
    void stuck.publish([text('A')]);
    expect(bench.sink.inFlight).toEqual([0]);
    await vi.advanceTimersByTimeAsync(10);
    expect(bench.sink.inFlight).toEqual([0, 1]);
    // From here on the unacknowledged send is an earlier one.
    for (let index = 0; index < 100; index += 1) {
      bench.sink.acknowledge(1);
      void free.publish([text('c')]);
      expect(bench.sink.inFlight).toEqual([0, 1]);
    }
    const { acknowledged } = free.finish();
    bench.sink.acknowledge(1);
    bench.sink.acknowledge(1);
    await acknowledged;
    expect(textOf('request-1')).toBe(`b${'c'.repeat(100)}`);
    expect(textOf('request-0')).toBe('a');
    bench.sink.acknowledge(0);
    expect(textOf('request-0')).toBe('aA');
  });

  it('puts all ready partitions into one send', async () => {
    for (const partition of [0, 1, 2]) void open(partition).publish([text('a')]);
    bench.sink.acknowledge();
    expect(bench.sink.sends.map(({ length }) => length)).toEqual([1, 2]);
  });

  it('takes at most half of the buffer, so that other partitions always find room', async () => {
    const stuck = open(0);
    let waits: Promise<void> | undefined;
    while (waits === undefined) waits = stuck.publish([text('', { refusal: 'x'.repeat(10_000) })]);
    expect(bench.publisher.bufferedBytes).toBeLessThanOrEqual(520_000);
    await vi.advanceTimersByTimeAsync(10);
    const free = open(1);
    for (let index = 0; index < 100; index += 1) {
      expect(free.publish([text('', { refusal: 'y'.repeat(10_000) })])).toBeUndefined();
      await vi.advanceTimersByTimeAsync(10);
      bench.sink.acknowledge(1);
    }
    let isRelieved = false;
    void waits.then(() => {
      isRelieved = true;
    });
    await turn();
    expect(isRelieved).toBe(false);
    while (bench.publisher.bufferedBytes > 0) {
      bench.sink.acknowledge();
      await vi.advanceTimersByTimeAsync(10);
    }
    await waits;
  });

  it('is detected by the age of its oldest unacknowledged chunk', () => {
    expect(bench.publisher.oldestUnacknowledgedMs()).toBeNull();
    bench.clock.advance(1_000);
    void open(0).publish([text('a')]);
    void open(1).publish([text('a')]);
    bench.clock.advance(20);
    expect(bench.publisher.oldestUnacknowledgedMs()).toBe(20);
    bench.sink.acknowledge(0);
    bench.clock.advance(5);
    expect(bench.publisher.oldestUnacknowledgedMs()).toBe(5);
    bench.sink.acknowledge(1);
    expect(bench.publisher.oldestUnacknowledgedMs()).toBeNull();
  });
});
