import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { TransactionalLaneProducer } from '../../../../src/adapters/kafka/transactions/lane-producer.ts';
import type { TransactionalProducer } from '../../../../src/adapters/kafka/transactions/transactional-producer.ts';
import { RecordRefused } from '../../../../src/ports/kafka.ts';
import { systemClock } from '../../../../src/runtime/system-clock.ts';

/** The error that kafkajs creates from a broker's answer. */
const brokerError = (type: string) =>
  Object.assign(new kafkajs.KafkaJSProtocolError(new Error(type)), { type });

const settlement = {
  offset: 42,
  metadata: 'the map',
  topicId: 'the topic',
  records: [{ topic: 'chat.responses', partition: 3, key: 'k', value: Buffer.from('v'), headers: {} }],
};
const position = { topic: 'chat.requests', partition: 3, groupId: 'group' };

type Step = 'write' | 'commit' | 'abort' | 'close';

/** A producer that records the order of its calls. */
function laneOf(fails: Partial<Record<Step, Error>> = {}, topicId: string | null = 'the topic') {
  const steps: Step[] = [];
  const written: unknown[] = [];
  const step = async (name: Step) => {
    steps.push(name);
    if (fails[name] !== undefined) throw fails[name];
  };
  const producer = {
    write: (content: unknown) => {
      written.push(content);
      return step('write');
    },
    commit: () => step('commit'),
    abort: () => step('abort'),
    close: () => step('close'),
  } as unknown as TransactionalProducer;
  const partition = { topic: 'chat.requests', partition: 3 };
  const topics = {
    recent: async (topic: string) => ({
      id: topic === 'chat.requests' ? topicId : 'of another',
      leaders: new Map(),
    }),
  };
  return { lane: new TransactionalLaneProducer(producer, 'group', partition, topics), steps, written };
}

describe('the transactional producer of a lane', () => {
  it('fences with a write to the coordinator that is never committed', async () => {
    const { lane, steps, written } = laneOf();
    await lane.fence();
    expect(steps).toEqual(['write', 'abort']);
    expect(written).toEqual([{ position: { ...position, offset: 0, metadata: '' }, records: [] }]);
  });

  it('commits the position with the map, and all records, and returns the time', async () => {
    const { lane, steps, written } = laneOf();
    const before = systemClock.monotonic();
    const at = await lane.settle(settlement);
    expect(steps).toEqual(['write', 'commit']);
    expect(written).toEqual([
      { position: { ...position, offset: 42, metadata: 'the map' }, records: settlement.records },
    ]);
    expect(at).toBeGreaterThanOrEqual(before);
    expect(at).toBeLessThanOrEqual(systemClock.monotonic());
  });

  it('commits nothing for a recreated topic', async () => {
    const { lane, steps } = laneOf({}, 'a new topic');
    await expect(lane.settle(settlement)).rejects.toThrow('chat.requests was deleted and created again');
    expect(steps).toEqual(['write']);
  });

  it('compares no ids when brokers have none', async () => {
    const { lane, steps } = laneOf({}, 'whatever');
    await lane.settle({ ...settlement, topicId: null });
    expect(steps).toContain('commit');
  });

  it.each(['write', 'commit'] as const)('never repeats a %s that failed', async (failing) => {
    const error = brokerError('CONCURRENT_TRANSACTIONS');
    const { lane, steps } = laneOf({ [failing]: error });
    await expect(lane.settle(settlement)).rejects.toBe(error);
    expect(steps.filter((step) => step === failing)).toHaveLength(1);
    expect(steps.at(-1)).toBe(failing);
  });

  it.each(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD'])(
    'reports that a broker refused the record itself: %s, however deeply it is wrapped',
    async (type) => {
      const original = brokerError(type);
      const wrapped = [
        original,
        new kafkajs.KafkaJSNumberOfRetriesExceeded(original, { retryCount: 0, retryTime: 0 }),
        new Error('failed', { cause: new Error('again', { cause: original }) }),
        Object.assign(new Error('failed'), { originalError: original }),
      ];
      for (const error of wrapped) {
        const { lane } = laneOf({ write: error });
        const refusal = await lane.settle(settlement).catch((reason: unknown) => reason);
        expect(refusal).toBeInstanceOf(RecordRefused);
        expect(refusal).toMatchObject({ cause: error });
      }
    },
  );

  it('does not report any other write failure as a refusal', async () => {
    for (const error of [
      ...['REQUEST_TIMED_OUT', 'INVALID_TIMESTAMP', 'CORRUPT_MESSAGE', 'TOPIC_AUTHORIZATION_FAILED'].map(
        brokerError,
      ),
      new Error('socket closed'),
      // Errors that kafkajs throws when a connection is lost between two of its steps.
      new TypeError("Cannot read properties of null (reading 'write')"),
      new RangeError('offset is out of range'),
    ]) {
      const { lane } = laneOf({ write: error });
      await expect(lane.settle(settlement)).rejects.toBe(error);
    }
  });

  it('reports that a record cannot be encoded', async () => {
    const error = new TypeError('not a buffer');
    const { lane } = laneOf({ write: error });
    const odd = { ...settlement.records[0], value: 7 } as unknown as (typeof settlement.records)[0];
    const refusal = await lane.settle({ ...settlement, records: [odd] }).catch((reason: unknown) => reason);
    expect(refusal).toBeInstanceOf(RecordRefused);
  });

  it('writes nothing once it is closed, not even what was handed over before', async () => {
    const { lane, steps } = laneOf();
    const first = lane.settle(settlement);
    const second = lane.settle(settlement);
    await first;
    await lane.close();
    await second.catch(() => undefined);
    steps.length = 0;
    await expect(lane.settle(settlement)).rejects.toThrow('closed');
    expect(steps).toEqual([]);
  });

  it('closes its connections', async () => {
    const { lane, steps } = laneOf();
    await lane.close();
    expect(steps).toEqual(['close']);
  });
});
