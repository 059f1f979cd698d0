import { z } from 'zod';
import {
  brokers,
  decimalNumber,
  duration,
  fileOrUrl,
  flag,
  headerPairs,
  oneOf,
  orNone,
  queryPairs,
  requestTopics,
  someOf,
  tenantWeights,
  text,
  topicNamesList,
  topicPrefix,
  url,
  wholeNumber,
} from './values.ts';

const ROLES = ['worker', 'catalog', 'ledger'] as const;
export type Role = (typeof ROLES)[number];

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const LEDGER_DOWN_POLICIES = ['refuse', 'allow'] as const;
const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
const OUTAGE_POLICIES = ['wait', 'fail', 'ignore'] as const;

interface Description {
  readonly description: string;
  /** The unit of a bare number. */
  readonly unit?: string;
  /** Never printed; read from the file named by `<NAME>_FILE` too. */
  readonly secret?: boolean;
  /** Not secret, but long: read from the file named by `<NAME>_FILE` too. */
  readonly fromFile?: boolean;
  /** The behaviour without a value, if there is one. */
  readonly otherwise?: string;
}

/** Every environment variable of the service but the standard `OTEL_*`, which OpenTelemetry reads itself. */
/** The ledger keeps an outcome's response, event and bill in one document of MongoDB, which holds 16 MiB at most. */
const RECORD_MAX_BYTES_LIMIT = 5_000_000;

