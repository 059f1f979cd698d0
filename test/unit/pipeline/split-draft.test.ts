import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CompletionDelta, emptyDelta } from '../../../src/domain/completion/completion-delta.ts';
import { CompletionFold } from '../../../src/domain/completion/fold-completion.ts';
import { type ChunkDraft, draftBytes, draftOf } from '../../../src/pipeline/chunks/chunk-draft.ts';
import { DoesNotFit } from '../../../src/pipeline/chunks/pieces.ts';
import { splitDraft } from '../../../src/pipeline/chunks/split-draft.ts';
import { textEnd } from '../../../src/pipeline/chunks/take-text.ts';

const text = fc.string({ unit: fc.constantFrom('a', 'é', '世', '😀', '"', '\\', '\u0000'), maxLength: 120 });
const short = fc.string({ unit: fc.constantFrom('b', '界', '🎈'), maxLength: 4 });
const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });

const token = fc.record({
  token: short,
  logprob: fc.constantFrom(-0.5, -1e-7, 0),
  bytes: nullable(fc.array(fc.nat(255), { maxLength: 3 })),
});
const logprobs = fc.record(
  {
    content: nullable(fc.array(token, { maxLength: 12 })),
    refusal: nullable(fc.array(token, { maxLength: 12 })),
    model_version: short,
    __proto__: fc.constantFrom(1, 'x'),
  },
  { requiredKeys: [] },
);
const citation = fc.record({
  type: fc.constant('url_citation'),
  url_citation: fc.record({ start_index: fc.nat(), end_index: fc.nat(), title: short, url: short }),
});

const delta: fc.Arbitrary<CompletionDelta> = fc.record({
  choiceIndex: fc.nat(1),
  role: nullable(fc.constant('assistant')),
  content: text,
  refusal: nullable(text),
  toolCalls: fc.array(
    fc.record({
      index: fc.nat(2),
      id: nullable(short),
      type: nullable(fc.constantFrom('function', 'custom')),
      name: nullable(short),
      arguments: text,
      extraJson: nullable(fc.constant('{"e":1}')),
    }),
    { maxLength: 4 },
  ),
  audio: nullable(
    fc.record({
      id: nullable(short),
      data: nullable(fc.uint8Array({ maxLength: 300 })),
      transcript: nullable(text),
      expiresAt: nullable(fc.nat()),
    }),
  ),
  annotationsJson: nullable(fc.array(citation, { maxLength: 6 }).map((list) => JSON.stringify(list))),
  logprobsJson: nullable(logprobs.map((value) => JSON.stringify(value))),
  finishReason: nullable(fc.constantFrom('stop', 'length')),
  extraJson: nullable(
    fc
      .record({ reasoning_content: text, steps: fc.array(short, { maxLength: 30 }) }, { requiredKeys: [] })
      .map((members) => JSON.stringify(members)),
  ),
  answerExtraJson: fc.constant(null),
});

function fold(deltas: readonly (CompletionDelta | ChunkDraft)[]) {
  const folding = new CompletionFold();
  for (const one of deltas) folding.add({ answerExtraJson: null, ...one });
  return folding.result();
}

/** Enough for the largest part that cannot be split. */
const SMALLEST = 220;

describe('a draft that is too large for a chunk', () => {
  it('is split into drafts below the limit that add up to the same answer', () => {
    fc.assert(
      fc.property(
        fc.array(delta, { maxLength: 4 }),
        fc.integer({ min: SMALLEST, max: 900 }),
        (deltas, max) => {
          const pieces = deltas.flatMap((one) => splitDraft(draftOf(one), max));
          for (const piece of pieces) expect(draftBytes(piece)).toBeLessThanOrEqual(max);
          expect(fold(pieces)).toEqual(fold(deltas));
        },
      ),
      { numRuns: 400 },
    );
  });

  it('stays unchanged when it fits', () => {
    fc.assert(
      fc.property(delta, (one) => {
        const draft = draftOf(one);
        expect(splitDraft(draft, 100_000)).toEqual([draft]);
      }),
    );
  });

  it('marks the last piece alone, and ends its choice there', () => {
    const pieces = splitDraft(
      { ...draftOf({ ...emptyDelta(0), content: 'x'.repeat(500), finishReason: 'stop' }), last: true },
      220,
    );
    expect(pieces.map(({ last, finishReason }) => [last, finishReason])).toEqual([
      [false, null],
      [false, null],
      [true, 'stop'],
    ]);
  });

  it('splits sound between whole samples and groups of base64', () => {
    const data = new Uint8Array(1_000).map((_, index) => index);
    const audio = { id: 'audio_1', data, transcript: null, expiresAt: null };
    const pieces = splitDraft(draftOf({ ...emptyDelta(0), audio }), 250);
    for (const piece of pieces.slice(0, -1)) expect((piece.audio?.data?.byteLength ?? 1) % 24).toBe(0);
    expect(Buffer.concat(pieces.map((piece) => piece.audio?.data ?? Buffer.alloc(0)))).toEqual(
      Buffer.from(data),
    );
  });

  const long = 'n'.repeat(300);
  it.each<[string, Partial<CompletionDelta>]>([
    ['role', { role: long }],
    ['finishReason', { finishReason: long }],
    [
      'toolCalls',
      { toolCalls: [{ index: 0, id: null, type: null, name: long, arguments: '', extraJson: null }] },
    ],
    ['audio.id', { audio: { id: long, data: null, transcript: null, expiresAt: null } }],
    ['annotationsJson', { annotationsJson: JSON.stringify([{ url_citation: { url: long } }]) }],
    ['annotationsJson', { annotationsJson: JSON.stringify({ long }) }],
    ['logprobsJson', { logprobsJson: JSON.stringify({ content: [{ token: long }] }) }],
    ['logprobsJson', { logprobsJson: JSON.stringify({ other: long }) }],
    ['logprobsJson', { logprobsJson: JSON.stringify(long) }],
    ['extraJson', { extraJson: JSON.stringify({ other: { long } }) }],
  ])('is not split inside of %s', (field, members) => {
    const split = () => splitDraft(draftOf({ ...emptyDelta(0), ...members }), 250);
    expect(split).toThrow(DoesNotFit);
    expect(split).toThrow(field);
  });

  it('is split with work proportional to its size', () => {
    const content = 'aé世😀'.repeat(500_000);
    const pieces = splitDraft(draftOf({ ...emptyDelta(0), content }), 1_000);
    expect(pieces.map((piece) => piece.content).join('') === content).toBe(true);
  });
});

describe('a slice of a text', () => {
  it('never ends inside a surrogate pair, and takes as much as fits', () => {
    fc.assert(
      fc.property(text, fc.nat(40), fc.nat(20), (whole, characters, max) => {
        const from = [...whole].slice(0, characters).join('').length;
        const end = textEnd(whole, from, max);
        const slice = whole.slice(from, end);
        expect(Buffer.byteLength(slice)).toBeLessThanOrEqual(max);
        const next = String.fromCodePoint(...[whole.codePointAt(end) ?? []].flat());
        expect(next === '' || Buffer.byteLength(slice + next) > max).toBe(true);
      }),
    );
  });
});
