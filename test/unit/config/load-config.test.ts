import { describe, expect, it } from 'vitest';
import { ConfigurationError, type Environment, loadConfig } from '../../../src/config/load-config.ts';

const readFile = (path: string): string => {
  throw new Error(`ENOENT: no such file or directory, open '${path}'`);
};

function load(env: Environment, serve = false) {
  return loadConfig(env, { readFile, serve });
}

function problemsOf(
  env: Environment,
  options: { serve?: boolean; readFile?: (path: string) => string } = {},
) {
  try {
    loadConfig(env, { readFile, ...options });
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  throw new Error('The configuration was accepted.');
}

describe('loadConfig', () => {
  it('works with an empty environment on a local broker and database', () => {
    const config = load({});
    expect(config.kafka.brokers).toEqual(['127.0.0.1:9092']);
    expect(config.kafka.groupId).toBe('completion-bus');
    expect(config.kafka).toMatchObject({ ssl: null, sasl: null });
    expect(config.mongo.url).toBe('mongodb://127.0.0.1:27017/?replicaSet=rs0');
    expect(config.roles).toEqual(['worker', 'catalog', 'ledger']);
    expect(config.topics.requests).toEqual([{ topic: 'chat.requests', tenantId: null }]);
    expect(config.openai).toEqual({
      apiKey: null,
      adminKey: null,
      organization: null,
      project: null,
      outage: 'wait',
      baseUrl: 'https://api.openai.com/v1',
      headers: {},
      query: {},
      proxy: null,
      idleTimeoutMs: 30_000,
      firstTokenTimeoutMs: 120_000,
      slowFirstTokenTimeoutMs: 600_000,
      unstreamedTimeoutMs: 600_000,
      streamOptions: true,
      retryAttempts: 3,
      retryDelayMs: 1000,
      restartOnBreak: true,
    });
    expect(config.defaults).toEqual({
      refuseOverflow: false,
      model: 'gpt-5.4-mini',
      maxOutputTokens: { value: 4000, isConfigured: false },
      temperature: { value: 0.7, isConfigured: false },
    });
  });

  it('reads further headers, query parameters and a proxy', () => {
    const { openai } = load({
      AI_OPENAI_HEADERS: 'api-key=secret%2Cpart, X-Team = blue=1',
      AI_OPENAI_QUERY: 'api-version=2024-10-21&tier=a%20b',
      HTTPS_PROXY: 'http://user:word@proxy.internal:3128',
      NO_PROXY: 'localhost,.internal',
    });
    expect(openai).toMatchObject({
      headers: { 'api-key': 'secret,part', 'X-Team': 'blue=1' },
      query: { 'api-version': '2024-10-21', tier: 'a b' },
      proxy: { url: 'http://user:word@proxy.internal:3128', except: 'localhost,.internal' },
    });
  });

  it.each(['api-key', 'Host=x', 'content-length=5', 'a=1,A=2', 'na me=x', 'x=%0d%0aevil=1', 'x=%zz'])(
    'refuses the headers %s without showing them',
    (given) => {
      const { problems, message } = problemsOf({ AI_OPENAI_HEADERS: given });
      expect(problems).toMatchObject([{ name: 'AI_OPENAI_HEADERS' }]);
      expect(message).not.toContain(`'${given}'`);
    },
  );

  it('records which defaults the operator chose, and allows none', () => {
    expect(load({ AI_DEFAULT_TEMPERATURE: '0.7', AI_DEFAULT_MAX_TOKENS: '4000' }).defaults).toMatchObject({
      maxOutputTokens: { value: 4000, isConfigured: true },
      temperature: { value: 0.7, isConfigured: true },
    });
    expect(load({ AI_DEFAULT_TEMPERATURE: 'none', AI_DEFAULT_MAX_TOKENS: 'None' }).defaults).toMatchObject({
      maxOutputTokens: null,
      temperature: null,
    });
  });

  it.each([
    ['45', 45_000],
    ['45s', 45_000],
    ['1500ms', 1500],
    ['1.5m', 90_000],
    ['5 m', 300_000],
  ])('reads AI_OPENAI_TIMEOUT=%s as %d ms: a bare number is seconds', (given, expected) => {
    expect(load({ AI_OPENAI_TIMEOUT: given }).openai.idleTimeoutMs).toBe(expected);
  });

  it('reads a bare AI_OPENAI_RETRY_DELAY and LEASE_MS as milliseconds', () => {
    const config = load({ AI_OPENAI_RETRY_DELAY: '250', LEASE_MS: '5000' });
    expect(config.openai.retryDelayMs).toBe(250);
    expect(config.ledger.leaseMs).toBe(5000);
  });

  it('reads hours and days', () => {
    expect(load({ LEDGER_TTL: '2d' }).ledger.ttlMs).toBe(172_800_000);
    expect(load({ LEDGER_TTL: '36h' }).ledger.ttlMs).toBe(129_600_000);
  });

  it('binds request topics to tenants', () => {
    expect(load({ CHAT_REQUEST_TOPICS: 'chat.requests, chat.requests.acme=acme' }).topics.requests).toEqual([
      { topic: 'chat.requests', tenantId: null },
      { topic: 'chat.requests.acme', tenantId: 'acme' },
    ]);
  });

  it('allows replies in one topic, in those that are named, or in none', () => {
    expect(load({}).topics.replies).toEqual(['chat.replies']);
    expect(load({ CHAT_TOPIC_PREFIX: 'llm' }).topics.replies).toEqual(['llm.replies']);
    expect(load({ CHAT_REPLY_TOPICS: 'chat.replies, my.replies' }).topics.replies).toEqual([
      'chat.replies',
      'my.replies',
    ]);
    expect(load({ CHAT_REPLY_TOPICS: 'none' }).topics.replies).toEqual([]);
  });

  it('reads the weights of tenants, and has none by default', () => {
    const weights = load({ TENANT_WEIGHTS: 'acme=3, search = 2' }).limits.tenantWeights;
    expect([...weights]).toEqual([
      ['acme', 3],
      ['search', 2],
    ]);
    expect(load({}).limits.tenantWeights.size).toBe(0);
  });

  it('names the default request topic after the prefix', () => {
    expect(load({ CHAT_TOPIC_PREFIX: 'test-7' }).topics.requests).toEqual([
      { topic: 'test-7.requests', tenantId: null },
    ]);
  });

  it('reads lists in any case and spacing, each item once', () => {
    const config = load({
      ROLES: 'Worker, ledger,worker',
      KAFKA_BROKERS: 'a:1, [::1]:2',
      LOG_LEVEL: 'DEBUG',
    });
    expect(config.roles).toEqual(['worker', 'ledger']);
    expect(config.kafka.brokers).toEqual(['a:1', '[::1]:2']);
    expect(config.logLevel).toBe('debug');
  });

  it('treats an empty variable as unset, as Compose and Helm write it', () => {
    expect(load({ KAFKA_BROKERS: '', SCHEMA_REGISTRY_URL: ' ' })).toMatchObject({
      kafka: { brokers: ['127.0.0.1:9092'] },
      schemaRegistryUrl: null,
    });
  });

  it('drops the slash at the end of a URL', () => {
    expect(load({ AI_OPENAI_BASE_URL: 'http://127.0.0.1:4010/v1/' }).openai.baseUrl).toBe(
      'http://127.0.0.1:4010/v1',
    );
  });

  it.each([
    ['AI_OPENAI_BASE_URL', 'https://'],
    ['AI_OPENAI_BASE_URL', 'https:///v1'],
    ['AI_OPENAI_BASE_URL', 'https://api openai.com/v1'],
    ['AI_OPENAI_BASE_URL', 'http://host:99999/v1'],
    ['AI_OPENAI_BASE_URL', 'api.openai.com/v1'],
    ['MONGODB_URL', 'mongodb://'],
    ['MONGODB_URL', 'mongodb:///db'],
    ['MONGODB_URL', 'mongodb://host a'],
    ['KAFKA_BROKERS', 'kafka'],
    ['KAFKA_BROKERS', 'kafka://a:9092'],
    ['KAFKA_BROKERS', 'a:0'],
    ['KAFKA_BROKERS', 'a:9092,b:65536'],
  ])('names %s when it is %s', (name, value) => {
    expect(() => load({ [name]: value })).toThrow(new RegExp(`^  ${name}: `, 'm'));
  });

  it('accepts connection strings with several hosts, a login and options', () => {
    const MONGODB_URL = 'mongodb://u:p%40s@a:27017,b:27018/admin?replicaSet=rs0&tls=true';
    expect(load({ MONGODB_URL }).mongo.url).toBe(MONGODB_URL);
    expect(load({ MONGODB_URL: 'mongodb+srv://u:p@cluster.example.net' }).mongo.url).toContain('cluster');
    expect(load({ AI_OPENAI_BASE_URL: 'http://[::1]:4010/v1' }).openai.baseUrl).toBe('http://[::1]:4010/v1');
  });

  it('reads a secret and a certificate from the files that are named', () => {
    const files: Record<string, string> = { '/run/key': 'sk-from-file\n', '/run/ca.pem': 'PEM\n' };
    const config = loadConfig(
      { AI_OPENAI_API_KEY_FILE: '/run/key', KAFKA_SSL: 'true', KAFKA_SSL_CA_FILE: '/run/ca.pem' },
      { readFile: (path) => files[path] ?? '', serve: true },
    );
    expect(config.openai.apiKey).toBe('sk-from-file');
    expect(config.kafka.ssl).toEqual({ ca: 'PEM', cert: null, key: null });
  });

  it('does not read files for variables that are short and not secret', () => {
    expect(load({ LOG_LEVEL_FILE: '/run/level' }).logLevel).toBe('info');
  });

  it('reads the complete login and client certificate', () => {
    const config = load({
      KAFKA_SSL: 'TRUE',
      KAFKA_SSL_CERT: 'cert',
      KAFKA_SSL_KEY: 'key',
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_SASL_USERNAME: 'user',
      KAFKA_SASL_PASSWORD: 'password',
    });
    expect(config.kafka.ssl).toEqual({ ca: null, cert: 'cert', key: 'key' });
    expect(config.kafka.sasl).toEqual({ mechanism: 'scram-sha-512', username: 'user', password: 'password' });
  });

  it('reports every problem at once, with its name and the expected value', () => {
    const { problems, message } = problemsOf(
      { KAFKA_BROKERS: 'localhost', HTTP_PORT: '70000', KAFKA_REQUEST_TIMEOUT: '20s', ROLES: 'worker,chef' },
      { serve: true },
    );
    expect(problems.map(({ name, given }) => [name, given])).toEqual([
      ['ROLES', "'worker,chef'"],
      ['HTTP_PORT', "'70000'"],
      ['KAFKA_BROKERS', "'localhost'"],
      ['KAFKA_REQUEST_TIMEOUT', "'20s'"],
    ]);
    expect(message).toContain('The configuration has 4 problems:');
    expect(message).toContain("HTTP_PORT: '70000'; expected a whole number from 0 to 65535");
    expect(message).toContain('below KAFKA_TRANSACTION_TIMEOUT (15000 ms)');
    expect(message).toContain('docs/configuration.md');
  });

  it.each([
    ['KAFKA_SSL', 'maybe'],
    ['KAFKA_BROKERS', 'a:1,'],
    ['KAFKA_SESSION_TIMEOUT', '5s'],
    ['KAFKA_SESSION_TIMEOUT', 'soon'],
    ['KAFKA_SESSION_TIMEOUT', '2h'],
    ['CHAT_TOPIC_PREFIX', 'a b'],
    ['CHAT_TOPIC_PREFIX', 'x'.repeat(201)],
    ['CHAT_TOPIC_PREFIX', '..'],
    ['CHAT_REQUEST_TOPICS', 'a=b=c'],
    ['CHAT_REQUEST_TOPICS', 'a='],
    ['CHAT_REQUEST_TOPICS', 'a,a=b'],
    ['CHAT_REQUEST_TOPICS', '=b'],
    ['CHAT_REPLY_TOPICS', 'a b'],
    ['MAX_IN_FLIGHT', '0'],
    ['MAX_IN_FLIGHT', '1.5'],
    ['TENANT_WEIGHTS', 'acme'],
    ['TENANT_WEIGHTS', 'acme=0'],
    ['TENANT_WEIGHTS', 'acme=1.5'],
    ['TENANT_WEIGHTS', 'acme=10000'],
    ['TENANT_WEIGHTS', 'acme=2=3'],
    ['TENANT_WEIGHTS', '=2'],
    ['TENANT_WEIGHTS', 'acme=2,'],
    ['TENANT_WEIGHTS', 'acme=2,acme=3'],
    ['AI_DEFAULT_TEMPERATURE', '2.1'],
    ['AI_DEFAULT_TEMPERATURE', 'hot'],
    ['AI_OPENAI_QUERY', 'api-version'],
    ['AI_OPENAI_QUERY', '=x'],
    ['AI_DEFAULT_MAX_TOKENS', '0'],
    ['SCHEMA_REGISTRY_URL', 'registry:8081'],
    ['SCHEMA_REGISTRY_URL', 'http://'],
    ['LOG_LEVEL', 'loud'],
  ])('refuses %s=%s', (name, given) => {
    expect(problemsOf({ [name]: given }).problems).toMatchObject([{ name, given: `'${given}'` }]);
  });

  it('never shows a secret, nor the password inside a URL', () => {
    const { message } = problemsOf({
      MONGODB_URL: 'http://root:hunter2@db',
      SCHEMA_REGISTRY_URL: 'ftp://user:hunter3@registry',
    });
    expect(message).not.toMatch(/hunter/);
    expect(message).toContain('MONGODB_URL: set to a value that is not shown');
    expect(message).toContain("'ftp://***@registry'");
  });

  it('requires the API key only for serving with a role that calls the provider', () => {
    expect(load({}, false).openai.apiKey).toBeNull();
    expect(load({ ROLES: 'ledger' }, true).openai.apiKey).toBeNull();
    const { problems: ofCatalog } = problemsOf({ ROLES: 'ledger,catalog' }, { serve: true });
    expect(ofCatalog).toMatchObject([{ expected: 'an API key for the role catalog' }]);
    const { problems, message } = problemsOf({}, { serve: true });
    expect(problems).toMatchObject([{ name: 'AI_OPENAI_API_KEY', given: null }]);
    expect(message).toContain('The configuration has a problem:\n  AI_OPENAI_API_KEY: not set;');
  });

  it.each<[string, Environment, string]>([
    ['a certificate without TLS', { KAFKA_SSL_CA: 'PEM' }, 'KAFKA_SSL_CA'],
    ['a certificate without its key', { KAFKA_SSL: 'true', KAFKA_SSL_CERT: 'PEM' }, 'KAFKA_SSL_KEY'],
    [
      'a password without user name',
      { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_PASSWORD: 'p' },
      'KAFKA_SASL_USERNAME',
    ],
    ['an input topic that is an output', { CHAT_REQUEST_TOPICS: 'chat.responses' }, 'CHAT_REQUEST_TOPICS'],
    ['replies among the bills', { CHAT_REPLY_TOPICS: 'chat.replies,chat.costs' }, 'CHAT_REPLY_TOPICS'],
    ['replies among the requests', { CHAT_REPLY_TOPICS: 'chat.requests' }, 'CHAT_REPLY_TOPICS'],
    [
      'replies among requests of a tenant',
      { CHAT_REQUEST_TOPICS: 'acme', CHAT_REPLY_TOPICS: 'acme' },
      'CHAT_REPLY_TOPICS',
    ],
    ['a wait longer than the request', { CHAT_REQUEST_TIMEOUT: '1m' }, 'AI_OPENAI_FIRST_TOKEN_TIMEOUT'],
    [
      'a record that would never fit',
      { RECORD_MAX_BYTES: '2000000', MAX_IN_FLIGHT_BYTES: '1000000' },
      'RECORD_MAX_BYTES',
    ],
  ])('refuses %s', (_what, env, name) => {
    expect(problemsOf(env).problems.map((problem) => problem.name)).toEqual([name]);
  });

  it('names the missing mechanism of a login', () => {
    const { problems } = problemsOf({ KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' });
    expect(problems.map(({ name }) => name)).toEqual(['KAFKA_SASL_MECHANISM']);
  });

  it('does not report a variable for another that could not be read', () => {
    const env = {
      KAFKA_SASL_MECHANISM: 'magic',
      KAFKA_SASL_USERNAME: 'u',
      KAFKA_SASL_PASSWORD_FILE: '/missing',
    };
    expect(problemsOf(env).problems).toEqual([
      {
        name: 'KAFKA_SASL_PASSWORD_FILE',
        given: "'/missing'",
        expected: "a file that can be read (ENOENT: no such file or directory, open '/missing')",
      },
      {
        name: 'KAFKA_SASL_MECHANISM',
        given: "'magic'",
        expected: 'one of plain, scram-sha-256, scram-sha-512',
      },
    ]);
  });

  it('refuses a secret that is given twice, an empty file and a reader that throws a non-error', () => {
    const env = { AI_OPENAI_API_KEY_FILE: '/run/key' };
    const twice = problemsOf({ ...env, AI_OPENAI_API_KEY: 'sk' });
    expect(twice.message).toContain('only one of AI_OPENAI_API_KEY and AI_OPENAI_API_KEY_FILE');
    expect(problemsOf(env, { readFile: () => '\n' }).message).toContain('a file that is not empty');
    const odd = () => {
      throw 'odd';
    };
    expect(problemsOf(env, { readFile: odd }).message).toContain('a file that can be read (odd)');
  });
});
