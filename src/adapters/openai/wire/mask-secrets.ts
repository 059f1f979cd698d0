/** Longest text of a provider that goes into one of our messages, in UTF-16 units. */
const MAX_LENGTH = 500;
/** What is looked at of a text: more than any result needs, and masked in well under a millisecond. */
export const MASK_WINDOW = 16_384;

const MAYBE_SECRET = /\s|sk-|bearer|basic/i;

/**
 * Makes a provider's words fit to be shown: keys become `sk-…abcd`, bearer tokens disappear, whitespace is one
 * space, and what is longer than `maxLength` is cut. Takes the same time however long the text is.
 *
 * @param secret the configured key, whatever it looks like; empty if there is no key
 */
export function maskSecrets(text: string, secret: string, maxLength = MAX_LENGTH): string {
  if (isPlain(text, maxLength) && (secret === '' || !text.includes(secret))) return text;
  const isCut = text.length > MASK_WINDOW;
  let masked = isCut ? text.slice(0, MASK_WINDOW) : text;
  if (secret !== '') masked = masked.replaceAll(secret, shortened(secret));
  if (isCut) masked = withoutCutSecret(masked, secret);
  masked = masked
    .replace(/\b(Bearer|Basic)\s+[^\s"',;]+/gi, '$1 …')
    .replace(/\bsk-[\w*.-]{8,}/g, shortened)
    .replace(/\s+/g, ' ')
    .trim()
    .toWellFormed();
  if (masked.length <= maxLength && !isCut) return masked;
  return `${masked.slice(0, maxLength - 1).toWellFormed()}…`;
}

/** Nearly all ids and names are: nothing in them is masked. */
function isPlain(text: string, maxLength: number): boolean {
  return text.length <= maxLength && !MAYBE_SECRET.test(text) && text.isWellFormed();
}

/** Takes away what may be the first part of a secret at the end of the window: the beginning of the key, or a word that was cut. */
function withoutCutSecret(window: string, secret: string): string {
  let end = window.length;
  for (let length = Math.min(secret.length - 1, end); length > 0; length -= 1) {
    if (!window.endsWith(secret.slice(0, length))) continue;
    end -= length;
    break;
  }
  while (end > 0 && !isSeparator(window.charCodeAt(end - 1))) end -= 1;
  return window.slice(0, end);
}

/** What cannot be inside a token: space and control characters, quotes, comma, semicolon. */
function isSeparator(unit: number): boolean {
  return unit <= 0x20 || unit === 0x22 || unit === 0x27 || unit === 0x2c || unit === 0x3b;
}

function shortened(key: string): string {
  let end = key.length;
  while (end > 0 && !isWordCharacter(key.charCodeAt(end - 1))) end -= 1;
  const tail = key.slice(Math.max(0, end - 4), end);
  return key.length < 12 || !/^\w{4}$/.test(tail) ? 'sk-…' : `sk-…${tail}`;
}

function isWordCharacter(unit: number): boolean {
  return (
    (unit >= 0x30 && unit <= 0x39) ||
    (unit >= 0x41 && unit <= 0x5a) ||
    (unit >= 0x61 && unit <= 0x7a) ||
    unit === 0x5f
  );
}
