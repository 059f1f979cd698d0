import { VARIABLE_NAMES } from '../../src/config/environment.ts';
import type { StackAddresses } from '../stack/stack.ts';

/** Topics, group and database of the quickstart, apart from those that the service uses by default. */
export const NAME = 'quickstart';

type Environment = Record<string, string | undefined>;

/** Whether the answers come from the real API. */
export function hasApiKey(env: Environment): boolean {
  return Boolean(env['AI_OPENAI_API_KEY'] || env['AI_OPENAI_API_KEY_FILE']);
}

/** Whether the user has said where spans are to go. */
export function hasTraceBackend(env: Environment): boolean {
  return Boolean(
    env['OTEL_EXPORTER_OTLP_ENDPOINT'] ||
      env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ||
      env['OTEL_TRACES_EXPORTER'],
  );
}

/** Spans to a receiver of our own: as JSON, soon, and without metrics. */
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
 * The environment of the service. What the shell has set for another deployment stays out of it, but for the provider's
 * settings when a key is set.
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
    // A worker that was killed in an earlier run is given up soon.
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
