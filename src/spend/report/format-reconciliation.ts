import { csv, type Format, table } from './format-report.ts';
import type { Difference, Reconciliation } from './reconcile-spend.ts';

const HEAD = ['day', 'model', 'what', 'ours', 'provider', 'difference', 'unpricedCalls'];

/** What a reconciliation found, as text that ends with a line break. */
export function formatReconciliation({ differences, compared }: Reconciliation, format: Format): string {
  if (format === 'json') return `${JSON.stringify({ compared, differences }, null, 2)}\n`;
  const rows = [HEAD, ...differences.map(cells)];
  if (format === 'csv') return csv(rows);
  const days = `${compared} ${compared === 1 ? 'day and model' : 'days and models'} compared`;
  if (differences.length === 0) return `no differences: ${days}\n`;
  return `${table(rows, 2)}${differences.length} differences, ${days}\n`;
}

function cells({ day, model, what, ours, provider, difference, unpricedCalls }: Difference): string[] {
  return [day, model, what, ours ?? '', provider ?? '', difference, String(unpricedCalls)];
}
