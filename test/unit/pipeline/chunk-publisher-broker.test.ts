import { beforeEach, describe, expect, it } from 'vitest';
import { turn } from '../../support/fakes/turn.ts';
import { ChunkBench, info, text } from './chunk-bench.ts';

let bench: ChunkBench;

beforeEach(() => {
  bench = new ChunkBench();
});

describe('ChunkPublisher whose broker is behind or down', () => {
  describe('when the broker is behind', () => {
    it('makes writers wait while their partition holds more than is free, until it holds half of that', async () => {
      bench = new ChunkBench(2_000);
      const stream = bench.publisher.open(info());
      expect(stream.publish([text('a'.repeat(300))])).toBeUndefined();
      const full = stream.publish([text('b'.repeat(700))]);
      expect(full).toBeInstanceOf(Promise);
      let relieved = false;
      void full?.then(() => {
        relieved = true;
      });
      expect(bench.publisher.bufferedBytes).toBeGreaterThan(1_000);
      bench.sink.acknowledge();
      await turn();
      expect(relieved).toBe(false);
      bench.sink.acknowledge();
      await turn();
      expect(relieved).toBe(true);
      expect(bench.publisher.bufferedBytes).toBe(0);
      expect(stream.publish([text('c')])).toBeUndefined();
      let again = false;
      void stream.publish([text('d'.repeat(1_000))])?.then(() => {
        again = true;
      });
      await turn();
      expect(again).toBe(false);
      await bench.acknowledgeAll();
      expect(again).toBe(true);
    });

    it('does not report an attempt as complete while part of it waits for the next send', async () => {
      const stream = bench.publisher.open(info());
      void stream.publish([text('a')]);
      for (let index = 0; index < 3; index += 1) {
        void stream.publish([text('', { logprobsJson: JSON.stringify('y'.repeat(400_000)) })]);
      }
      let resolved = false;
      void stream.finish().acknowledged.then(() => {
        resolved = true;
      });
      for (let sent = 0; sent < 3; sent += 1) {
        bench.sink.acknowledge();
        await turn();
        expect(resolved).toBe(false);
      }
      bench.sink.acknowledge();
      await turn();
      expect(resolved).toBe(true);
      expect(bench.sink.sends).toHaveLength(4);
    });

    it('keeps every send small enough for one batch, however much has been buffered', async () => {
      const logprobsJson = JSON.stringify({ content: '世'.repeat(500) });
      const requestId = 'r'.repeat(128);
      const streams = [1, 2, 3].map((attempt) => bench.publisher.open(info({ requestId, attempt })));
      void bench.publisher.open(info({ requestId: 'busy' })).publish([text('x')]);
      for (let index = 0; index < 800; index += 1) {
        for (const stream of streams)
          void stream.publish([text('世界', { logprobsJson: index % 2 ? logprobsJson : '{}' })]);
      }
      const counts = streams.map((stream) => stream.finish());
      await bench.acknowledgeAll();
      await Promise.all(counts.map(({ acknowledged }) => acknowledged));
      for (const records of bench.sink.sends) {
        const bytes = records.reduce(
          (sum, { value, key }) => sum + (value?.byteLength ?? 0) + (key?.length ?? 0),
          0,
        );
        expect(bytes).toBeLessThan(700_000);
      }
      expect(bench.sink.sends.length).toBeGreaterThan(3);
      for (const attempt of [1, 2, 3]) {
        const chunks = bench
          .sends()
          .flat()
          .filter((chunk) => chunk.requestId === requestId && chunk.attempt === attempt);
        expect(chunks.map(({ sequence }) => sequence)).toEqual(
          Array.from({ length: 800 }, (_, sequence) => sequence),
        );
        expect(chunks.map(({ last }) => last).indexOf(true)).toBe(799);
      }
      expect(bench.publisher.bufferedBytes).toBe(0);
    });

    it('does not make a short stream wait for all chunks of a long one', async () => {
      void bench.publisher.open(info({ requestId: 'busy' })).publish([text('x')]);
      const long = bench.publisher.open(info({ requestId: 'long' }));
      for (let index = 0; index < 10; index += 1) {
        void long.publish([text('', { logprobsJson: JSON.stringify('y'.repeat(500_000)) })]);
      }
      void bench.publisher.open(info({ requestId: 'short' })).publish([text('z')]);
      await bench.acknowledgeAll();
      const at = bench.sends().findIndex((chunks) => chunks.some(({ requestId }) => requestId === 'short'));
      expect(at).toBeLessThan(3);
    });
  });

  describe('when the sink rejects a send', () => {
    it('ends the streams of that send, reports it, and continues', async () => {
      bench.sink.broken = new Error('the thread is gone');
      const stream = bench.publisher.open(info());
      await expect(stream.publish([text('a')])).rejects.toMatchObject({ code: 'internal', retryable: false });
      await expect(stream.finish().acknowledged).rejects.toMatchObject({ code: 'internal' });
      expect(bench.failures.map(({ kind }) => kind)).toEqual(['publisher', 'publisher', 'stream']);
      expect(bench.publisher.bufferedBytes).toBe(0);
      bench.sink.broken = null;
      const next = bench.publisher.open(info({ requestId: 'next' }));
      void next.publish([text('b')]);
      const { acknowledged } = next.finish();
      await bench.acknowledgeAll();
      await acknowledged;
    });
  });
});
