import { columnsOf, padFromLeft, padTo } from './terminal.ts';

export interface Column {
  readonly title: string;
  /** Numbers: `decimal` aligns the points. Default left. */
  readonly align?: 'left' | 'right' | 'decimal';
}

/** A table with two spaces before each column, without trailing spaces; the titles are the first line. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const cells = columns.map(({ title, align }, index) => {
    const values = rows.map((row) => row[index] ?? '');
    return [title, ...(align === 'decimal' ? alignPoints(values) : values)];
  });
  const widths = cells.map((column) => Math.max(...column.map(columnsOf)));
  return Array.from({ length: rows.length + 1 }, (_, row) =>
    cells
      .map((column, index) => {
        const pad = (columns[index]?.align ?? 'left') === 'left' ? padTo : padFromLeft;
        return `  ${pad(column[row] ?? '', widths[index] ?? 0)}`;
      })
      .join('')
      .trimEnd(),
  );
}

/** Pads after the digits, so that the points stand below each other. */
function alignPoints(values: readonly string[]): string[] {
  const fraction = (value: string) => (value.includes('.') ? value.length - value.indexOf('.') : 0);
  const longest = Math.max(0, ...values.map(fraction));
  return values.map((value) => (value === '' ? '' : value + ' '.repeat(longest - fraction(value))));
}
