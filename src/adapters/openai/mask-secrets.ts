/** Longest text of a provider that goes into one of our messages, in UTF-16 units. */
const MAX_LENGTH = 500;

/**
 * Makes a provider's words fit to be shown: keys become `sk-…abcd`, bearer tokens disappear, whitespace is one
 * space, and what is longer than 500 characters is cut.
 *
 * @param secret the configured key, whatever it looks like; empty when there is none
 */
export function maskSecrets(text: string, secret: string): string {
  let masked = text;
  if (secret !== '') masked = masked.replaceAll(secret, shortened(secret));
  masked = masked
    .replace(/\b(Bearer|Basic)\s+[^\s"',;]+/gi, '$1 …')
    .replace(/\bsk-[\w*.-]{8,}/g, shortened)
    .replace(/\s+/g, ' ')
    .trim();
  return masked.length <= MAX_LENGTH ? masked : `${masked.slice(0, MAX_LENGTH - 1).toWellFormed()}…`;
}

function shortened(key: string): string {
  const tail = key.replace(/\W+$/, '').slice(-4);
  return key.length < 12 || !/^\w{4}$/.test(tail) ? 'sk-…' : `sk-…${tail}`;
}
