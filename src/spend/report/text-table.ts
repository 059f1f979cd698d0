import { visibleName, visibleText } from '../../domain/text/visible-text.ts';

/** What a column holds. Numbers are aligned to the right, and are never escaped. */
export type ColumnKind = 'text' | 'number';

/** Two cells wide on a terminal, and of no width. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/gu;
const WITHOUT_WIDTH = /[\p{Mn}\p{Me}\u200b-\u200d]/gu;

/**
 * Columns padded to their widest cell, as text that ends with a line break. What a terminal would act on is written out.
 *
 * @param rows the first one has the columns' names
 */
export function table(rows: readonly (readonly string[])[], kinds: readonly ColumnKind[]): string {
  const visible = rows.map((row) => row.map(visibleName));
  const widths = kinds.map((_, column) =>
    visible.reduce((widest, row) => Math.max(widest, widthOf(row[column] ?? '')), 0),
  );
  return visible
    .map((row) => {
      const padded = row.map((cell, column) => {
        const padding = ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell)));
        return kinds[column] === 'number' ? `${padding}${cell}` : `${cell}${padding}`;
      });
      return `${padded.join('  ').trimEnd()}\n`;
    })
    .join('');
}

/**
 * Comma-separated values as RFC 4180 has them. What a terminal would act on is written out, and a text that a spreadsheet
 * would take for a formula begins with an apostrophe.
 *
 * @see https://owasp.org/www-community/attacks/CSV_Injection
 */
export function csv(rows: readonly (readonly string[])[], kinds: readonly ColumnKind[]): string {
  return rows
    .map((row) => `${row.map((cell, column) => csvCell(cell, kinds[column] ?? 'text')).join(',')}\r\n`)
    .join('');
}

const FORMULA = /^(?:\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\n])/;

function csvCell(cell: string, kind: ColumnKind): string {
  const visible = visibleText(cell);
  const text = kind === 'text' && FORMULA.test(visible) ? `'${visible}` : visible;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function widthOf(text: string): number {
  const characters = [...text].length;
  return characters + (text.match(WIDE)?.length ?? 0) - (text.match(WITHOUT_WIDTH)?.length ?? 0);
}
