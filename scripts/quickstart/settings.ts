import { VARIABLE_NAMES } from '../../src/config/environment.ts';
import type { StackAddresses } from '../stack/stack.ts';

/** Name of the quickstart's topics, group and database, which differ from the service's defaults. */
export const NAME = 'quickstart';

type Environment = Record<string, string | undefined>;

/** Whether the answers come from the real API. */
export function hasApiKey(env: Environment): boolean {
  return Boolean(env['AI_OPENAI_API_KEY'] || env['AI_OPENAI_API_KEY_FILE']);
}

/** Whether the user has configured a trace backend. */
export function hasTraceBackend(env: Environment): boolean {
  return Boolean(
    env['OTEL_EXPORTER_OTLP_ENDPOINT'] ||
      env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ||
      env['OTEL_TRACES_EXPORTER'],
  );
}

/** Exports spans to the quickstart's receiver: as JSON, with a short delay, and without metrics. */
export function traceSettings(receiverUrl: string): Record<string, string> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiverUrl,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'none',
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_BSP_SCHEDULE_DELAY: '100',
  };
}

/**
 * The environment of the service. It drops the shell's settings for other deployments. If an API key is set, it keeps
 * the provider's settings.
 */
export function serviceEnvironment(
  env: Environment,
  stack: StackAddresses,
  standInUrl: string | null,
): Record<string, string | undefined> {
  const kept = { ...env };
  for (const name of VARIABLE_NAMES) {
    if (standInUrl === null && name.startsWith('AI_')) continue;
    delete kept[name];
    delete kept[`${name}_FILE`];
  }
  return {
    ...kept,
    NODE_ENV: 'production',
    KAFKA_BROKERS: stack.kafkaBrokers.join(','),
    KAFKA_GROUP_ID: NAME,
    // Kafka drops a worker killed in an earlier run after a short time.
    KAFKA_SESSION_TIMEOUT: '6s',
    CHAT_TOPIC_PREFIX: NAME,
    MONGODB_URL: stack.mongodbUrl,
    MONGODB_DATABASE: NAME,
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: '0',
    DRAIN_TIMEOUT: '2s',
    LOG_LEVEL: 'info',
    ...(standInUrl !== null && { AI_OPENAI_API_KEY: 'sk-stand-in', AI_OPENAI_BASE_URL: standInUrl }),
  };
}
