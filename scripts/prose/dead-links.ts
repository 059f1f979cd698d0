import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import GithubSlugger from 'github-slugger';
import { visit } from 'unist-util-visit';
import { lineOf, type Page, type textOf } from './page.ts';

/** Links within the repository whose file or heading does not exist. Links to other sites are not looked up. */
export function deadLinks(pages: ReadonlyMap<string, Page>, files: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  for (const [file, page] of pages) {
    visit(page, ['link', 'image', 'definition'], (node) => {
      if (!('url' in node) || /^[a-z]+:/.test(node.url)) return;
      const [path = '', heading] = node.url.split('#');
      const target = path === '' ? file : normalize(join(dirname(file), decodeURI(path)));
      const problem = problemOf(target, heading);
      if (problem !== null) problems.push(`${file}:${lineOf(node)}: ${node.url}: ${problem}`);
    });
  }
  return problems;

  function problemOf(target: string, heading: string | undefined): string | null {
    if (!files.has(target) && !existsSync(target)) return 'no such file';
    if (heading === undefined) return null;
    const page = pages.get(target);
    return page === undefined || headingsOf(page).has(heading) ? null : 'no such heading';
  }
}

function headingsOf(page: Page): Set<string> {
  const slugger = new GithubSlugger();
  const headings = new Set<string>();
  visit(page, 'heading', (heading) => {
    headings.add(slugger.slug(plainText(heading)));
  });
  return headings;
}

function plainText(heading: Parameters<typeof textOf>[0]): string {
  if ('value' in heading) return heading.value;
  return 'children' in heading ? heading.children.map(plainText).join('') : '';
}
