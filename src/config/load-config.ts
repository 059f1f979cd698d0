import { topicNames } from '../contract/topics.ts';
import { conflicts } from './conflicts.ts';
import {
  describeVariable,
  environment,
  type Role,
  VARIABLE_NAMES,
  type Values,
  type VariableName,
} from './environment.ts';
import type { RequestTopic } from './values.ts';

/** The environment as `process.env` has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface LoadOptions {
  /** Reads the file that a `<NAME>_FILE` variable names. */
  readonly readFile: (path: string) => string;
  /** Whether it is for `serve`, which needs more variables than the other commands. Default: false. */
  readonly serve?: boolean;
}

/** The service's configuration. All durations are milliseconds; what is not set is null. */
export type Config = ReturnType<typeof nest>;

/** One problem of the configuration. */
export interface ConfigurationProblem {
  readonly name: string;
  /** Never a secret. */
  readonly given: string | null;
  readonly expected: string;
}

/** The configuration is invalid. Its message lists every problem with the expected value. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly problems: readonly ConfigurationProblem[];

  constructor(problems: readonly ConfigurationProblem[]) {
    const lines = problems.map(
      ({ name, given, expected }) => `  ${name}: ${given ?? 'not set'}; expected ${expected}`,
    );
    super(
      `The configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n` +
        `${lines.join('\n')}\nAll variables are described in docs/configuration.md.`,
    );
    this.problems = problems;
  }
}

/**
 * Reads and checks the whole configuration. An empty variable counts as not set.
 *
 * @throws ConfigurationError with all problems at once
 */
export function loadConfig(env: Environment, options: LoadOptions): Config {
  // 1. Read the given values, secrets from their files too.
  const problems: ConfigurationProblem[] = [];
  const given: Partial<Record<VariableName, string>> = {};
  for (const name of VARIABLE_NAMES) {
    const value = givenValue(name, env, options.readFile, problems);
    if (value !== undefined) given[name] = value;
  }

  // 2. Read each alone, so that one bad variable hides no other.
  for (const issue of environment.safeParse(given).error?.issues ?? []) {
    const name = issue.path[0] as VariableName;
    problems.push({ name, given: shown(name, given[name]), expected: issue.message });
    delete given[name];
  }

  // 3. Check variables that depend on each other, unless one of them is invalid.
  const values = environment.parse(given);
  const unread = new Set(problems.map(({ name }) => name.replace(/_FILE$/, '')));
  for (const conflict of conflicts(values, options.serve ?? false)) {
    if (conflict.names.some((name) => unread.has(name))) continue;
    const [name] = conflict.names;
    problems.push({ name, given: shown(name, given[name]), expected: conflict.expected });
  }

  if (problems.length > 0) throw new ConfigurationError(problems);
  return nest(values);
}

function givenValue(
  name: VariableName,
  env: Environment,
  readFile: LoadOptions['readFile'],
  problems: ConfigurationProblem[],
): string | undefined {
  const value = env[name]?.trim() || undefined;
  const path = env[`${name}_FILE`]?.trim();
  if (!path || !describeVariable(name).fromFile) return value;
  const report = (expected: string) => problems.push({ name: `${name}_FILE`, given: `'${path}'`, expected });
  if (value !== undefined) {
    report(`only one of ${name} and ${name}_FILE`);
    return value;
  }
  try {
    const content = readFile(path).trim();
    if (content === '') report('a file that is not empty');
    return content || undefined;
  } catch (cause) {
    report(`a file that can be read (${cause instanceof Error ? cause.message : String(cause)})`);
    return undefined;
  }
}

/** The printable form of a value: nothing of a secret, no password of a URL. */
function shown(name: VariableName, value: string | undefined): string | null {
  if (value === undefined) return null;
  if (describeVariable(name).secret) return 'set to a value that is not shown';
  return `'${value.replace(/\/\/[^/@\s]*@/g, '//***@')}'`;
}

/** For answers that begin late, or come in one piece. */
const LONG_WAIT_MS = 600_000;

/** Parameters that the specification sends by default. */
const SPECIFIED = { temperature: 0.7, maxOutputTokens: 4_000 };

/** @returns null when nothing is to be sent */
function defaultOf(chosen: number | 'none' | undefined, specified: number) {
  if (chosen === 'none') return null;
  return { value: chosen ?? specified, isConfigured: chosen !== undefined };
}

