import { describe, expect, it } from 'vitest';
import { tokenRules } from '../../../../src/domain/tokens/token-rules.ts';

describe('tokenRules', () => {
  it.each([
    ['gpt-4', 'cl100k_base'],
    ['gpt-4-turbo-2024-04-09', 'cl100k_base'],
    ['gpt-3.5-turbo-0125', 'cl100k_base'],
    ['ft:gpt-3.5-turbo-0125:acme::abc', 'cl100k_base'],
    ['gpt-4o', 'o200k_base'],
    ['gpt-4.1', 'o200k_base'],
    ['gpt-5.6-luna', 'o200k_base'],
    ['o3', 'o200k_base'],
    ['grok-9', 'o200k_base'],
    ['ft:', 'o200k_base'],
  ])('%s is encoded in %s', (model, encoding) => {
    expect(tokenRules(model).encoding).toBe(encoding);
  });

  it('uses the longest family name that matches', () => {
    expect(tokenRules('gpt-4o-mini-2024-07-18').images).toMatchObject({ base: 2_833 });
    expect(tokenRules('gpt-4o-2024-11-20').images).toMatchObject({ base: 85 });
    expect(tokenRules('gpt-5-nano').images).toMatchObject({ tokensPerPatch: 2.46 });
  });

  it('assumes the largest images for a newer version of a family', () => {
    expect(tokenRules('gpt-5.4').images).toEqual(tokenRules('unheard-of').images);
  });
});
