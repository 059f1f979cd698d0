import { columnsOf, lineWidth, padFromLeft, padTo, paint } from './terminal.ts';
import type { ReceivedSpan } from './trace-receiver.ts';

interface Row {
  readonly label: string;
  readonly span: ReceivedSpan;
}

/** The spans of one trace as an indented tree, each with its service, its duration and a timeline bar. */
export function traceTree(spans: readonly ReceivedSpan[]): string[] {
  const rows = rowsOf(spans);
  const labelColumns = Math.max(...rows.map(({ label }) => columnsOf(label)));
  const serviceColumns = Math.max(...spans.map(({ service }) => service.length));
  const start = Math.min(...spans.map(({ startedAt }) => startedAt));
  const end = Math.max(...spans.map(({ endedAt }) => endedAt));
  const barColumns = lineWidth() - labelColumns - serviceColumns - 19;
  return rows.map(({ label, span }) => {
    const duration = padFromLeft(`${Math.round(span.endedAt - span.startedAt)} ms`, 9);
    const bar = barOf(span, start, end, barColumns);
    const name = span.failed ? paint('red', padTo(label, labelColumns)) : padTo(label, labelColumns);
    return `  ${name}  ${paint('dim', padTo(span.service, serviceColumns))}  ${duration}  ${bar}`.trimEnd();
  });
}

function rowsOf(spans: readonly ReceivedSpan[]): Row[] {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const childrenOf = (parentId: string | null) =>
    spans
      .filter((span) => (parentId === null ? !known.has(span.parentId ?? '') : span.parentId === parentId))
      .sort((one, other) => one.startedAt - other.startedAt);
  const below = (parent: ReceivedSpan, indent: string): Row[] => {
    const children = childrenOf(parent.spanId);
    return children.flatMap((span, index) => {
      const isLast = index === children.length - 1;
      const row = { label: `${indent}${isLast ? '└─' : '├─'} ${labelOf(span)}`, span };
      return [row, ...below(span, `${indent}${isLast ? '   ' : '│  '}`)];
    });
  };
  return childrenOf(null).flatMap((span) => [{ label: labelOf(span), span }, ...below(span, '')]);
}

function labelOf({ name, failed }: ReceivedSpan): string {
  return failed ? `${name} ✗` : name;
}

/** Draws a span on the trace's timeline. Returns nothing if the line is too narrow. */
function barOf(span: ReceivedSpan, start: number, end: number, columns: number): string {
  if (columns < 10) return '';
  const scale = columns / Math.max(1, end - start);
  const length = Math.max(1, Math.round((span.endedAt - span.startedAt) * scale));
  const offset = Math.min(columns - length, Math.round((span.startedAt - start) * scale));
  return ' '.repeat(Math.max(0, offset)) + paint(span.failed ? 'red' : 'cyan', '━'.repeat(length));
}
