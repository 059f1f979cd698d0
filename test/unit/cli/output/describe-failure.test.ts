import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import kafkajs from 'kafkajs';
import { MongoInvalidArgumentError, MongoNetworkError, MongoParseError, MongoServerError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { describeFailure } from '../../../../src/cli/output/describe-failure.ts';
import { ChatFailure } from '../../../../src/domain/failures/chat-failure.ts';

const refused = new kafkajs.KafkaJSConnectionError('Connection error: connect ECONNREFUSED 127.0.0.1:1', {});

describe('describeFailure', () => {
  it('names the broker and its setting when none answers, however deeply the error is wrapped', () => {
    const wrapped = new kafkajs.KafkaJSNumberOfRetriesExceeded(refused, { retryCount: 10, retryTime: 3_000 });
    for (const error of [refused, wrapped]) {
      const text = describeFailure(error);
      expect(text).toContain('no Kafka broker could be reached');
      expect(text).toContain('ECONNREFUSED 127.0.0.1:1');
      expect(text).toContain('KAFKA_BROKERS');
      expect(text).not.toContain('\n');
    }
  });

  it('reports what a broker refused, for each topic', () => {
    const parts = [{ message: 'Replication factor is below 1 or larger than the number of brokers' }];
    const error = Object.assign(new Error('Topic creation errors'), {
      name: 'KafkaJSAggregateError',
      errors: parts,
    });
    expect(describeFailure(error)).toBe(`Kafka: Topic creation errors: ${parts[0]?.message}`);
    const sasl = Object.assign(new Error('SASL PLAIN authentication failed'), {
      name: 'KafkaJSSASLAuthenticationError',
    });
    expect(describeFailure(sasl)).toBe('Kafka: SASL PLAIN authentication failed');
  });

  it('names the database and its setting when it does not answer, and otherwise its error', () => {
    expect(describeFailure(new MongoNetworkError('connect ECONNREFUSED 127.0.0.1:1'))).toContain(
      'MONGODB_URL',
    );
    expect(describeFailure(new MongoServerError({ message: 'Authentication failed.' }))).toBe(
      'MongoDB: Authentication failed.',
    );
  });

  it('names the setting of a database that cannot be used', () => {
    const failed = Object.assign(new MongoServerError({ message: 'Authentication failed.' }), { code: 18 });
    expect(describeFailure(failed)).toMatch(/^MongoDB: Authentication failed\.; .*MONGODB_URL/);
    expect(describeFailure(new MongoParseError('Invalid connection string'))).toBe(
      'MONGODB_URL: Invalid connection string',
    );
    expect(describeFailure(new MongoInvalidArgumentError("Database name cannot have ' '"))).toMatch(
      /^MONGODB_DATABASE: /,
    );
  });

  it('names the setting of an address that the service cannot listen on', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const failure = (host: string, at: number) =>
      new Promise<string>((resolve) => {
        const server = createServer().on('error', (error) => resolve(describeFailure(error)));
        server.listen(at, host);
      });
    expect(await failure('127.0.0.1', port)).toMatch(
      new RegExp(`^HTTP_PORT: port ${port} of 127.0.0.1 is in use; .*HTTP_PORT`),
    );
    expect(await failure('192.0.2.1', 0)).toMatch(/^HTTP_HOST: 192.0.2.1 is not an address of this machine/);
    expect(await failure('no-such-host.invalid', 0)).toMatch(
      /^HTTP_HOST: no-such-host.invalid is not an address/,
    );
    const refused = Object.assign(new Error('listen EACCES'), {
      code: 'EACCES',
      syscall: 'listen',
      port: 80,
    });
    expect(describeFailure(refused)).toMatch(/^HTTP_PORT: this user may not listen on port 80/);
    taken.close();
  });

  it('repeats the words of a provider that refused a command, fit for a terminal', () => {
    const failure = new ChatFailure('invalid_credentials', 'It refused the call.', false, {
      providerMessage: 'Incorrect API key\u001b[2J',
    });
    expect(describeFailure(failure)).toBe(
      'It refused the call. The provider says: Incorrect API key\\x1b[2J',
    );
  });

  it('does not change the service’s own messages', () => {
    expect(describeFailure(new Error('these topics are missing'))).toBe('these topics are missing');
    expect(describeFailure('no error at all')).toBe('no error at all');
  });
});
