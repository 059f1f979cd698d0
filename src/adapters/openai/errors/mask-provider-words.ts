import { MASK_WINDOW, maskSecrets } from '../wire/mask-secrets.ts';

const MASK = '…';
/** What maskSecrets left in place of a secret. */
const MASKED = /^(?:(?:Bearer|Basic) )?(?:sk-)?…\w{0,4}[.!?]?$/i;

/** Keys that begin with the mark of their issuer. */
const MARKED_KEY =
  /\b(?:AKIA|ASIA|AIza|(?:rk|pk|gsk|xai|pplx|hf|r8|nvapi|tgp|fw|csk|gh[opsur]|glpat|xox[a-z])[-_])[\w.-]{10,}/g;
const WEB_TOKEN = /\beyJ[\w-]{4,}(?:\.[\w-]*){0,4}/g;
/** A word of which somebody else masked a part. */
const STARRED = /[\w.-]{0,64}\*{3,}[\w.*-]{0,64}/g;
const USER_OF_URL = /:\/\/[^\s/@"']{1,256}@/g;
const KEY_IN_QUERY = /([?&](?:key|sig|token)=)[^\s&"']+/gi;

/** Headers and members that hold a secret or name an account, with the value in HTTP's, JSON's or Python's notation. */
const NAMED_VALUE = new RegExp(
  [
    // 1. The name.
    /\b((?:proxy-)?authorization|(?:[a-z0-9]{1,20}[-_]){0,3}(?:api[-_ ]?key|(?:auth|access|security|session)[-_]token|subscription[-_]key|client[-_]secret)|(?:set-)?cookie|password|openai-(?:organization|project))/,
    // 2. What is between the name and the value.
    /(\\{0,3}["'`]?(?: provided)? {0,4}(?:[:=] {0,4}\[?| (?=["'`])))/,
    // 3. The value, up to its closing quotation mark where it has one. A cookie may have several parts.
    /(\\{0,3}"[^"\\]*|\\{0,3}'[^'\\]*|\\{0,3}`[^`\\]*|(?:(?:Bearer|Basic|Token|ApiKey) )?[^\s"'`\\,;})\]]+(?:; [^\s"'`\\,;=]+=[^\s"'`\\,;]+)*)/,
  ]
    .map(({ source }) => source)
    .join(''),
  'gi',
);

/** Ids of accounts by their form. */
const ACCOUNT_ID = /\b((?:org|proj|acct|cus|wrkspc)[-_])[A-Za-z0-9][\w-]{3,}/g;
const USER_ID = /\b(user[-_])[A-Za-z0-9]{10,}/g;
const CLOUD_PROJECT = /\b(projects\/)[\w.:-]+/g;
const CLOUD_ACCOUNT = /\b(arn:aws[\w-]{0,20}:[\w-]{0,40}:[\w-]{0,40}:)\d{12}/g;
/** Ids of accounts by the word before them: `team 3f0c…`, `organization: "a1b2c3d4"`. */
const NAMED_ID =
  /\b((?:team|organi[sz]ation|account|subscription|workspace|project|tenant|customer|user|owner)(?:[ _-]?id)?["'`]?[:=]? ?\(?["'`]?)([A-Za-z0-9][\w-]{7,})/gi;

const HALF_CHARACTER = /[\ud800-\udbff]$/;

/**
 * Makes what a provider said fit for the caller's response: besides what `maskSecrets` takes out, it masks keys of other issuers,
 * values of echoed headers and ids of the provider's accounts. Takes the same time however long the text is.
 *
 * @param secret the configured key; empty if there is no key
 * @param maxLength of the result, in UTF-16 units
 */
export function maskProviderWords(text: string, secret: string, maxLength: number): string {
  const masked = maskSecrets(text, secret, MASK_WINDOW)
    .replace(NAMED_VALUE, maskedValue)
    .replace(KEY_IN_QUERY, `$1${MASK}`)
    .replace(USER_OF_URL, `://${MASK}@`)
    .replace(WEB_TOKEN, MASK)
    .replace(MARKED_KEY, (key) => (hasDigit(key) ? MASK : key))
    .replace(STARRED, MASK)
    .replace(ACCOUNT_ID, `$1${MASK}`)
    .replace(USER_ID, (id: string, mark: string) => (hasDigit(id) ? `${mark}${MASK}` : id))
    .replace(CLOUD_PROJECT, `$1${MASK}`)
    .replace(CLOUD_ACCOUNT, `$1${MASK}`)
    .replace(NAMED_ID, (all: string, before: string, id: string) =>
      hasDigit(id) ? `${before}${MASK}` : all,
    );
  return masked.length <= maxLength
    ? masked
    : `${masked.slice(0, maxLength - 1).replace(HALF_CHARACTER, '')}${MASK}`;
}

/** A quotation mark before the value stays, so that the text around it reads as it did. */
function maskedValue(_all: string, name: string, between: string, value: string): string {
  const opening = /^\\{0,3}["'`]?/.exec(value)?.[0] ?? '';
  const bare = value.slice(opening.length);
  return `${name}${between}${opening}${bare === '' || MASKED.test(bare) ? bare : MASK}`;
}

function hasDigit(text: string): boolean {
  return /\d/.test(text);
}
