import { describe, expect, it } from 'vitest';
import { JsonFold, type JsonMerge } from '../../../../src/domain/completion/json-fold.ts';

function merged(merge: JsonMerge, name: string, ...values: unknown[]): unknown {
  const fold = new JsonFold(merge);
  for (const value of values) fold.add(JSON.stringify({ [name]: value }));
  return (JSON.parse(fold.toJson()) as Record<string, unknown>)[name];
}

describe('members of one name that come in pieces', () => {
  it.each<[string, unknown[], unknown]>([
    ['channel', ['analysis', 'analysis', 'final'], 'final'],
    ['finish_reason', ['stop', 'stop'], 'stop'],
    ['verdict', ['accepted', 'accepted'], 'accepted'],
    ['verdict', ['ha', 'ha'], 'haha'],
    ['verdict', ['two words', 'two words'], 'two wordstwo words'],
    ['verdict', ['accepted', ' and', ' accepted'], 'accepted and accepted'],
    ['reasoning_content', ['analysis', 'analysis', 'final'], 'analysisanalysisfinal'],
    ['reasoning', ['Let ', 'me'], 'Let me'],
    ['channel', ['analysis', ''], 'analysis'],
    ['citations', [['a'], ['a']], ['a']],
    ['citations', [['a'], ['b']], ['a', 'b']],
    ['reasoning_details', [[{ text: 'ha' }], [{ text: 'ha' }]], [{ text: 'ha' }, { text: 'ha' }]],
    ['token_ids', [[5], [5]], [5, 5]],
    ['n', [1, null, 2], 2],
    ['mixed', [1, 'x'], 'x'],
  ])('as words, %s of %j', (name, values, expected) => {
    expect(merged('words', name, ...values)).toEqual(expected);
  });

  it('as joined, are never taken for repeated', () => {
    expect(merged('joined', 'channel', 'analysis', 'analysis')).toBe('analysisanalysis');
    expect(merged('joined', 'citations', ['a'], ['a'])).toEqual(['a', 'a']);
  });

  it('as last, are replaced', () => {
    expect(merged('last', 'citations', ['a'], ['b'])).toEqual(['b']);
    expect(merged('last', 'text', 'a', 'b')).toBe('b');
  });
});
