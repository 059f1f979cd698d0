import { describe, expect, it } from 'vitest';
import { ineffectiveVariables } from '../../../../src/cli/options/unknown-variables.ts';
import { VARIABLE_NAMES } from '../../../../src/config/environment.ts';

const messages = (env: Record<string, string>) => ineffectiveVariables(env).map(({ message }) => message);

describe('variables without an effect', () => {
  it.each([
    ['KAFKA_BROKER', 'KAFKA_BROKERS'],
    ['KAFKA_BOOTSTRAP_SERVERS', null],
    ['AI_OPENAI_KEY', 'AI_OPENAI_API_KEY'],
    ['OPENAI_API_KEY', 'AI_OPENAI_API_KEY'],
    ['OPENAI_BASE_URL', 'AI_OPENAI_BASE_URL'],
    ['AI_OPENAI_BASEURL', 'AI_OPENAI_BASE_URL'],
    ['CHAT_TOPIC_REPLICATIONS', 'CHAT_TOPIC_REPLICATION'],
    ['MONGODB_URI', 'MONGODB_URL'],
    ['MONGO_URL', 'MONGODB_URL'],
    ['LEDGER_TTL_MS', 'LEDGER_TTL'],
    ['MAX_INFLIGHT', 'MAX_IN_FLIGHT'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['HTTP_PROT', 'HTTP_PORT'],
    ['DRAIN_TIMEOUT_MS', 'DRAIN_TIMEOUT'],
  ])('%s is a warning that names %s', (name, nearest) => {
    const hint = nearest === null ? 'docs/configuration.md has all variables' : `did you mean ${nearest}?`;
    expect(ineffectiveVariables({ [name]: 'secret' })).toEqual([
      { name, message: `${name} is not a variable of this service and has no effect; ${hint}` },
    ]);
  });

  it.each(['SCHEMA_REGISTRY_URL'])('%s is a warning while it is not supported', (name) => {
    expect(messages({ [name]: 'http://registry:8081' })).toEqual([
      `${name} is not supported yet and has no effect`,
    ]);
  });

  it('a file for a variable that cannot come from one is a warning', () => {
    expect(messages({ KAFKA_BROKERS_FILE: '/x', AI_OPENAI_API_KEY_FILE: '/y' })).toEqual([
      'KAFKA_BROKERS_FILE is not read: KAFKA_BROKERS cannot come from a file',
    ]);
  });

  it('a variable of other software is not', () => {
    const others = [
      'PATH',
      'HTTP_PROXY',
      'HTTPS_PROXY',
      'MAX_MEMORY',
      'LOG_FORMAT',
      'OTEL_SERVICE_NAME',
      'KAFKA_SERVICE_HOST',
      'KAFKA_SERVICE_PORT_CLIENT',
      'KAFKA_PORT',
      'KAFKA_PORT_9092_TCP_ADDR',
      'MONGODB_PORT_27017_TCP',
      'ROLE',
    ];
    expect(messages(Object.fromEntries(others.map((name) => [name, 'x'])))).toEqual([]);
  });

  it('neither is a variable that the service reads, nor an empty one', () => {
    const known = VARIABLE_NAMES.filter((name) => name !== 'SCHEMA_REGISTRY_URL');
    expect(messages(Object.fromEntries(known.map((name) => [name, 'x'])))).toEqual([]);
    expect(messages({ KAFKA_BROKER: ' ', SCHEMA_REGISTRY_URL: '' })).toEqual([]);
  });

  it('are at most twenty, each with a bounded name', () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`KAFKA_X${index}`, 'x']));
    expect(messages(many)).toHaveLength(20);
    expect(messages({ [`AI_${'X'.repeat(100_000)}`]: 'x' })).toEqual([]);
  });
});
