import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CompletionDelta, emptyDelta } from '../../../../src/domain/completion/completion-delta.ts';
import { CompletionFold, type FoldedChoice } from '../../../../src/domain/completion/fold-completion.ts';

function delta(members: Partial<CompletionDelta>): CompletionDelta {
  return { ...emptyDelta(0), ...members };
}

function fold(...deltas: Partial<CompletionDelta>[]): CompletionFold {
  const folded = new CompletionFold();
  for (const members of deltas) folded.add(delta(members));
  return folded;
}

const first = (...deltas: Partial<CompletionDelta>[]): FoldedChoice | undefined =>
  fold(...deltas).result()[0];

const piece = (index: number, text: string, start: { id?: string; type?: string; name?: string } = {}) => ({
  index,
  id: start.id ?? null,
  type: start.type ?? null,
  name: start.name ?? null,
  arguments: text,
  extraJson: null,
});

describe('CompletionFold', () => {
  it('starts empty', () => {
    expect(fold().result()).toEqual([]);
    expect(fold().textBytes).toBe(0);
  });

  it('joins text up to the finish reason', () => {
    expect(
      first({ role: 'assistant' }, { content: 'Hel' }, { content: 'lo' }, { finishReason: 'stop' }, {}),
    ).toEqual({
      index: 0,
      content: 'Hello',
      refusal: null,
      toolCalls: [],
      audio: null,
      annotations: [],
      finishReason: 'stop',
      logprobsJson: null,
      problems: [],
      extraJson: null,
    });
  });

  it('has null, not empty text, when no text came', () => {
    expect(first({ role: 'assistant' }, { refusal: 'I ' }, { refusal: 'cannot.' })).toMatchObject({
      content: null,
      refusal: 'I cannot.',
      finishReason: null,
    });
  });

  it('merges calls by index in the model’s order, for any order of pieces', () => {
    const choice = first(
      { toolCalls: [piece(1, '', { id: 'b', type: 'custom', name: 'sql' })] },
      { toolCalls: [piece(0, '{"a":', { id: 'a', type: 'function', name: 'f' }), piece(1, 'SELECT')] },
      { toolCalls: [piece(1, ' 1', { id: 'b', name: 'sql' }), piece(0, '1}')] },
      { toolCalls: [piece(2, 'x')] },
    );
    expect(choice?.toolCalls).toEqual([
      {
        id: 'a',
        type: 'function',
        name: 'f',
        arguments: '{"a":1}',
        valid: null,
        problems: [],
        extraJson: null,
      },
      {
        id: 'b',
        type: 'custom',
        name: 'sql',
        arguments: 'SELECT 1',
        valid: null,
        problems: [],
        extraJson: null,
      },
      { id: null, type: 'function', name: '', arguments: 'x', valid: null, problems: [], extraJson: null },
    ]);
  });

  it('joins audio, and accepts deltas after the finish reason', () => {
    const audio = { id: null, data: null, transcript: null, expiresAt: null };
    const choice = first(
      { audio: { ...audio, id: 'audio_1', transcript: 'Hel' } },
      { audio: { ...audio, data: new Uint8Array([1, 2]) } },
      { audio: { ...audio, id: 'other', data: new Uint8Array([3]), transcript: 'lo' } },
      { finishReason: 'stop' },
      { audio: { ...audio, expiresAt: 5 } },
    );
    expect(choice?.audio).toEqual({
      id: 'audio_1',
      data: new Uint8Array([1, 2, 3]),
      transcript: 'Hello',
      expiresAt: 5,
    });
    expect(first({ audio })?.audio).toEqual({ id: '', data: null, transcript: '', expiresAt: null });
  });

  it('reads citations and leaves other annotations out', () => {
    const url_citation = { start_index: 1, end_index: 5, title: 'T', url: 'https://example.com' };
    const choice = first({
      annotationsJson: JSON.stringify([
        { type: 'url_citation', url_citation },
        { type: 'other' },
        { url_citation: {} },
      ]),
    });
    expect(choice?.annotations).toEqual([
      { startIndex: 1, endIndex: 5, title: 'T', url: 'https://example.com' },
      { startIndex: 0, endIndex: 0, title: '', url: '' },
    ]);
  });

  it('joins log probabilities', () => {
    const choice = first(
      { logprobsJson: '{"content":[1],"refusal":null}' },
      { logprobsJson: '{"content":[2,3],"refusal":null}' },
      { logprobsJson: '{"content":null,"refusal":[4]}' },
    );
    expect(choice?.logprobsJson).toBe('{"content":[1,2,3],"refusal":[4]}');
  });

  it('joins extra texts and lists, and keeps the last of any other value', () => {
    const choice = first(
      { extraJson: '{"reasoning_content":"Let ","steps":[1],"done":false,"mixed":1}' },
      { extraJson: '{"reasoning_content":"me","steps":[2],"done":true,"mixed":"x","__proto__":"y"}' },
    );
    expect(choice?.extraJson).toBe(
      '{"reasoning_content":"Let me","steps":[1,2],"done":true,"mixed":"x","__proto__":"y"}',
    );
  });

  it('keeps choices separate and sorts them', () => {
    const folded = fold(
      { choiceIndex: 1, content: 'b' },
      { choiceIndex: 0, content: 'a' },
      { choiceIndex: 1, content: 'b' },
    );
    expect(folded.result().map(({ index, content }) => [index, content])).toEqual([
      [0, 'a'],
      [1, 'bb'],
    ]);
  });

  it('returns results that do not change when more is added', () => {
    const folded = fold({ toolCalls: [piece(0, 'a')], annotationsJson: '[]' });
    const before = folded.result();
    const copy = structuredClone(before);
    folded.add(delta({ content: 'x', toolCalls: [piece(0, 'b')], annotationsJson: '[{"url_citation":{}}]' }));
    expect(before).toEqual(copy);
  });

  it('counts the bytes of everything written, including surrogate pairs cut between deltas', () => {
    const folded = fold(
      { content: 'aé東\ud83d' },
      { content: '\uddfc', refusal: 'no', extraJson: '{"reasoning_content":"hm","n":1}' },
      { toolCalls: [piece(0, '{}')], audio: { id: null, data: null, transcript: 'yo', expiresAt: null } },
    );
    expect(folded.textBytes).toBe(Buffer.byteLength('aé東🗼' + 'no' + 'hm' + '{}' + 'yo'));
  });

  it('counts the memory of everything, not only of text', () => {
    const audio = { id: null, data: new Uint8Array(100_000), transcript: null, expiresAt: null };
    const parts: Partial<CompletionDelta>[] = [
      { content: 'x'.repeat(100_000) },
      { refusal: 'x'.repeat(100_000) },
      { toolCalls: [piece(0, 'x'.repeat(100_000))] },
      { audio },
      { audio: { ...audio, data: null, transcript: 'x'.repeat(100_000) } },
      { annotationsJson: JSON.stringify([{ url_citation: { url: 'x'.repeat(100_000) } }]) },
      { logprobsJson: JSON.stringify({ content: ['x'.repeat(100_000)] }) },
      { extraJson: JSON.stringify({ reasoning_content: 'x'.repeat(100_000) }) },
    ];
    for (const part of parts) {
      expect(fold(part).bytes).toBeGreaterThanOrEqual(100_000);
      expect(fold(part).bytes).toBeLessThan(210_000);
    }
    expect(fold(...parts).bytes).toBeGreaterThanOrEqual(800_000);
    const many = fold(...Array.from({ length: 128 }, (_, choiceIndex) => ({ choiceIndex, content: 'x' })));
    expect(many.bytes).toBeGreaterThan(128 * 1_000);
  });

  it('accepts lists of any length, and audio in any number of pieces', () => {
    const list = JSON.stringify({ content: Array.from({ length: 400_000 }, () => 1) });
    const choice = first({ logprobsJson: list, extraJson: list }, { logprobsJson: list, extraJson: list });
    expect(JSON.parse(choice?.logprobsJson ?? '').content).toHaveLength(800_000);
    expect(JSON.parse(choice?.extraJson ?? '').content).toHaveLength(800_000);
    const folded = new CompletionFold();
    const audio = { id: null, transcript: null, expiresAt: null };
    for (let index = 0; index < 100_000; index += 1)
      folded.add(delta({ audio: { ...audio, data: new Uint8Array([index % 251]) } }));
    const before = folded.result()[0]?.audio?.data;
    expect(before).toHaveLength(100_000);
    expect(before?.every((byte, index) => byte === index % 251)).toBe(true);
    folded.add(delta({ audio: { ...audio, data: new Uint8Array([9]) } }));
    expect(before).toHaveLength(100_000);
    expect(folded.result()[0]?.audio?.data).toHaveLength(100_001);
  });

  it('merges JSON of any shape as parsing and merging would', () => {
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.string({ unit: 'binary' }),
      fc.array(fc.jsonValue()),
    );
    const objects = fc.array(
      // V8's parser can mistake the name `"` for `\` where it has seen that name before.
      fc.dictionary(
        fc.oneof(
          fc.constantFrom('a', 'b', '"'),
          fc.string().filter((name) => !name.includes('\\')),
        ),
        value,
      ),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    fc.assert(
      fc.property(objects, (list) => {
        const merged = new Map<string, unknown>();
        for (const [name, next] of list.flatMap((one) => Object.entries(JSON.parse(JSON.stringify(one))))) {
          const before = merged.get(name);
          if (typeof next === 'string') merged.set(name, typeof before === 'string' ? before + next : next);
          else if (Array.isArray(next)) merged.set(name, Array.isArray(before) ? [...before, ...next] : next);
          else if (next !== null || before === undefined) merged.set(name, next);
        }
        const json = first(...list.map((one) => ({ logprobsJson: JSON.stringify(one) })))?.logprobsJson ?? '';
        expect(byName(Object.entries(JSON.parse(json)))).toEqual(byName([...merged]));
      }),
    );
  });

  it('reproduces any text, however it was cut', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (pieces) => {
        const text = pieces.join('');
        const folded = fold(...pieces.map((content) => ({ content })), { finishReason: 'stop' });
        expect(folded.result()[0]?.content).toBe(text === '' ? null : text);
        expect(folded.textBytes).toBe(Buffer.byteLength(text));
      }),
    );
  });

  it('takes time linear in a text of 1 MB that comes in small pieces', () => {
    const folded = new CompletionFold();
    const some = delta({ content: '12345678' });
    const start = performance.now();
    for (let index = 0; index < 131_072; index += 1) folded.add(some);
    expect(folded.result()[0]?.content).toHaveLength(1_048_576);
    // Copying the text for every piece would be 68 GB.
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});

/** In objects, names that look like numbers come first, whenever they were set. */
function byName(members: readonly (readonly [string, unknown])[]) {
  return [...members].sort(([one], [other]) => (one < other ? -1 : 1));
}
