import { describe, expect, it } from 'vitest';
import { ModelLabels, OTHER_MODEL } from '../../../src/telemetry/model-labels.ts';

describe('a model as a label', () => {
  it('is its name once a call has shown that the model exists', () => {
    const labels = new ModelLabels();
    expect(labels.of('gpt-4o', undefined)).toBe(OTHER_MODEL);
    expect(labels.of('gpt-4o', 'rate_limited')).toBe('gpt-4o');
    expect(labels.of('gpt-4o', 'model_not_found')).toBe('gpt-4o');
    expect(labels.of('gpt-4o', undefined)).toBe('gpt-4o');
  });

  it('is a shared label when the provider does not know the model, or beyond the limit', () => {
    const labels = new ModelLabels(2);
    for (let index = 0; index < 100; index += 1)
      expect(labels.of(`made-up-${index}`, 'model_not_found')).toBe(OTHER_MODEL);
    expect([labels.of('a', null), labels.of('b', null), labels.of('c', null)]).toEqual([
      'a',
      'b',
      OTHER_MODEL,
    ]);
    expect(labels.of('a', null)).toBe('a');
  });
});
