import { stripVTControlCharacters, styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** Output of the quickstart. Colours are used only on a terminal and without NO_COLOR. */
const out = process.stdout;
const LONGEST_LINE = 120;
const SHORTEST_LINE = 60;
/** Width for a file or a pipe, which report none. */
const PLAIN_WIDTH = 80;

/** Whether lines already written can be redrawn. */
export const isLive = out.isTTY === true && process.env['TERM'] !== 'dumb';

/** Number of columns to use for a line. */
export function lineWidth(): number {
  return Math.max(SHORTEST_LINE, Math.min(LONGEST_LINE, out.columns ?? PLAIN_WIDTH));
}

export function lineCount(): number {
  return out.rows ?? 24;
}

export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: out });
}

export function print(line = ''): void {
  out.write(`${line}\n`);
}

/** Writes without ending the line, for text that is redrawn later. */
export function draw(text: string): void {
  out.write(text);
}

export function heading(text: string, note = ''): void {
  print();
  print(`${paint('bold', text)}${note === '' ? '' : paint('dim', `  ${note}`)}`);
  print();
}

const WIDE = /[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
/** Accents and other marks, variation selectors, and the emoji joiner. */
const WITHOUT_WIDTH = /\p{Mark}|\u200d/u;

/** Number of columns a text takes: colours take none, emoji and East Asian characters take two. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of stripVTControlCharacters(text)) {
    if (WIDE.test(character)) columns += 2;
    else if (!WITHOUT_WIDTH.test(character)) columns += 1;
  }
  return columns;
}

export function padTo(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - columnsOf(text)));
}

export function padFromLeft(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - columnsOf(text))) + text;
}

/**
 * Wraps a text between words. Only the last line can change when the text grows, so earlier lines can be printed.
 *
 * @returns at least one line
 */
export function wrap(text: string, columns: number): string[] {
  return text.split('\n').flatMap((paragraph) => wrapParagraph(paragraph, columns));
}

function wrapParagraph(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && columnsOf(longer) > columns) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
    while (columnsOf(line) > columns) {
      const start = startOf(line, columns);
      lines.push(start);
      line = line.slice(start.length);
    }
  }
  return [...lines, line];
}

/** Returns as much of a text as fits. */
function startOf(text: string, columns: number): string {
  let start = '';
  for (const character of text) {
    if (columnsOf(start + character) > columns) break;
    start += character;
  }
  return start;
}
