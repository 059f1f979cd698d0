import { stripVTControlCharacters, styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** Where the quickstart writes to. Colours only on a terminal, and not with NO_COLOR. */
const out = process.stdout;
const LONGEST_LINE = 120;
const SHORTEST_LINE = 60;
/** Width where nobody tells: a file or a pipe. */
const PLAIN_WIDTH = 80;

/** Whether lines that were written can be written anew. */
export const isLive = out.isTTY === true && process.env['TERM'] !== 'dumb';

/** Columns to write in. */
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

/** Writes without ending the line; for what is drawn anew later. */
export function draw(text: string): void {
  out.write(text);
}

export function heading(text: string, note = ''): void {
  print();
  print(`${paint('bold', text)}${note === '' ? '' : paint('dim', `  ${note}`)}`);
  print();
}

const WIDE = /[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
/** Accents and other marks, variation selectors among them, and the joiner of emoji. */
const WITHOUT_WIDTH = /\p{Mark}|\u200d/u;

/** Columns that a text takes: colours take none, emoji and East Asian characters two. */
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
 * Breaks a text between words. Every line but the last stays as it is when the text grows, so that it can be printed.
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

/** As much of a text as fits. */
function startOf(text: string, columns: number): string {
  let start = '';
  for (const character of text) {
    if (columnsOf(start + character) > columns) break;
    start += character;
  }
  return start;
}
