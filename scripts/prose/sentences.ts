import { visit } from 'unist-util-visit';
import { lineOf, type Page, textOf } from './page.ts';

/** Nine of ten sentences of a page have at most so many words. */
const MAX_WORDS = 30;
const PERCENTILE = 0.9;
/** The longest one that a page may have. */
const LONGEST = 45;
const SENTENCE_END = /(?<=[.!?:]["'”’)]?)\s+(?=["'“(]?[\p{Lu}\d])/u;

interface Sentence {
  readonly line: number;
  readonly words: number;
}

/** Looks at paragraphs and list items; tables, headings and code have other rules. */
export function longSentences(file: string, page: Page): string[] {
  const sentences: Sentence[] = [];
  visit(page, 'paragraph', (paragraph) => {
    for (const sentence of textOf(paragraph).split(SENTENCE_END)) {
      const words = sentence.split(/\s+/).filter((word) => /[\p{L}\d]/u.test(word)).length;
      if (words > 0) sentences.push({ line: lineOf(paragraph), words });
    }
  });
  const sorted = sentences.map(({ words }) => words).sort((a, b) => a - b);
  const p90 = sorted[Math.ceil(sorted.length * PERCENTILE) - 1] ?? 0;
  const tooLong = sentences
    .filter(({ words }) => words > LONGEST)
    .map(({ line, words }) => `${file}:${line}: a sentence of ${words} words: split it (at most ${LONGEST})`);
  return p90 <= MAX_WORDS
    ? tooLong
    : [...tooLong, `${file}:1: one sentence in ten has over ${MAX_WORDS} words (p90 is ${p90}): split them`];
}
