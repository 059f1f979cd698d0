import kafkajs, { type Producer, type Transaction } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { TransactionalLaneProducer } from '../../../src/adapters/kafka/lane-producer.ts';
import { RecordRefused } from '../../../src/ports.ts';

/** As kafkajs makes one from a broker's answer. */
const brokerError = (type: string) =>
  Object.assign(new kafkajs.KafkaJSProtocolError(new Error(type)), { type });

const settlement = {
  offset: 42,
  metadata: 'the map',
  topicId: 'the topic',
  records: [{ topic: 'chat.responses', partition: 3, key: 'k', value: Buffer.from('v'), headers: {} }],
};

type Step = 'begin' | 'offsets' | 'send' | 'commit' | 'abort';

/** A kafkajs producer that does what it is told and remembers the order. */
function producerOf(
  fails: Partial<Record<Step, Error | (() => Error | null)>> = {},
  topicId: string | null = 'the topic',
) {
  const steps: Step[] = [];
  const sent: unknown[] = [];
  const step = async (name: Step, argument?: unknown) => {
    steps.push(name);
    sent.push(argument);
    const failure = fails[name];
    const error = typeof failure === 'function' ? failure() : failure;
    if (error) throw error;
  };
  const transaction = {
    sendOffsets: (argument: unknown) => step('offsets', argument),
    sendBatch: (argument: unknown) => step('send', argument),
    commit: () => step('commit'),
    abort: () => step('abort'),
  } as unknown as Transaction;
  let closed = 0;
  const producer = {
    transaction: async () => {
      await step('begin');
      return transaction;
    },
    disconnect: async () => {
      closed += 1;
      throw new Error('the connection is gone already');
    },
  } as unknown as Producer;
  const partition = { topic: 'chat.requests', partition: 3 };
  const topicIds = { idOf: async (topic: string) => (topic === 'chat.requests' ? topicId : 'of another') };
  const lane = new TransactionalLaneProducer(producer, 'group', partition, topicIds);
  return { lane, steps, sent, closed: () => closed };
}

describe('the transactional producer of a lane', () => {
  it('fences with a write to the coordinator that is never committed', async () => {
    const { lane, steps } = producerOf();
    await lane.fence();
    expect(steps).toEqual(['begin', 'offsets', 'abort']);
  });

  it('commits nothing for a topic that was deleted and created again', async () => {
    const { lane, steps } = producerOf({}, 'a new topic');
    await expect(lane.settle(settlement)).rejects.toThrow('chat.requests was deleted and created again');
    expect(steps).toEqual(['begin', 'offsets', 'send']);
  });

  it('compares nothing where brokers have no ids', async () => {
    const { lane, steps } = producerOf({}, 'whatever');
    await lane.settle({ ...settlement, topicId: null });
    expect(steps).toContain('commit');
  });

  it('commits offsets first, with the map, then all records at once', async () => {
    const { lane, steps, sent } = producerOf();
    await lane.settle(settlement);
    expect(steps).toEqual(['begin', 'offsets', 'send', 'commit']);
    expect(sent[1]).toEqual({
      consumerGroupId: 'group',
      topics: [{ topic: 'chat.requests', partitions: [{ partition: 3, offset: '42', metadata: 'the map' }] }],
    });
    expect(sent[2]).toMatchObject({ topicMessages: [{ topic: 'chat.responses', messages: [{ key: 'k' }] }] });
  });

  it('commits a position alone when there is nothing to publish', async () => {
    const { lane, steps } = producerOf();
    await lane.settle({ ...settlement, records: [] });
    expect(steps).toEqual(['begin', 'offsets', 'commit']);
  });

  it('repeats the offsets, and nothing else, while the coordinator is busy', async () => {
    let busy = 2;
    const { lane, steps } = producerOf({
      offsets: () => (busy-- > 0 ? brokerError('CONCURRENT_TRANSACTIONS') : null),
    });
    await lane.settle(settlement);
    expect(steps).toEqual(['begin', 'offsets', 'offsets', 'offsets', 'send', 'commit']);
  });

  it.each(['INVALID_PRODUCER_EPOCH', 'NOT_COORDINATOR_FOR_GROUP'])(
    'does not repeat offsets that were refused with %s',
    async (type) => {
      const { lane, steps } = producerOf({ offsets: brokerError(type) });
      await expect(lane.settle(settlement)).rejects.toMatchObject({ type });
      expect(steps).toEqual(['begin', 'offsets']);
    },
  );

  it.each(['begin', 'send', 'commit'] as const)('never repeats a %s that failed', async (failing) => {
    const error = brokerError('CONCURRENT_TRANSACTIONS');
    const { lane, steps } = producerOf({ [failing]: error });
    await expect(lane.settle(settlement)).rejects.toBe(error);
    expect(steps.filter((step) => step === failing)).toHaveLength(1);
    expect(steps.at(-1)).toBe(failing);
  });

  it.each(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD'])(
    'tells that a broker refused a record for what it is: %s, however deep it is wrapped',
    async (type) => {
      const original = brokerError(type);
      const wrapped = [
        original,
        new kafkajs.KafkaJSNumberOfRetriesExceeded(original, { retryCount: 0, retryTime: 0 }),
        new Error('failed', { cause: new Error('again', { cause: original }) }),
        Object.assign(new Error('failed'), { originalError: original }),
      ];
      for (const error of wrapped) {
        const { lane } = producerOf({ send: error });
        const refusal = await lane.settle(settlement).catch((reason: unknown) => reason);
        expect(refusal).toBeInstanceOf(RecordRefused);
        expect(refusal).toMatchObject({ cause: error });
      }
    },
  );

  it('does not take any other failure of a send for a refusal', async () => {
    for (const error of [brokerError('REQUEST_TIMED_OUT'), new Error('socket closed')]) {
      const { lane } = producerOf({ send: error });
      await expect(lane.settle(settlement)).rejects.toBe(error);
    }
  });

  it('can be closed when its connection is gone', async () => {
    const { lane, closed } = producerOf();
    await lane.close();
    expect(closed()).toBe(1);
  });
});
