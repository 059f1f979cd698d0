import kafkajs from 'kafkajs';
import { MongoNetworkError, MongoServerError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { describeFailure } from '../../../src/cli/describe-failure.ts';

const refused = new kafkajs.KafkaJSConnectionError('Connection error: connect ECONNREFUSED 127.0.0.1:1', {});

describe('describeFailure', () => {
  it('names the broker and its setting when none answers, however deep that is wrapped', () => {
    const wrapped = new kafkajs.KafkaJSNumberOfRetriesExceeded(refused, { retryCount: 10, retryTime: 3_000 });
    for (const error of [refused, wrapped]) {
      const text = describeFailure(error);
      expect(text).toContain('no Kafka broker could be reached');
      expect(text).toContain('ECONNREFUSED 127.0.0.1:1');
      expect(text).toContain('KAFKA_BROKERS');
      expect(text).not.toContain('\n');
    }
  });

  it('says what a broker refused, for each topic', () => {
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

  it('names the database and its setting when it does not answer, and otherwise what it said', () => {
    expect(describeFailure(new MongoNetworkError('connect ECONNREFUSED 127.0.0.1:1'))).toContain(
      'MONGODB_URL',
    );
    expect(describeFailure(new MongoServerError({ message: 'Authentication failed.' }))).toBe(
      'MongoDB: Authentication failed.',
    );
  });

  it('leaves our own messages as they are', () => {
    expect(describeFailure(new Error('these topics are missing'))).toBe('these topics are missing');
    expect(describeFailure('no error at all')).toBe('no error at all');
  });
});