export const environment = z.object({
  ROLES: set('worker,catalog,ledger', someOf(ROLES), {
    description:
      'Roles of this process: `worker` answers requests, `catalog` keeps models and prices up to date, `ledger` adds up spending.',
  }),
  LOG_LEVEL: set('info', oneOf(LOG_LEVELS), { description: 'The least severe level that is logged.' }),
  HTTP_HOST: set('0.0.0.0', text, {
    description: 'Address of `/livez`, `/readyz` and `/metrics`.',
  }),
  HTTP_PORT: set('8080', wholeNumber(0, 65_535), {
    description: 'Port of `/livez`, `/readyz` and `/metrics`; 0 picks a free one.',
  }),
  LIVEZ_STUCK_AFTER: set('120s', duration('s', '10s', '24h'), {
    description:
      'Time without progress of outcomes, chunks or the writing thread after which `/livez` fails (10s to 24h).',
    unit: 's',
  }),
  DRAIN_TIMEOUT: set('30s', duration('s', '0s', '1h'), {
    description: 'Time that requests in flight have to finish after SIGTERM.',
    unit: 's',
  }),

  KAFKA_BROKERS: set('127.0.0.1:9092', brokers, { description: 'Brokers to connect to first.' }),
  KAFKA_CLIENT_ID: set('completion-bus', text, {
    description: 'Name of this client in the brokers’ logs and quotas.',
  }),
  KAFKA_GROUP_ID: set('completion-bus', text, {
    description: 'Consumer group of the workers; also the prefix of their transactional ids.',
  }),
  SPEND_GROUP_ID: optional(text, {
    description: 'Consumer group of the role `ledger`, which adds up the cost topic.',
    otherwise: '`<KAFKA_GROUP_ID>-spend`',
  }),
  KAFKA_SSL: set('false', flag, { description: 'Whether connections to the brokers use TLS.' }),
  KAFKA_SSL_CA: optional(text, {
    description: 'Certificate authority of the brokers (PEM).',
    fromFile: true,
    otherwise: 'the system’s',
  }),
  KAFKA_SSL_CERT: optional(text, { description: 'Client certificate (PEM).', fromFile: true }),
  KAFKA_SSL_KEY: optional(text, { description: 'Key of the client certificate (PEM).', secret: true }),
  KAFKA_SASL_MECHANISM: optional(oneOf(SASL_MECHANISMS), {
    description: 'SASL mechanism of the login to the brokers.',
  }),
  KAFKA_SASL_USERNAME: optional(text, { description: 'User name of the login.' }),
  KAFKA_SASL_PASSWORD: optional(text, { description: 'Password of the login.', secret: true }),
  KAFKA_SESSION_TIMEOUT: set('30s', duration('s', '6s', '30m'), {
    description: 'Silence of a worker after which the group reassigns its partitions.',
    unit: 's',
  }),
  KAFKA_TRANSACTION_TIMEOUT: set('15s', duration('s', '2s', '15m'), {
    description: 'Age at which the broker aborts a settle transaction.',
    unit: 's',
  }),
  KAFKA_REQUEST_TIMEOUT: set('10s', duration('s', '1s', '15m'), {
    description: 'Longest wait for a broker’s answer; below `KAFKA_TRANSACTION_TIMEOUT`.',
    unit: 's',
  }),

  CHAT_TOPIC_PREFIX: set('chat', topicPrefix, { description: 'Prefix of all topic names.' }),
  CHAT_REQUEST_TOPICS: optional(requestTopics, {
    description: 'Request topics. With `topic=tenant`, the topic’s requests belong to that tenant.',
    otherwise: '`<prefix>.requests`',
  }),
  CHAT_REPLY_TOPICS: optional(orNone(topicNamesList), {
    description:
      'Topics that requests may name for a copy of the response (header `reply-topic`); `none` allows no replies.',
    otherwise: '`<prefix>.replies`',
  }),
  CHAT_TOPIC_PARTITIONS: set('6', wholeNumber(1, 10_000), {
    description: 'Partitions of the request topics and the topics that mirror them, for `topics create`.',
  }),
  CHAT_TOPIC_REPLICATION: set('1', wholeNumber(1, 100), {
    description:
      'Replicas of every partition, for `topics create`. Set 3 if you have three brokers: outcomes need replicas.',
  }),
  CHAT_REQUEST_TIMEOUT: set('10m', duration('s', '1s', '24h'), {
    description:
      'Longest time for one request, with all its provider calls and the waits between them. Waits for limits and outages do not count.',
    unit: 's',
  }),
  SCHEMA_REGISTRY_URL: optional(url('http', 'https'), {
    description:
      'Not supported yet, no effect: a Confluent-compatible schema registry. Records use Avro single-object encoding.',
  }),
  RECORD_MAX_BYTES: set('900000', wholeNumber(10_000, RECORD_MAX_BYTES_LIMIT), {
    description: 'Largest record that the service reads or writes; below `max.message.bytes` of every topic.',
    unit: 'bytes',
  }),
  MAX_IN_FLIGHT: set('2000', wholeNumber(1, 100_000), {
    description:
      'Requests that a worker handles at once. It accepts half as many more, at least 100, then pauses partitions.',
  }),
  MAX_IN_FLIGHT_BYTES: set('268435456', wholeNumber(1_000_000, Number.MAX_SAFE_INTEGER), {
    description:
      'Memory for requests, answers and outcomes in flight. Near the limit, the worker pauses partitions, then starts no calls, then reads answers more slowly.',
    unit: 'bytes',
  }),

  TENANT_WEIGHTS: optional(tenantWeights, {
    description:
      'Requests of a tenant that begin or call the provider in each of its turns, while requests wait for slots or for the provider’s rate limit.',
    otherwise: '1 for every tenant',
  }),

  MONGODB_URL: set('mongodb://127.0.0.1:27017/?replicaSet=rs0', url('mongodb', 'mongodb+srv'), {
    description: 'Connection string of a replica set.',
    secret: true,
  }),
  MONGODB_DATABASE: set('completion_bus', text, {
    description: 'Database of the service’s collections.',
  }),
  LEDGER_TTL: set('14d', duration('s', '1h', '3650d'), {
    description:
      'Time that the ledger keeps an answered request; longer than the request topic keeps its records.',
    unit: 's',
  }),
  LEASE_MS: set('10000', duration('ms', '1s', '10m'), {
    description: 'Time without a renewed lease after which other workers take over a worker’s requests.',
    unit: 'ms',
  }),
  CATALOG_REFRESH: set('60s', duration('s', '1s', '24h'), {
    description: 'Interval between two reads of models and prices from the database.',
    unit: 's',
  }),
  CATALOG_SYNC_INTERVAL: set('6h', duration('s', '1s', '7d'), {
    description: 'Interval at which the role `catalog` lists the provider’s models and reads `PRICE_SOURCE`.',
    unit: 's',
  }),
  PRICE_SOURCE: optional(fileOrUrl, {
    description: 'File or https URL that the role `catalog` imports prices from, in our format or LiteLLM’s.',
    otherwise: 'the prices that ship with the service, for models that have none',
  }),
  BUDGET_WHEN_LEDGER_IS_DOWN: set('refuse', oneOf(LEDGER_DOWN_POLICIES), {
    description:
      'Handling of requests with a budget while the ledger is down: `refuse` them, or `allow` them by the last known spend.',
  }),
  BUDGET_LEDGER_MAX_AGE: set('60s', duration('s', '10s', '24h'), {
    description: 'Age of the last known spend above which the role `ledger` counts as down.',
    unit: 's',
  }),

  AI_OPENAI_API_KEY: optional(text, {
    description: 'API key; `serve` needs it for the roles `worker` and `catalog`.',
    secret: true,
  }),
  AI_OPENAI_ADMIN_KEY: optional(text, {
    description: 'Admin key of the organization; `costs reconcile` uses it to read the provider’s bill.',
    secret: true,
  }),
  AI_OPENAI_ORGANIZATION: optional(text, {
    description: 'Organization that is billed.',
    otherwise: 'the key’s',
  }),
  AI_OPENAI_PROJECT: optional(text, { description: 'Project that is billed.', otherwise: 'the key’s' }),
  AI_OPENAI_BASE_URL: set('https://api.openai.com/v1', url('http', 'https'), {
    description: 'Base URL of the API.',
  }),
  AI_OPENAI_HEADERS: optional(headerPairs, {
    description:
      'Additional headers of each call: `name=value`, separated by commas. In values, write a comma as `%2C` and a percent sign as `%25`.',
    secret: true,
  }),
  AI_OPENAI_QUERY: optional(queryPairs, {
    description: 'Query parameters added to each address, e.g. `api-version=2024-10-21`.',
  }),
  HTTPS_PROXY: optional(url('http', 'https'), {
    description: 'Proxy for https calls to the provider.',
    secret: true,
  }),
  NO_PROXY: optional(text, {
    description: 'Hosts that are called without `HTTPS_PROXY`, separated by commas.',
  }),
  AI_OPENAI_TIMEOUT: set('30s', duration('s', '1s', '1h'), {
    description: 'Longest silence between two pieces of an answer.',
    unit: 's',
  }),
  AI_OPENAI_FIRST_TOKEN_TIMEOUT: set('120s', duration('s', '1s', '1h'), {
    description: 'Longest wait for an answer’s first piece with content.',
    unit: 's',
  }),
  AI_OPENAI_SLOW_FIRST_TOKEN_TIMEOUT: optional(duration('s', '1s', '24h'), {
    description:
      'The same for answers that begin late: service tier `flex`, reasoning effort `high` and above, models called pro or deep-research.',
    unit: 's',
    otherwise: '10m, at most `CHAT_REQUEST_TIMEOUT`',
  }),
  AI_OPENAI_UNSTREAMED_TIMEOUT: optional(duration('s', '1s', '24h'), {
    description: 'Longest time for a whole answer that is not streamed.',
    unit: 's',
    otherwise: '10m, at most `CHAT_REQUEST_TIMEOUT`',
  }),
  AI_OPENAI_STREAM_OPTIONS: set('true', flag, {
    description:
      'Whether calls request usage with `stream_options`. If a server refuses it, calls omit it in any case.',
  }),
  AI_OPENAI_RETRY_ATTEMPTS: set('3', wholeNumber(0, 20), {
    description: 'Retries after a first call that failed with a retryable error.',
  }),
  AI_OPENAI_RETRY_DELAY: set('1000', duration('ms', '0ms', '10m'), {
    description:
      'Longest wait before the first retry; it doubles with each retry. The wait that the provider asks for is added, up to a minute.',
    unit: 'ms',
  }),
  AI_OPENAI_RESTART_ON_BREAK: set('true', flag, {
    description:
      'Whether an answer that broke after chunks were published is restarted, for requests without `restartOnBreak`.',
  }),
  AI_OPENAI_OUTAGE: set('wait', oneOf(OUTAGE_POLICIES), {
    description:
      'Handling of requests while the provider is down: `wait` for its return, at most until their deadline, `fail` at once, or `ignore` it and call.',
  }),
  AI_REFUSE_OVERFLOW: set('false', flag, {
    description:
      'Whether a prompt whose lowest estimate does not fit into the model’s context is refused before the call.',
  }),
  AI_DEFAULT_MODEL: set('gpt-5.4-mini', text, { description: 'Model of requests without a model.' }),
  AI_DEFAULT_MAX_TOKENS: optional(orNone(wholeNumber(1, 10_000_000)), {
    description:
      'Output limit of requests without one, clamped to what model and prompt leave; `none` sends no limit.',
    unit: 'tokens',
    otherwise: '4000 for known models that do not reason, else `none`',
  }),
  AI_DEFAULT_TEMPERATURE: optional(orNone(decimalNumber(0, 2)), {
    description:
      'Temperature of requests without one, omitted for models that refuse it; `none` sends no temperature.',
    otherwise: '0.7 for models that are known to take it, else `none`',
  }),
});

