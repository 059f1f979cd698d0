/**
 * Checks what is written for people: stilted words everywhere, and in the documentation long sentences and dead links.
 * Part of `npm run check`. Prints each finding as `file:line: problem`, and exits with 1 when there is one.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { deadLinks } from './prose/dead-links.ts';
import { parsePage } from './prose/page.ts';
import { longSentences } from './prose/sentences.ts';
import { stiltedWords } from './prose/words.ts';

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /^(src|docs|schemas|scripts|helm|test)\/|^[^/]+\.md$/.test(file))
  // Released schemas never change. The word list itself names the words.
  .filter((file) => !/^schemas\/released\/|^scripts\/prose\/words\.ts$|\/fixtures\//.test(file));
const texts = files.filter((file) => /\.(ts|mjs|cjs|md|avsc|yaml|tpl|txt)$/.test(file));
const pages = new Map(
  texts.filter((file) => file.endsWith('.md')).map((file) => [file, parsePage(readFileSync(file, 'utf8'))]),
);

const problems = [
  ...texts.flatMap((file) => stiltedWords(file, readFileSync(file, 'utf8'))),
  ...[...pages].flatMap(([file, page]) => longSentences(file, page)),
  ...deadLinks(pages, new Set(files)),
];
for (const problem of problems) console.log(problem);
console.log(`${texts.length} files and ${pages.size} pages checked, ${problems.length} problems`);
process.exitCode = problems.length > 0 || pages.size === 0 ? 1 : 0;
