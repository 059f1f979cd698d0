/**
 * What a terminal acts on instead of showing it: control characters but the line feed and the tab, marks that change the
 * direction of writing, and separators of lines and paragraphs.
 */
const ACTED_ON =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Text of others for a terminal: what it would act on is written out, as `\x1b` or `\u202e`. Lines may end with CRLF. */
export function visibleText(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(ACTED_ON, escaped);
}

/** The same for a name or a cell: it stays in its line. */
export function visibleName(text: string): string {
  return text
    .replace(/[\n\t]/g, (character) => (character === '\n' ? '\\n' : '\\t'))
    .replace(ACTED_ON, escaped);
}

/** JSON text that means the same, in which nothing is left that a terminal would act on. */
export function visibleJson(json: string): string {
  return json.replace(ACTED_ON, (character) => `\\u${hex(character).padStart(4, '0')}`);
}

function escaped(character: string): string {
  const digits = hex(character);
  return digits.length <= 2 ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`;
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16);
}
