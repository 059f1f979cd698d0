import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { visibleJson, visibleName, visibleText } from '../../../../src/domain/text/visible-text.ts';

/** What a terminal may act on, beside line feed and tab. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const DANGEROUS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe('text for a terminal', () => {
  it.each([
    ['plain, ünïcode, 日本語 and 👍🏽\nlines\tand tabs', 'plain, ünïcode, 日本語 and 👍🏽\nlines\tand tabs'],
    ['a\r\nb', 'a\nb'],
    ['a\rb', 'a\\x0db'],
    ['\u001b[31mred\u001b[0m', '\\x1b[31mred\\x1b[0m'],
    ['\u001b]8;;http://x\u0007link', '\\x1b]8;;http://x\\x07link'],
    ['\u009b2J', '\\x9b2J'],
    ['user\u202etxt.exe', 'user\\u202etxt.exe'],
    ['\u2066x\u2069\u200f\u061c', '\\u2066x\\u2069\\u200f\\u061c'],
    ['\u0000\u0008\u007f', '\\x00\\x08\\x7f'],
  ])('%j is %j', (text, shown) => {
    expect(visibleText(text)).toBe(shown);
  });

  it('stays in its line where it is a name', () => {
    expect(visibleName('a\nb\tc\r\nd\u2028e')).toBe('a\\nb\\tc\\x0d\\nd\\u2028e');
  });

  it('means the same as JSON, and holds nothing that a terminal acts on', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const json = visibleJson(JSON.stringify({ text }));
        expect(JSON.parse(json)).toEqual({ text });
        for (const shown of [json, visibleText(text), visibleName(text)])
          expect(shown).not.toMatch(DANGEROUS);
      }),
    );
    expect(visibleJson(JSON.stringify('\u009b\u202e'))).toBe('"\\u009b\\u202e"');
  });
});
