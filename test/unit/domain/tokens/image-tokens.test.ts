import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { imageTokens } from '../../../../src/domain/tokens/image-tokens.ts';
import { tokenRules } from '../../../../src/domain/tokens/token-rules.ts';

const rule = (model: string) => tokenRules(model).images;
const exactly = (tokens: number) => ({ least: tokens, most: tokens });

describe('imageTokens', () => {
  it.each([
    ['gpt-4o', 'high', 1_024, 1_024, 765],
    ['gpt-4o', 'high', 2_048, 4_096, 1_105],
    ['gpt-4o', 'low', 4_096, 8_192, 85],
    ['gpt-4o', 'high', 512, 512, 255],
    ['gpt-4o', 'high', 513, 100, 425],
    ['gpt-4o-mini', 'high', 1_024, 1_024, 2_833 + 4 * 5_667],
    ['gpt-5', 'high', 1_024, 1_024, 70 + 4 * 140],
    ['o3', 'high', 1_024, 1_024, 75 + 4 * 150],
    ['gpt-4.1-mini', 'high', 1_024, 1_024, Math.ceil(1_024 * 1.62)],
    ['gpt-4.1-mini', 'high', 1_800, 2_400, Math.ceil(1_452 * 1.62)],
    ['o4-mini', 'high', 33, 32, Math.ceil(2 * 1.72)],
    ['gpt-5-nano', 'low', 1_024, 1_024, Math.ceil(256 * 2.46)],
  ])('of %s at %s detail, %i x %i pixels', (model, detail, width, height, tokens) => {
    expect(imageTokens(rule(model), detail, { width, height })).toEqual(exactly(tokens));
  });

  it.each([null, 'auto', 'newer'])('lets the provider choose between low and high for %s', (detail) => {
    expect(imageTokens(rule('gpt-4o'), detail, { width: 1_024, height: 1_024 })).toEqual({
      least: 85,
      most: 765,
    });
  });

  it('counts more for original than for high detail in a family that does', () => {
    const large = { width: 6_000, height: 6_000 };
    const most = (detail: string) => imageTokens(rule('unheard-of'), detail, large).most;
    expect(most('original')).toBeGreaterThan(most('high'));
  });

  it('bounds every image by its result for an unknown size', () => {
    const models = fc.constantFrom('gpt-4o', 'gpt-4o-mini', 'gpt-4.1-mini', 'gpt-5', 'unheard-of');
    const sides = fc.integer({ min: 1, max: 50_000 });
    const details = fc.constantFrom('low', 'high', 'original', 'auto', null);
    fc.assert(
      fc.property(models, details, sides, sides, (model, detail, width, height) => {
        const bounds = imageTokens(rule(model), detail, null);
        const tokens = imageTokens(rule(model), detail, { width, height });
        expect(tokens.least).toBeGreaterThanOrEqual(bounds.least);
        expect(tokens.most).toBeLessThanOrEqual(bounds.most);
        expect(tokens.most).toBeGreaterThanOrEqual(tokens.least);
      }),
    );
  });
});
