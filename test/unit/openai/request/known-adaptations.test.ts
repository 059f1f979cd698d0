import { describe, expect, it } from 'vitest';
import { KnownAdaptations } from '../../../../src/adapters/openai/request/known-adaptations.ts';

describe('the known adaptations of a server', () => {
  it('apply to each model, in addition to those for all models', () => {
    const known = new KnownAdaptations(['without_stream_options']);
    known.remember('a', ['without_stream']);
    expect(known.of('a')).toEqual(['without_stream_options', 'without_stream']);
    expect(known.of('b')).toEqual(['without_stream_options']);
  });

  it('are replaced by their opposites', () => {
    const known = new KnownAdaptations([]);
    known.remember('a', ['max_tokens']);
    known.remember('a', ['max_completion_tokens']);
    expect(known.of('a')).toEqual(['max_completion_tokens']);
  });

  it('are forgotten for the oldest models first', () => {
    const known = new KnownAdaptations([]);
    known.remember('first', ['max_tokens']);
    for (let index = 0; index < 1_000; index += 1) known.remember(`m${index}`, ['max_tokens']);
    expect(known.of('first')).toEqual([]);
    expect(known.of('m0')).toEqual(['max_tokens']);
  });
});
