import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../../support/run-command.ts';

const root = new URL('../../../', import.meta.url);
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(new URL('docs/', root)).map((name) => `docs/${name}`),
]
  .filter((name) => name.endsWith('.md'))
  .map((name) => ({ name, text: codeOf(readFileSync(new URL(name, root), 'utf8')) }));
const { scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
  scripts: Record<string, string>;
};

/** The code blocks and code spans of a page, a line each. */
function codeOf(page: string): string {
  return (page.match(/```[\s\S]*?```|`[^`\n]+`/g) ?? []).join('\n');
}

/** What a pattern's first group finds in all pages, each once with its page. */
function found(pattern: RegExp): [what: string, page: string][] {
  const all = new Map<string, string>();
  for (const { name, text } of pages)
    for (const [, what = ''] of text.matchAll(pattern)) if (!all.has(what)) all.set(what, name);
  return [...all];
}

describe('a command in the documentation', () => {
  it.each(found(/\bnpm run (?:--silent )?([a-z][\w:-]*)/g))('npm run %s is a script (%s)', (script) => {
    expect(Object.keys(scripts)).toContain(script);
  });

  it.each(Object.entries(scripts))('%s runs on an old Node too: %s', (_name, command) => {
    expect(command).toMatch(/^(exec )?node scripts\/run\.mjs /);
  });

  it('runs its file through scripts/run.mjs, so that an old Node is enough', () => {
    expect(found(/\bnode ((?:scripts|test|docs|src)\/[\w./-]+\.ts)/g)).toEqual([]);
  });

  const commands = found(/\b(?:completion-bus|cli --) ((?:[a-z]+ ){0,1}[a-z]+)(?=[\s`|\\[-])/g);
  it.each(commands)('"%s" is known (%s)', async (command) => {
    const [first = '', second] = command.split(' ');
    const help = await runCommand({}, [first, '--help']);
    expect(help.code).toBe(0);
    const parts = [...help.stdout.matchAll(/^ {2}([a-z]+)[ \n]/gm)].map(([, name]) => name);
    if (second !== undefined && parts.length > 1) expect(parts).toContain(second);
  });

  it('is found at all', () => {
    expect(commands.length).toBeGreaterThan(10);
  });
});