export type VariableName = keyof typeof environment.shape;
export type Values = z.infer<typeof environment>;

export const VARIABLE_NAMES = Object.keys(environment.shape) as VariableName[];

/** One row of the configuration's documentation. */
export interface VariableDescription {
  readonly name: VariableName;
  readonly description: string;
  /** The unit of a bare number; null if it has no unit. */
  readonly unit: string | null;
  /** The default as it would be written; null if there is no default. */
  readonly default: string | null;
  /** The behaviour without a value, in words, if there is no default to write. */
  readonly otherwise: string | null;
  readonly secret: boolean;
  /** Whether `<NAME>_FILE` may name a file that holds the value. */
  readonly fromFile: boolean;
}

/** Every variable with its description, unit and default, in the order of the documentation. */
export function describeConfig(): VariableDescription[] {
  return VARIABLE_NAMES.map(describeVariable);
}

/** The facts about one variable besides its schema. */
export function describeVariable(name: VariableName): VariableDescription {
  const schema = environment.shape[name];
  const { description, unit, secret, fromFile, otherwise } = schema.meta() as unknown as Description;
  return {
    name,
    description,
    unit: unit ?? null,
    default: schema instanceof z.ZodPrefault ? String(schema.def.defaultValue) : null,
    otherwise: otherwise ?? null,
    secret: secret ?? false,
    fromFile: secret ?? fromFile ?? false,
  };
}

function set<Value extends z.ZodType<unknown, string>>(fallback: string, value: Value, meta: Description) {
  return z.prefault(value, fallback as never).meta({ ...meta });
}

function optional<Value extends z.ZodType<unknown, string>>(value: Value, meta: Description) {
  return z.optional(value).meta({ ...meta });
}
