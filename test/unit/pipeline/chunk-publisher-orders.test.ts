import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { turn } from '../../support/fakes/turn.ts';
import { ChunkBench, info, text } from './chunk-bench.ts';

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

  it('lets a consumer that orders by sequence read the exact text and detect its end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const bench = new ChunkBench();
        const streams = [1, 2, 3, 4].map((attempt) => bench.publisher.open(info({ attempt })));
        const written = new Map<string, { text: string; calls: string }>();
        const finished = new Set<number>();
        for (const each of steps) {
          if (each.kind === 'acknowledge') {
            bench.sink.acknowledge();
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
                  toolCalls: call
                    ? [{ index: 0, id: null, type: null, name: null, arguments: content, extraJson: null }]
                    : [],
                }),
              ),
            );
          }
        }
        const ends = streams.map((stream) => stream.finish());
        await bench.acknowledgeAll();
        await Promise.all(ends.map(({ acknowledged }) => acknowledged));
        const chunks = bench.sends().flat();
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
        // The empty last chunk of an attempt belongs to choice 0.
        for (const [place, { text: content }] of read)
          if (content === '') written.set(place, written.get(place) ?? { text: '', calls: '' });
        expect(read).toEqual(written);
        expect(bench.publisher.bufferedBytes).toBe(0);
      }),
    );
  });
});
