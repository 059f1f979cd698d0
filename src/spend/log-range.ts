/** What a partition's log has: from `low` up to, not including, `high`. */
export interface LogRange {
  readonly low: number;
  readonly high: number;
}
