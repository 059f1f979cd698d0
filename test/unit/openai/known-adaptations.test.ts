import { describe, expect, it } from 'vitest';
import { KnownAdaptations } from '../../../src/adapters/openai/known-adaptations.ts';

describe('what is known of a server', () => {
  it('is known for each model, beside what holds for all', () => {
    const known = new KnownAdaptations(['without_stream_options']);
    known.remember('a', ['without_stream']);
    expect(known.of('a')).toEqual(['without_stream_options', 'without_stream']);
    expect(known.of('b')).toEqual(['without_stream_options']);
  });

  it('is replaced by its opposite', () => {
    const known = new KnownAdaptations([]);
    known.remember('a', ['max_tokens']);
    known.remember('a', ['max_completion_tokens']);
    expect(known.of('a')).toEqual(['max_completion_tokens']);
  });

  it('is forgotten for the models that were learned about first', () => {
    const known = new KnownAdaptations([]);
    known.remember('first', ['max_tokens']);
    for (let index = 0; index < 1_000; index += 1) known.remember(`m${index}`, ['max_tokens']);
    expect(known.of('first')).toEqual([]);
    expect(known.of('m0')).toEqual(['max_tokens']);
  });
});
