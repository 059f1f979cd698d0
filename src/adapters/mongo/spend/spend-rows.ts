import { type Db, type Decimal128, Long } from 'mongodb';
import type { SpendBucket } from '../../../domain/cost/spend.ts';
import type { RecordMark } from '../../../spend/spend-store.ts';

/** The document of `meta` that says which generation of spend is in use. */
export interface SpendStateRow {
  readonly _id: 'spend';
  readonly generation: number;
  /** The highest generation that was ever started. */
  readonly lastGeneration: number;
}

/** One document of `spendPositions`. */
export interface SpendPositionRow {
  readonly _id: string;
  readonly generation: number;
  readonly partition: number;
  readonly next: number | null;
  readonly newest: RecordMark | null;
  readonly unreadable: number;
  /** Server time at which the whole partition was last known to be counted; null before. */
  readonly currentAt: Date | null;
}

/** One document of `spend`. */
export interface SpendRow extends SpendBucket {
  readonly _id: string;
  readonly generation: number;
  /** Missing where there is no currency. */
  readonly amount?: Decimal128;
  readonly calls: number;
  readonly unpricedCalls: number;
  readonly estimatedCalls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** One document of `spendTotals`: what a tenant spent in a day or a month. Budgets are checked against it. */
export interface SpendTotalRow {
  readonly _id: string;
  readonly amount: Decimal128;
}

/** One document of `spendEvents`: an event that was counted. */
export interface SpendEventRow {
  readonly _id: string;
  readonly keepUntil: Date | null;
}

/** Ids begin with the generation, so that one can be removed by a range of ids. */
export function idIn(generation: number, rest: string | number): string {
  return `${generation} ${rest}`;
}

/** Everything of one generation. */
export function idsOf(generation: number): { $gte: string; $lt: string } {
  return { $gte: `${generation} `, $lt: `${generation}!` };
}

/** @param period a UTC day or month: `2026-11-26` or `2026-11` */
export function totalId(generation: number, tenantId: string, period: string, currency: string): string {
  return idIn(generation, JSON.stringify([tenantId, period, currency]));
}

/** 64 bits: the driver would write a larger number as a float. */
export const long = (value: number) => Long.fromNumber(value);

export function spendCollections(db: Db) {
  return {
    state: db.collection<SpendStateRow>('meta'),
    positions: db.collection<SpendPositionRow>('spendPositions'),
    spend: db.collection<SpendRow>('spend'),
    totals: db.collection<SpendTotalRow>('spendTotals'),
    events: db.collection<SpendEventRow>('spendEvents'),
  };
}
