import { visibleJson } from '../../domain/text/visible-text.ts';
import type { Format } from './format-report.ts';
import type { Difference, Reconciliation } from './reconcile-spend.ts';
import { type ColumnKind, csv, table } from './text-table.ts';

const HEAD = ['day', 'model', 'what', 'ours', 'provider', 'difference', 'unpricedCalls'];
const KINDS: readonly ColumnKind[] = ['text', 'text', 'text', 'number', 'number', 'number', 'number'];

/** What a reconciliation found, as text that ends with a line break; nothing but its data. */
export function formatReconciliation({ differences, compared }: Reconciliation, format: Format): string {
  if (format === 'json') return `${visibleJson(JSON.stringify({ compared, differences }, null, 2))}\n`;
  const rows = [HEAD, ...differences.map(cells)];
  if (format === 'csv') return csv(rows, KINDS);
  return differences.length === 0 ? '' : table(rows, KINDS);
}

/** How much was compared and found, in a sentence. */
export function reconciliationNote({ differences, compared }: Reconciliation): string {
  const days = `${compared} ${compared === 1 ? 'day and model' : 'days and models'} compared`;
  if (differences.length === 0) return `no differences: ${days}`;
  return `${differences.length} ${differences.length === 1 ? 'difference' : 'differences'}, ${days}`;
}

function cells({ day, model, what, ours, provider, difference, unpricedCalls }: Difference): string[] {
  return [day, model, what, ours ?? '', provider ?? '', difference, String(unpricedCalls)];
}
