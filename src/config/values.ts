import { z } from 'zod';

const MS_PER_UNIT = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const TOPIC_NAME = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/;
const HOST_AND_PORT = /^(?:[^\s:,/@]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/;
const HIGHEST_PORT = 65_535;

type DurationUnit = keyof typeof MS_PER_UNIT;

/** A topic that requests are read from, with its tenant if the topic's ACL determines one. */
export interface RequestTopic {
  readonly topic: string;
  readonly tenantId: string | null;
}

/** Any text but the empty one. */
export const text = z.string();

export const flag = parsed('true or false', (given) => {
  const value = given.toLowerCase();
  return value === 'true' ? true : value === 'false' ? false : undefined;
});

export const brokers = parsed('host:port, several separated by commas, e.g. 127.0.0.1:9092', (given) =>
  listOf(given, (item) => {
    const port = Number(HOST_AND_PORT.exec(item)?.[1]);
    return port >= 1 && port <= HIGHEST_PORT ? item : undefined;
  }),
);

export const topicPrefix = parsed('letters, digits, dots, underscores and hyphens, at most 200', (given) =>
  TOPIC_NAME.test(given) && given.length <= 200 ? given : undefined,
);

export const requestTopics = parsed(
  'topic or topic=tenant, several separated by commas, each topic once, e.g. chat.requests,chat.requests.acme=acme',
  (given) => {
    const topics = listOf(given, requestTopic);
    return topics && new Set(topics.map(({ topic }) => topic)).size === topics.length ? topics : undefined;
  },
);

export const topicNamesList = parsed('topic names separated by commas, e.g. chat.replies', (given) => {
  const topics = listOf(given, (item) => (TOPIC_NAME.test(item) ? item : undefined));
  return topics && [...new Set(topics)];
});

/** A whole number of at least 1 for each of some tenants. */
export const tenantWeights = parsed(
  'tenant=weight with weights from 1 to 9999, several separated by commas, each tenant once, e.g. acme=3,search=2',
  (given) => {
    const weights = new Map(listOf(given, tenantWeight));
    return weights.size === given.split(',').length ? weights : undefined;
  },
);

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]{0,8192}$/;
/** Headers of the connection or of one call, which cannot be configured. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'host',
  'transfer-encoding',
  'x-client-request-id',
]);

/** Headers by name, written as in `OTEL_EXPORTER_OTLP_HEADERS`. */
export const headerPairs = parsed(
  'name=value, several separated by commas, with %2C for a comma in a value, each name once, and none that the service sets for each call',
  (given) => {
    const pairs = listOf(given, headerPair);
    const names = new Set(pairs?.map(([name]) => name.toLowerCase()));
    return pairs && names.size === pairs.length ? Object.fromEntries(pairs) : undefined;
  },
);

/** Query parameters by name. */
export const queryPairs = parsed('name=value, several separated by &', (given) => {
  const pairs = [...new URLSearchParams(given)];
  const isComplete = pairs.length > 0 && pairs.every(([name, value]) => name !== '' && value !== '');
  return isComplete ? Object.fromEntries(pairs) : undefined;
});

/** One of `choices`, in any case. */
export function oneOf<const Choice extends string>(choices: readonly Choice[]) {
  return parsed(`one of ${choices.join(', ')}`, (given) => find(choices, given));
}

/** A comma-separated list of `choices`, each at most once. */
export function someOf<const Choice extends string>(choices: readonly Choice[]) {
  return parsed(`one or more of ${choices.join(', ')}, separated by commas`, (given) => {
    const items = listOf(given, (item) => find(choices, item));
    return items && [...new Set(items)];
  });
}

export function wholeNumber(minimum: number, maximum: number) {
  return parsed(`a whole number from ${minimum} to ${maximum}`, (given) =>
    /^\d+$/.test(given) ? within(Number(given), minimum, maximum) : undefined,
  );
}

/** `none` in any case, or a value of another schema. */
export function orNone<Value>(value: z.ZodType<Value, string>) {
  return z.string().transform((given, context): Value | 'none' => {
    if (given.toLowerCase() === 'none') return 'none';
    const result = value.safeParse(given);
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    context.addIssue({ code: 'custom', message: `${issue?.message ?? 'a value'}, or none` });
    return z.NEVER;
  });
}

