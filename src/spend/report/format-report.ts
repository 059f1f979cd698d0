import { visibleJson } from '../../domain/text/visible-text.ts';
import type { Report, ReportRow } from './spend-report.ts';
import { type ColumnKind, csv, table } from './text-table.ts';

export const FORMATS = ['table', 'csv', 'json'] as const;
export type Format = (typeof FORMATS)[number];

const SUMS = ['calls', 'unpricedCalls', 'estimatedCalls', 'inputTokens', 'outputTokens'] as const;

/** A report as text that ends with a line break; nothing but its data. Amounts are exact in every format. */
export function formatReport(report: Report, format: Format): string {
  if (format === 'json') return `${visibleJson(JSON.stringify(asJson(report), null, 2))}\n`;
  const head = [...report.by, 'currency', 'amount', ...SUMS];
  const kinds = head.map((_, index): ColumnKind => (index <= report.by.length ? 'text' : 'number'));
  if (format === 'csv') return csv([head, ...report.rows.map(cells)], kinds);
  const totals = report.totals.map((row) => {
    const [first = '', ...rest] = report.by.map((_, index) => (index === 0 ? 'total' : ''));
    return report.by.length === 0 ? cells(row) : [first, ...rest, ...cells(row)];
  });
  const body = report.by.length === 0 ? totals : [...report.rows.map(cells), ...totals];
  return table([head, ...body], kinds);
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

/** What a reader has to know besides the figures, a sentence each. */
export function reportNotes({ totals, unreadable, rows }: Report): string[] {
  const unpriced = totals.reduce((sum, { unpricedCalls }) => sum + unpricedCalls, 0);
  const notes = [];
  if (rows.length === 0) notes.push('nothing was spent in this period');
  if (unpriced > 0) notes.push(`${unpriced} calls have no price: no amount includes them`);
  if (unreadable > 0)
    notes.push(`${unreadable} records of the cost topic could not be read: no sum includes them`);
  return notes;
}
