import { addSums, type SpendSum } from '../../domain/cost/spend.ts';

/** What a report can group by, besides the currency. */
export const DIMENSIONS = ['day', 'tenant', 'user', 'provider', 'model'] as const;
/** What the spend in the database is kept by. */
export type StoredDimension = (typeof DIMENSIONS)[number];
/** Before the name of a label, as in `label:team`. */
export const LABEL = 'label:';
export type Dimension = StoredDimension | `label:${string}`;

/** Which calls a report is about; everything that is given must fit. */
export interface ReportFilter {
  readonly tenant?: string;
  readonly user?: string;
  readonly model?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface ReportQuery {
  readonly by: readonly Dimension[];
  /** UTC days, `YYYY-MM-DD`, both included. */
  readonly from: string;
  readonly to: string;
  readonly where?: ReportFilter;
}

/** Whether only the cost events can answer: the database keeps no labels. */
export function needsEvents({ by, where }: ReportQuery): boolean {
  return by.some((dimension) => dimension.startsWith(LABEL)) || Object.keys(where?.labels ?? {}).length > 0;
}

/** One group and currency. Unpriced calls are a row of their own, without currency and amount. */
export interface ReportRow extends SpendSum {
  /** In the order of `by`; null for a missing value (a request without a user). */
  readonly group: readonly (string | null)[];
  readonly currency: string | null;
}

export interface Report extends ReportQuery {
  readonly rows: readonly ReportRow[];
  /** One per currency, never mixed. */
  readonly totals: readonly ReportRow[];
  /** Unreadable records of the cost topic. No sum includes them. */
  readonly unreadable: number;
}

/** Whose calls are selected: one provider's, limited to one account unless that is null. */
export interface SpendFilter {
  readonly provider: string;
  readonly account: string | null;
}

/** Reads spend from its store. */
export interface SpendReader {
  rows(query: ReportQuery, filter?: SpendFilter): Promise<readonly ReportRow[]>;
  unreadable(): Promise<number>;
}

/** The spend of a range of days. Groups whose figures are all zero, such as unpriced calls that were priced later, are left out. */
export async function reportSpend(reader: SpendReader, query: ReportQuery): Promise<Report> {
  const rows = (await reader.rows(query)).filter(
    ({ amount, calls, inputTokens, outputTokens }) =>
      amount !== null || calls !== 0 || inputTokens !== 0 || outputTokens !== 0,
  );
  const totals = new Map<string | null, ReportRow>();
  for (const row of rows) {
    const before = totals.get(row.currency);
    totals.set(row.currency, {
      ...(before === undefined ? row : { ...before, ...addSums(before, row) }),
      group: [],
    });
  }
  return {
    by: query.by,
    from: query.from,
    to: query.to,
    ...(query.where !== undefined && { where: query.where }),
    rows: rows.toSorted(inOrder),
    totals: [...totals.values()].toSorted(inOrder),
    unreadable: await reader.unreadable(),
  };
}

function inOrder(one: ReportRow, other: ReportRow): number {
  const left = [...one.group, one.currency ?? '\uffff'];
  const right = [...other.group, other.currency ?? '\uffff'];
  const at = left.findIndex((value, index) => value !== right[index]);
  if (at === -1) return 0;
  return (left[at] ?? '') < (right[at] ?? '') ? -1 : 1;
}
