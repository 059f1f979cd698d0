import { describe, expect, it } from 'vitest';
import type { Broker } from '../../../src/adapters/kafka/kafkajs/broker.ts';
import type { BrokerConnections } from '../../../src/adapters/kafka/produce/broker-connections.ts';
import { LeaderRequests } from '../../../src/adapters/kafka/produce/leader-requests.ts';
import { PartitionWriter } from '../../../src/adapters/kafka/produce/partition-writer.ts';
import { classOfProduceError, produceErrorType } from '../../../src/adapters/kafka/produce/produce-errors.ts';
import { turn } from '../../support/fakes/turn.ts';

interface Asked {
  readonly node: number;
  answer(codes: Readonly<Record<number, number>>): void;
  fail(error: Error): void;
}

/** Brokers whose answers the test triggers. */
class FakeConnections {
  readonly asked: Asked[] = [];
  readonly dropped: number[] = [];

  async broker(node: number): Promise<Broker> {
    const send = () => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      this.asked.push({
        node,
        answer: (codes) =>
          resolve({
            topics: [
              {
                topicName: 't',
                partitions: Object.entries(codes).map(([partition, errorCode]) => ({
                  partition: Number(partition),
                  errorCode,
                })),
              },
            ],
          }),
        fail: reject,
      });
      return promise;
    };
    return { connectionPool: { send } } as unknown as Broker;
  }

  dropBroker(node: number): void {
    this.dropped.push(node);
  }
}

function bench() {
  const connections = new FakeConnections();
  const results: string[] = [];
  const leader = (node: number) =>
    new LeaderRequests(connections as unknown as BrokerConnections, node, 'main', 1_000, {
      answered: ({ partition }, code) => results.push(`${partition}: ${code}`),
      unencodable: ({ partition }) => results.push(`${partition}: unencodable`),
      lost: ({ partition }, error) => results.push(`${partition}: ${(error as Error).message}`),
    });
  const writer = (partition: number, headers = {}) => {
    const one = new PartitionWriter('t', partition);
    one.push(
      { topic: 't', partition, records: [{ topic: 't', key: 'k', value: null, headers }] },
      () => undefined,
    );
    return one;
  };
  return { connections, results, leader, writer };
}

describe('requests to the leaders', () => {
  it('are sent to each leader separately: one without an answer delays only its own partitions', async () => {
    const { connections, results, leader, writer } = bench();
    const [hung, good] = [leader(1), leader(2)];
    hung.push(writer(0));
    good.push(writer(1));
    await turn();
    connections.asked[1]?.answer({ 1: 0 });
    await turn();
    hung.push(writer(2));
    good.push(writer(3));
    await turn();
    connections.asked[2]?.answer({ 3: 0 });
    await turn();
    expect(results).toEqual(['1: 0', '3: 0']);
    expect(connections.asked.map(({ node }) => node)).toEqual([1, 2, 2]);
  });

  it('contain all partitions of a turn, and have an answer for each', async () => {
    const { connections, results, leader, writer } = bench();
    const one = leader(1);
    for (const partition of [0, 1, 2, 3]) one.push(writer(partition));
    await turn();
    expect(connections.asked).toHaveLength(1);
    connections.asked[0]?.answer({ 0: 0, 1: 10, 2: 6 });
    await turn();
    expect(results).toEqual(['0: 0', '1: 10', '2: 6', '3: null']);
  });

  it('are not affected by one that cannot be encoded', async () => {
    const { connections, results, leader, writer } = bench();
    const one = leader(1);
    one.push(writer(0, { odd: 7 }));
    one.push(writer(1));
    await turn();
    connections.asked[0]?.answer({ 1: 0 });
    await turn();
    expect(results).toEqual(['0: unencodable', '1: 0']);
  });

  it('drop the connection that got no answer', async () => {
    const { connections, results, leader, writer } = bench();
    const one = leader(1);
    one.push(writer(0));
    await turn();
    one.push(writer(1));
    connections.asked[0]?.fail(new Error('timed out'));
    await turn();
    connections.asked[1]?.answer({ 1: 0 });
    await turn();
    expect(results).toEqual(['0: timed out', '1: 0']);
    expect(connections.dropped).toEqual([1]);
  });
});

describe('an error of a partition', () => {
  it.each([
    [10, 'MESSAGE_TOO_LARGE', 'record'],
    [18, 'RECORD_LIST_TOO_LARGE', 'record'],
    [87, 'INVALID_RECORD', 'record'],
    [29, 'TOPIC_AUTHORIZATION_FAILED', 'topic'],
    [17, 'INVALID_TOPIC_EXCEPTION', 'topic'],
    [2, 'CORRUPT_MESSAGE', 'passes'],
    [32, 'INVALID_TIMESTAMP', 'passes'],
    [5, 'LEADER_NOT_AVAILABLE', 'passes'],
    [6, 'NOT_LEADER_FOR_PARTITION', 'passes'],
    [7, 'REQUEST_TIMED_OUT', 'passes'],
    [19, 'NOT_ENOUGH_REPLICAS', 'passes'],
    [-1, 'UNKNOWN', 'passes'],
    [3_000, 'KAFKAJS_UNKNOWN_ERROR_CODE', 'passes'],
  ])('of code %i is %s, which is of the %s', (code, type, errorClass) => {
    expect(produceErrorType(code)).toBe(type);
    expect(classOfProduceError(type)).toBe(errorClass);
  });
});

describe('the writer of a partition', () => {
  const record = (key: string) => ({ topic: 't', key, value: null, headers: {} });
  const keys = (writer: PartitionWriter) => writer.current().map(({ key }) => key);

  it('resends the same batch after a temporary error, with growing delays', () => {
    const writer = new PartitionWriter('t', 0);
    expect(writer.push({ topic: 't', partition: 0, records: [record('a')] }, () => undefined)).toBe(true);
    const delays = Array.from({ length: 9 }, () => writer.failed());
    expect(delays).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
    expect(keys(writer)).toEqual(['a']);
    expect(writer.written()).toBe(false);
  });

  it('halves a batch until the refused record is alone, and keeps the order', () => {
    const writer = new PartitionWriter('t', 0);
    const answers: unknown[] = [];
    const records = ['a', 'b', 'bad', 'c', 'd'].map(record);
    writer.push({ topic: 't', partition: 0, records }, (_batch, refused) => answers.push(refused));
    writer.push({ topic: 't', partition: 0, records: [record('e')] }, (_batch, refused) =>
      answers.push(refused),
    );
    const sent: unknown[] = [];
    for (let hasMore = true; hasMore; ) {
      const now = keys(writer);
      const isBad = now.includes('bad');
      if (!isBad) sent.push(...now);
      hasMore = isBad ? writer.refuse('INVALID_RECORD') : writer.written();
    }
    expect(sent).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(answers).toEqual([[{ index: 2, errorType: 'INVALID_RECORD' }], []]);
  });

  it('sends a batch once that was pushed while the last one was answered', () => {
    const writer = new PartitionWriter('t', 0);
    const pushed: boolean[] = [];
    writer.push({ topic: 't', partition: 0, records: [record('a')] }, () =>
      pushed.push(writer.push({ topic: 't', partition: 0, records: [record('b')] }, () => undefined)),
    );
    expect(writer.written()).toBe(true);
    expect(pushed).toEqual([false]);
    expect(keys(writer)).toEqual(['b']);
    expect(writer.refuseAll('TOPIC_AUTHORIZATION_FAILED')).toBe(false);
  });
});
