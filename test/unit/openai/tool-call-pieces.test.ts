import { describe, expect, it } from 'vitest';
import { CompletionFold, type FoldedChoice } from '../../../src/domain/completion/fold-completion.ts';
import { decodeReads } from '../../support/recorded-streams.ts';

/** The choice that results from these deltas, one per chunk, and a finish reason. */
function choiceOf(...deltas: object[]): FoldedChoice {
  const chunks = [
    ...deltas.map((delta) => ({ choices: [{ index: 0, delta }] })),
    { choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] },
  ];
  const text = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('');
  const { reads, failure } = decodeReads([Buffer.from(text)]);
  expect(failure).toBeNull();
  const fold = new CompletionFold();
  for (const { deltas: pieces } of reads) for (const piece of pieces) fold.add(piece);
  return fold.result()[0] as FoldedChoice;
}

const calls = (...tool_calls: unknown[]) => ({ tool_calls });
const piece = (members: object, called: object) => ({ ...members, function: called });
const summary = ({ toolCalls }: FoldedChoice) =>
  toolCalls.map(({ id, name, arguments: text }) => [id, name, text]);
const GIVEN = expect.stringMatching(/^call_[0-9a-f]{32}$/);

describe('calls without usable indexes', () => {
  const indexes = [{}, { index: 0 }, { index: -1 }, { index: 'x' }, { index: '0' }, { index: null }];

  it.each(indexes)('%j: a different id with a name begins a new call', (index) => {
    const choice = choiceOf(
      calls(piece({ ...index, id: 'a', type: 'function' }, { name: 'f', arguments: '' })),
      calls(piece(index, { arguments: '{"x":' })),
      calls(piece(index, { arguments: '1}' })),
      calls(piece({ ...index, id: 'b', type: 'function' }, { name: 'f', arguments: '{"x"' })),
      calls(piece(index, { arguments: ':2}' })),
      calls(piece({ ...index, id: 'c' }, { name: 'g', arguments: '{}' })),
    );
    expect(summary(choice)).toEqual([
      ['a', 'f', '{"x":1}'],
      ['b', 'f', '{"x":2}'],
      ['c', 'g', '{}'],
    ]);
  });

  it.each(indexes)('%j: pieces that repeat the id, and the name, belong to one call', (index) => {
    const choice = choiceOf(
      calls(piece({ ...index, id: 'a' }, { name: 'f', arguments: '{"x"' })),
      calls(piece({ ...index, id: 'b' }, { name: 'f', arguments: '{"x"' })),
      calls(piece({ ...index, id: 'a' }, { name: 'f', arguments: ':1}' })),
      calls(piece({ ...index, id: 'b' }, { name: 'f', arguments: ':2}' })),
    );
    expect(summary(choice)).toEqual([
      ['a', 'f', '{"x":1}'],
      ['b', 'f', '{"x":2}'],
    ]);
  });

  it.each(indexes)('%j: without ids, a name after complete arguments begins a new call', (index) => {
    const choice = choiceOf(
      calls(piece(index, { name: 'f', arguments: '{"x":"}' })),
      calls(piece(index, { name: 'f', arguments: '\\"{"}' })),
      calls(piece(index, { name: 'f', arguments: '{"x":2}' })),
      calls(piece(index, { name: 'g', arguments: {} })),
    );
    expect(summary(choice)).toEqual([
      [GIVEN, 'f', '{"x":"}\\"{"}'],
      [GIVEN, 'f', '{"x":2}'],
      [GIVEN, 'g', '{}'],
    ]);
    expect(new Set(choice.toolCalls.map(({ id }) => id)).size).toBe(3);
  });

  it.each(indexes)('%j: two named entries of one list are two calls', (index) => {
    const choice = choiceOf(
      calls(piece(index, { name: 'f', arguments: '' }), piece(index, { name: 'g', arguments: '{}' })),
    );
    expect(choice.toolCalls.map(({ name }) => name)).toEqual(['f', 'g']);
  });
});