export function decimalNumber(minimum: number, maximum: number) {
  return parsed(`a number from ${minimum} to ${maximum}`, (given) =>
    /^\d+(\.\d+)?$/.test(given) ? within(Number(given), minimum, maximum) : undefined,
  );
}

/** Milliseconds, from `30s`, `500ms`, `10m`, `2h`, `14d`, or a bare number of `bareUnit`. `minimum` and `maximum` are written the same way. */
export function duration(bareUnit: DurationUnit, minimum: string, maximum: string) {
  const read = (given: string) => milliseconds(given, bareUnit);
  const lowest = read(minimum) ?? 0;
  const highest = read(maximum) ?? Number.POSITIVE_INFINITY;
  return parsed(
    `a duration from ${minimum} to ${maximum}, such as 1500ms or 30s, or a bare number of ${bareUnit}`,
    (given) => within(read(given), lowest, highest),
  );
}

export function url(...schemes: string[]) {
  const expected = `a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`;
  return parsed(expected, (given) =>
    schemes.some((scheme) => given.startsWith(`${scheme}://`) && hasHost(scheme, given))
      ? given.replace(/\/+$/, '')
      : undefined,
  );
}

/** MongoDB connection strings may name several hosts, so standard URL parsers reject them. */
function hasHost(scheme: string, given: string): boolean {
  if (scheme === 'http' || scheme === 'https')
    return /^\w+:\/\/[^\s/]\S*$/.test(given) && URL.canParse(given);
  return /^[^\s/?#]+(?:[/?]\S*)?$/.test(given.slice(scheme.length + 3));
}

/** The location of a file: a path or an https URL. Plain http is only for this machine. */
export const fileOrUrl = parsed(
  'a path, or a URL that begins with https:// (http:// only for this machine)',
  (given) => {
    if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(given)) return given;
    if (!URL.canParse(given)) return undefined;
    const { protocol, hostname } = new URL(given);
    const isLocal = hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
    return protocol === 'https:' || (protocol === 'http:' && isLocal) ? given : undefined;
  },
);

/** A schema that reads text with `parse`, and reports `expected` if that returns undefined. */
function parsed<Value>(expected: string, parse: (given: string) => Value | undefined) {
  return z.string().transform((given, context): Value => {
    const value = parse(given);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

function listOf<Value>(given: string, parse: (item: string) => Value | undefined): Value[] | undefined {
  const items = given.split(',').map((item) => parse(item.trim()));
  return items.every((item) => item !== undefined) ? items : undefined;
}

function find<Choice extends string>(choices: readonly Choice[], given: string): Choice | undefined {
  return choices.find((choice) => choice.toLowerCase() === given.toLowerCase());
}

function within(value: number | undefined, minimum: number, maximum: number): number | undefined {
  return value !== undefined && value >= minimum && value <= maximum ? value : undefined;
}

function milliseconds(given: string, bareUnit: DurationUnit): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(given);
  if (!match) return undefined;
  return Math.round(Number(match[1]) * MS_PER_UNIT[(match[2] as DurationUnit | undefined) ?? bareUnit]);
}

function tenantWeight(item: string): [string, number] | undefined {
  const [tenantId = '', weight = '', ...rest] = item.split('=').map((part) => part.trim());
  if (tenantId === '' || !/^[1-9]\d{0,3}$/.test(weight) || rest.length > 0) return undefined;
  return [tenantId, Number(weight)];
}

function requestTopic(item: string): RequestTopic | undefined {
  const [topic = '', tenantId, ...rest] = item.split('=').map((part) => part.trim());
  if (!TOPIC_NAME.test(topic) || tenantId === '' || rest.length > 0) return undefined;
  return { topic, tenantId: tenantId ?? null };
}

function headerPair(item: string): [string, string] | undefined {
  const end = item.indexOf('=');
  const name = item.slice(0, Math.max(0, end)).trim();
  const value = percentDecoded(item.slice(end + 1).trim());
  const isUsable = HEADER_NAME.test(name) && !OWN_HEADERS.has(name.toLowerCase());
  return isUsable && value !== undefined && HEADER_VALUE.test(value) ? [name, value] : undefined;
}

function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
