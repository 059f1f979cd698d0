const REQUESTED_OF_LIMIT = /\blimit:? ([\d,]{1,20})\b[^\n]{0,80}?\brequested:? ~?([\d,]{1,20})\b/i;

/**
 * Whether the words of a rate limit say that the request alone is larger than the limit of a minute, so that no wait helps:
 * "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 50000".
 */
export function saysLargerThanLimit(words: string): boolean {
  if (/\brequest too large\b/i.test(words)) return true;
  const [, limit, requested] = REQUESTED_OF_LIMIT.exec(words) ?? [];
  return limit !== undefined && requested !== undefined && numberOf(requested) > numberOf(limit);
}

function numberOf(digits: string): number {
  return Number(digits.replaceAll(',', ''));
}