function nest(values: Values) {
  const longWait = Math.min(LONG_WAIT_MS, values.CHAT_REQUEST_TIMEOUT);
  const topics = topicNames(values.CHAT_TOPIC_PREFIX);
  return {
    roles: values.ROLES as readonly Role[],
    logLevel: values.LOG_LEVEL,
    http: { host: values.HTTP_HOST, port: values.HTTP_PORT, stuckAfterMs: values.LIVEZ_STUCK_AFTER },
    drainTimeoutMs: values.DRAIN_TIMEOUT,
    kafka: {
      brokers: values.KAFKA_BROKERS,
      clientId: values.KAFKA_CLIENT_ID,
      groupId: values.KAFKA_GROUP_ID,
      recordMaxBytes: values.RECORD_MAX_BYTES,
      ssl: values.KAFKA_SSL
        ? {
            ca: values.KAFKA_SSL_CA ?? null,
            cert: values.KAFKA_SSL_CERT ?? null,
            key: values.KAFKA_SSL_KEY ?? null,
          }
        : null,
      sasl: values.KAFKA_SASL_MECHANISM
        ? {
            mechanism: values.KAFKA_SASL_MECHANISM,
            username: values.KAFKA_SASL_USERNAME ?? '',
            password: values.KAFKA_SASL_PASSWORD ?? '',
          }
        : null,
      sessionTimeoutMs: values.KAFKA_SESSION_TIMEOUT,
      transactionTimeoutMs: values.KAFKA_TRANSACTION_TIMEOUT,
      requestTimeoutMs: values.KAFKA_REQUEST_TIMEOUT,
    },
    topics: {
      prefix: values.CHAT_TOPIC_PREFIX,
      requests: (values.CHAT_REQUEST_TOPICS ?? [
        { topic: topics.requests, tenantId: null },
      ]) as readonly RequestTopic[],
      replies: (values.CHAT_REPLY_TOPICS === 'none'
        ? []
        : (values.CHAT_REPLY_TOPICS ?? [topics.replies])) as readonly string[],
      partitions: values.CHAT_TOPIC_PARTITIONS,
      replication: values.CHAT_TOPIC_REPLICATION,
    },
    schemaRegistryUrl: values.SCHEMA_REGISTRY_URL ?? null,
    limits: {
      requestTimeoutMs: values.CHAT_REQUEST_TIMEOUT,
      recordMaxBytes: values.RECORD_MAX_BYTES,
      maxInFlight: values.MAX_IN_FLIGHT,
      maxInFlightBytes: values.MAX_IN_FLIGHT_BYTES,
      tenantWeights: values.TENANT_WEIGHTS ?? new Map<string, number>(),
    },
    mongo: { url: values.MONGODB_URL, database: values.MONGODB_DATABASE },
    ledger: { ttlMs: values.LEDGER_TTL, leaseMs: values.LEASE_MS },
    spend: { groupId: values.SPEND_GROUP_ID ?? `${values.KAFKA_GROUP_ID}-spend` },
    budgets: {
      whenLedgerIsDown: values.BUDGET_WHEN_LEDGER_IS_DOWN,
      ledgerMaxAgeMs: values.BUDGET_LEDGER_MAX_AGE,
    },
    catalog: {
      refreshMs: values.CATALOG_REFRESH,
      syncIntervalMs: values.CATALOG_SYNC_INTERVAL,
      priceSource: values.PRICE_SOURCE ?? null,
    },
    openai: {
      apiKey: values.AI_OPENAI_API_KEY ?? null,
      adminKey: values.AI_OPENAI_ADMIN_KEY ?? null,
      organization: values.AI_OPENAI_ORGANIZATION ?? null,
      project: values.AI_OPENAI_PROJECT ?? null,
      baseUrl: values.AI_OPENAI_BASE_URL,
      headers: values.AI_OPENAI_HEADERS ?? {},
      query: values.AI_OPENAI_QUERY ?? {},
      proxy:
        values.HTTPS_PROXY === undefined
          ? null
          : { url: values.HTTPS_PROXY, except: values.NO_PROXY ?? null },
      idleTimeoutMs: values.AI_OPENAI_TIMEOUT,
      firstTokenTimeoutMs: values.AI_OPENAI_FIRST_TOKEN_TIMEOUT,
      slowFirstTokenTimeoutMs: values.AI_OPENAI_SLOW_FIRST_TOKEN_TIMEOUT ?? longWait,
      unstreamedTimeoutMs: values.AI_OPENAI_UNSTREAMED_TIMEOUT ?? longWait,
      streamOptions: values.AI_OPENAI_STREAM_OPTIONS,
      retryAttempts: values.AI_OPENAI_RETRY_ATTEMPTS,
      retryDelayMs: values.AI_OPENAI_RETRY_DELAY,
      restartOnBreak: values.AI_OPENAI_RESTART_ON_BREAK,
      outage: values.AI_OPENAI_OUTAGE,
    },
    defaults: {
      refuseOverflow: values.AI_REFUSE_OVERFLOW,
      model: values.AI_DEFAULT_MODEL,
      maxOutputTokens: defaultOf(values.AI_DEFAULT_MAX_TOKENS, SPECIFIED.maxOutputTokens),
      temperature: defaultOf(values.AI_DEFAULT_TEMPERATURE, SPECIFIED.temperature),
    },
  };
}
