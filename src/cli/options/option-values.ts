import { InvalidArgumentError } from 'commander';
import { instant } from '../../catalog/files/catalog-file.ts';

/** A day. A timer that is set for longer than some weeks fires at once. */
const LONGEST_WAIT_SECONDS = 86_400;

/** @throws InvalidArgumentError */
export function readSeconds(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= LONGEST_WAIT_SECONDS) return seconds;
  throw new InvalidArgumentError(`It must be a number of seconds up to ${LONGEST_WAIT_SECONDS}.`);
}

/** @throws InvalidArgumentError */
export function readCount(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

/** @throws InvalidArgumentError */
export function readNumber(text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number)) return number;
  throw new InvalidArgumentError('It must be a number.');
}

/** Reads the amount of a price. @throws InvalidArgumentError */
export function readPriceAmount(decimals: number): (text: string) => string {
  const form = new RegExp(`^\\d{1,9}(\\.\\d{1,${decimals}})?$`);
  return (text) => {
    if (form.test(text)) return text;
    throw new InvalidArgumentError(
      `It is a decimal number with at most 9 digits before the point and ${decimals} after it, such as 2.5.`,
    );
  };
}

/**
 * Reads a date, which is its midnight UTC, or a time with an offset, as epoch ms.
 *
 * @throws InvalidArgumentError
 */
export function readInstant(text: string): number {
  const read = instant.safeParse(text);
  if (read.success) return read.data;
  throw new InvalidArgumentError(
    'It must be an ISO 8601 date or time, such as 2025-08-07 (UTC) or 2025-08-07T09:00:00Z.',
  );
}
