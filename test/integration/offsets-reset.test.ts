import { afterEach, describe, expect, it } from 'vitest';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import type { History } from '../support/history.ts';
import { request, silent, World } from '../support/world.ts';

let world: World;
afterEach(() => world?.close());

const resets = {
  'set back to the start': (admin: ReturnType<ReturnType<typeof createKafka>['admin']>) =>
    admin.setOffsets({
      groupId: world.config.kafka.groupId,
      topic: world.topics.requests,
      partitions: [0, 1].map((partition) => ({ partition, offset: '0' })),
    }),
  'deleted with their group': async (admin: ReturnType<ReturnType<typeof createKafka>['admin']>) => {
    await admin.deleteGroups([world.config.kafka.groupId]);
  },
};

const counts = ({ responses, generated, costs, dead }: History) => ({
  responses: responses.length,
  generated: generated.length,
  costs: costs.length,
  dead: dead.length,
});

describe('after everything was settled, offsets that were', () => {
  it.each(Object.keys(resets) as (keyof typeof resets)[])(
    '%s bring no call, no outcome, no bill and no dead letter again',
    async (reset) => {
      world = await World.create({ partitions: 2 });
      const history = await world.readHistory();
      const worker = await world.startWorker();
      await world.publish(Array.from({ length: 10 }, (_, index) => request(`r-${index}`)));
      // A repeated request, a refused one and an invalid record.
      await world.publish([request('r-0'), request('refused', { temperature: 7 })]);
      await world.publishRaw(Buffer.from('no request'), { key: 'c-1', partition: 0 });
      await history.untilAnswered(11);
      await history.until(({ responses, dead }) => responses.length === 12 && dead.length === 1);
      await worker.stop();
      // As if nothing had been marked, because a worker may die before marking.
      await world.ledgerRows().updateMany({}, { $set: { settled: false, settledReplays: [] } });
      const before = counts(history);
      const calls = (await world.standIn.calls()).length;

      const admin = createKafka(world.config.kafka, silent, PATIENT_RETRIES).admin();
      await admin.connect();
      await resets[reset](admin);
      await admin.disconnect();

      const next = await world.startWorker();
      await next.logged('the position of the group was reset');
      // When these are answered, both partitions have been read.
      await world.publishRaw(Buffer.from('{"messages":[{"role":"user","content":"a"}]}'), { partition: 0 });
      await world.publishRaw(Buffer.from('{"messages":[{"role":"user","content":"b"}]}'), { partition: 1 });
      await history.until(
        ({ responses, costs }) =>
          responses.length >= before.responses + 2 && costs.length >= before.costs + 2,
      );
      await next.stop();
      expect(counts(history)).toEqual({
        ...before,
        responses: before.responses + 2,
        generated: before.generated + 2,
        costs: before.costs + 2,
      });
      expect(await world.standIn.calls()).toHaveLength(calls + 2);
    },
    120_000,
  );
});
