import kafkajs from 'kafkajs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  createKafka,
  NO_RETRIES,
  PATIENT_RETRIES,
} from '../../../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { loadConfig } from '../../../../src/config/load-config.ts';
import { createLogger } from '../../../../src/runtime/logger.ts';

const logger = createLogger({ level: 'silent' });

/** The kafkajs configuration for an environment. */
function configured(env: Record<string, string>, retry = NO_RETRIES) {
  const constructed = vi.spyOn(kafkajs, 'Kafka');
  createKafka(loadConfig(env, { readFile: () => '' }).kafka, logger, retry);
  return constructed.mock.calls[0]?.[0];
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('createKafka', () => {
  it('uses no TLS by default, with the configured retries', () => {
    const config = configured({ KAFKA_BROKERS: 'a:1,b:2', KAFKA_CLIENT_ID: 'me' }, PATIENT_RETRIES);
    expect(config).toMatchObject({
      clientId: 'me',
      brokers: ['a:1', 'b:2'],
      requestTimeout: 10_000,
      enforceRequestTimeout: true,
      retry: PATIENT_RETRIES,
    });
    expect(config).not.toHaveProperty('ssl');
    expect(config).not.toHaveProperty('sasl');
  });

  it('uses TLS with the system’s authorities, or with the configured ones', () => {
    expect(configured({ KAFKA_SSL: 'true' })?.ssl).toEqual({});
    vi.restoreAllMocks();
    const given = { KAFKA_SSL_CA: 'authority', KAFKA_SSL_CERT: 'certificate', KAFKA_SSL_KEY: 'key' };
    expect(configured({ KAFKA_SSL: 'true', ...given })?.ssl).toEqual({
      ca: ['authority'],
      cert: 'certificate',
      key: 'key',
    });
  });

  it('authenticates when a mechanism is configured', () => {
    const env = {
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'me',
      KAFKA_SASL_PASSWORD: 'secret',
    };
    expect(configured(env)?.sasl).toEqual({ mechanism: 'scram-sha-512', username: 'me', password: 'secret' });
  });
});
