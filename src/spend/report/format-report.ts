import type { Report, ReportRow } from './spend-report.ts';

export const FORMATS = ['table', 'csv', 'json'] as const;
export type Format = (typeof FORMATS)[number];

const SUMS = ['calls', 'unpricedCalls', 'estimatedCalls', 'inputTokens', 'outputTokens'] as const;

/** A report as text that ends with a line break. Amounts are exact in every format. */
export function formatReport(report: Report, format: Format): string {
  if (format === 'json') return `${JSON.stringify(asJson(report), null, 2)}\n`;
  const head = [...report.by, 'currency', 'amount', ...SUMS];
  if (format === 'csv') return csv([head, ...report.rows.map(cells)]);
  const totals = report.totals.map((row) => {
    const [first = '', ...rest] = report.by.map((_, index) => (index === 0 ? 'total' : ''));
    return report.by.length === 0 ? cells(row) : [first, ...rest, ...cells(row)];
  });
  const body = report.by.length === 0 ? totals : [...report.rows.map(cells), ...totals];
  const notes = notesOf(report).map((note) => `${note}\n`);
  return `${table([head, ...body], report.by.length)}${notes.join('')}`;
}

/** Columns padded to their widest cell: text to the left, numbers to the right. */
export function table(rows: readonly (readonly string[])[], textColumns: number): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) => {
      const padded = row.map((cell, column) =>
        column <= textColumns ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      );
      return `${padded.join('  ').trimEnd()}\n`;
    })
    .join('');
}

/** Comma-separated values as RFC 4180 has them. */
export function csv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

function csvCell(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

function cells(row: ReportRow): string[] {
  return [
    ...row.group.map((value) => value ?? ''),
    row.currency ?? '',
    row.amount ?? '',
    ...SUMS.map((name) => String(row[name])),
  ];
}

function asJson({ by, from, to, rows, totals, unreadable }: Report) {
  const member = ({ group, currency, amount, ...sums }: ReportRow) => ({
    ...Object.fromEntries(group.map((value, index) => [by[index], value])),
    currency,
    amount,
    ...Object.fromEntries(SUMS.map((name) => [name, sums[name]])),
  });
  return { from, to, by, rows: rows.map(member), totals: totals.map(member), unreadableRecords: unreadable };
}

function notesOf({ totals, unreadable }: Report): string[] {
  const unpriced = totals.reduce((sum, { unpricedCalls }) => sum + unpricedCalls, 0);
  const notes = [];
  if (unpriced > 0) notes.push(`${unpriced} calls have no known price: they are in no amount`);
  if (unreadable > 0)
    notes.push(`${unreadable} records of the cost topic could not be read: they are in no sum`);
  return notes;
}
