import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskSecrets } from '../../../../src/adapters/openai/wire/mask-secrets.ts';

const secret = 'my-own-gateway-secret-9876543210';

describe('maskSecrets', () => {
  it('leaves nothing of a key that is cut, at any position', () => {
    const spaces = (count: number) => ' '.repeat(count);
    for (let before = 16_300; before < 16_420; before += 1) {
      for (const key of [secret, 'sk-proj-abcdefghijklmnopqrstuvwxyz0123', `Bearer ${secret}x`]) {
        const shown = maskSecrets(`${spaces(before)}${key} ${spaces(2_000)}`, secret);
        expect(shown).not.toMatch(/gatew|secre|abcd|efgh|mnop|my-/);
      }
    }
  });

  it('masks a key with spaces, whole or cut', () => {
    const odd = 'first half second half third end-9';
    for (let before = 16_300; before < 16_400; before += 1)
      expect(maskSecrets(`${' '.repeat(before)}${odd} rest`, odd)).not.toContain('half');
  });

  it('takes as long for a long text as for a short one, for any content', () => {
    for (const piece of [
      'sk-.',
      'sk-........',
      '-',
      '.',
      ' ',
      'Bearer ',
      'Basic\t',
      'sk-',
      secret.slice(0, -1),
      '\u00a0',
      'a.',
    ])
      for (const text of [
        piece.repeat(200_000),
        `sk-${piece.repeat(200_000)}`,
        `Bearer ${piece.repeat(200_000)}`,
      ])
        expect(maskSecrets(text, secret).length).toBeLessThanOrEqual(500);
  });

  it('never exceeds its limit, and returns whole characters', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.nat(400),
        fc.integer({ min: 1, max: 40 }),
        (text, times, most) => {
          const shown = maskSecrets(`${text.repeat(times)}${secret}`, secret, most);
          expect(shown.length).toBeLessThanOrEqual(most);
          expect(shown.isWellFormed()).toBe(true);
          expect(shown).not.toContain('gateway');
        },
      ),
    );
  });
});
