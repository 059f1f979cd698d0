import { readFileSync } from 'node:fs';

/** A row of a table in docs/errors.md, by the heads of its columns; code marks are left out. */
export type DocumentedRow = Readonly<Record<string, string>>;

/** The tables of docs/errors.md in their order: codes, the provider's errors, failures without a word of it. */
export function documentedErrors(): {
  readonly codes: readonly DocumentedRow[];
  readonly provider: readonly DocumentedRow[];
  readonly silent: readonly DocumentedRow[];
} {
  const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const tables = text.split(/\n(?!\|)/).filter((block) => block.startsWith('|') || block.includes('\n|'));
  const [codes = [], provider = [], silent = []] = tables.map(rowsOf);
  return { codes, provider, silent };
}

function rowsOf(table: string): DocumentedRow[] {
  const [heads = [], , ...rows] = table
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.replaceAll('`', '').trim()),
    );
  return rows.map((cells) => Object.fromEntries(heads.map((head, index) => [head, cells[index] ?? ''])));
}