describe('calls with usable indexes', () => {
  it('keep them, for any ids', () => {
    const choice = choiceOf(
      calls(piece({ index: 1, id: 'x' }, { name: 'g', arguments: '{' })),
      calls(piece({ index: 0, id: 'x' }, { name: 'f', arguments: '{' })),
      calls(piece({ index: 1, id: 'x' }, { arguments: '}' }), piece({ index: 0 }, { arguments: '}' })),
    );
    expect(summary(choice)).toEqual([
      ['x', 'f', '{}'],
      ['x', 'g', '{}'],
    ]);
  });

  it('are not split by an id that is generated for each piece', () => {
    const choice = choiceOf(
      calls(piece({ index: 0, id: 'a1' }, { name: 'f', arguments: '' })),
      calls(piece({ index: 0, id: 'a2' }, { arguments: '{"x":' })),
      calls(piece({ index: 0, id: 'a3' }, { arguments: '1}' })),
    );
    expect(summary(choice)).toEqual([['a1', 'f', '{"x":1}']]);
  });

  it('use an id that comes late, and get a generated one when none comes', () => {
    const late = choiceOf(
      calls(piece({ index: 0 }, { name: 'f' })),
      calls(piece({ index: 0, id: 'a' }, { arguments: '{}' })),
    );
    expect(summary(late)).toEqual([['a', 'f', '{}']]);
    const none = choiceOf(calls(piece({ index: 0, id: '' }, { name: 'f', arguments: '{}' })));
    expect(summary(none)).toEqual([[GIVEN, 'f', '{}']]);
  });
});

describe('a name', () => {
  it.each([
    [['get_', 'weather']],
    [['get_weather', 'get_weather', 'get_weather']],
    [['get_', 'get_weather', 'get_weather']],
    [['get_', 'weather', 'get_weather']],
    [['get_weather', '', null]],
  ])('that comes as %j is joined once', (names) => {
    const pieces = names.map((name, index) =>
      calls(
        piece({ index: 0, ...(index === 0 && { id: 'a' }) }, { name, arguments: index === 0 ? '' : ' ' }),
      ),
    );
    expect(choiceOf(...pieces).toolCalls).toMatchObject([{ id: 'a', name: 'get_weather' }]);
  });
});

describe('arguments', () => {
  it('that are not text become JSON text', () => {
    const choice = choiceOf(
      calls(piece({ index: 0, id: 'a' }, { name: 'f', arguments: { city: 'Köln', days: [1, null] } })),
      calls({ index: 1, id: 'b', type: 'custom', custom: { name: 'sql', input: { q: 1 } } }),
      calls({ index: 2, id: 'c', name: 'flat', arguments: {} }),
    );
    expect(summary(choice)).toEqual([
      ['a', 'f', '{"city":"Köln","days":[1,null]}'],
      ['b', 'sql', '{"q":1}'],
      ['c', 'flat', '{}'],
    ]);
  });
});

describe('empty members', () => {
  const empties = [
    { function_call: {} },
    { function_call: { name: '', arguments: '' } },
    { function_call: { name: null, arguments: null } },
    { function_call: null, audio: {} },
    { audio: { id: null, data: '' } },
    { tool_calls: [{}] },
    { tool_calls: {} },
    { tool_calls: [null] },
    { tool_calls: [{ index: 0, id: '', type: 'function', function: { name: '', arguments: '' } }] },
  ];

  it.each(empties)('%j are ignored', (empty) => {
    expect(choiceOf({ content: 'x', ...empty })).toMatchObject({
      content: 'x',
      toolCalls: [],
      audio: null,
      extraJson: null,
    });
  });

  it.each(empties)('%j hide no real call, before or after it', (empty) => {
    const tool = piece({ index: 0, id: 'a' }, { name: 'f', arguments: '{}' });
    const expected = [{ id: 'a', name: 'f', arguments: '{}', type: 'function' }];
    expect(choiceOf({ ...empty, tool_calls: [tool] }).toolCalls).toMatchObject(expected);
    expect(choiceOf({ tool_calls: [tool] }, empty).toolCalls).toMatchObject(expected);
    const older = { name: 'f', arguments: '{}' };
    expect(choiceOf(empty, { ...empty, function_call: older }, empty).toolCalls).toEqual([
      { id: null, type: 'function_call', ...older, valid: null, problems: [], extraJson: null },
    ]);
  });

  it('a call in both forms is one call', () => {
    const start = { name: 'f', arguments: '{' };
    const choice = choiceOf(
      { tool_calls: [piece({ index: 0, id: 'a' }, start)], function_call: start },
      { function_call: { arguments: '}' }, tool_calls: [piece({ index: 0 }, { arguments: '}' })] },
    );
    expect(summary(choice)).toEqual([['a', 'f', '{}']]);
  });
});
