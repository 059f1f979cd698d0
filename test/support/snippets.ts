import { readFileSync } from 'node:fs';

/** The code blocks of a page in one language, in order. */
export function snippetsOf(page: string, language: 'ts' | 'python'): string[] {
  const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , code = '']) => code);
}
