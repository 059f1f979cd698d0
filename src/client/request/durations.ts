/** Milliseconds, or a whole number with its unit: `500ms`, `30s`, `5m`, `2h`, `1d`. */
export type Duration = number | string;

const MS_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);
const DURATION = /^(\d{1,9})(ms|s|m|h|d)$/;
/** A timer of Node cannot take longer. */
const LONGEST_MS = 2_147_483_647;

/** @throws TypeError naming the option when it is no duration above zero, or longer than 24 days */
export function milliseconds(name: string, given: Duration): number {
  const parts = typeof given === 'string' ? DURATION.exec(given) : null;
  const ms =
    typeof given === 'number' ? given : Number(parts?.[1]) * (MS_PER_UNIT.get(parts?.[2] ?? '') ?? NaN);
  if (Number.isFinite(ms) && ms > 0 && ms <= LONGEST_MS) return ms;
  throw new TypeError(
    `${name} must be a number of milliseconds or a text such as '30s', above zero and at most 24 days`,
  );
}
