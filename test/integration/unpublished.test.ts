import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import type { History } from '../support/history.ts';
import { runCommand } from '../support/run-command.ts';
import { request, silent, World } from '../support/world.ts';

let world: World;
let history: History;

beforeAll(async () => {
  world = await World.create({ partitions: 1 });
  history = await world.readHistory();
  await world.startWorker();
});
afterAll(() => world?.close());

const run = (...args: string[]) => runCommand(world.env, args);

async function limit(topic: string, bytes: number): Promise<void> {
  const admin = createKafka(world.config.kafka, silent, PATIENT_RETRIES).admin();
  await admin.connect();
  const configEntries = [{ name: 'max.message.bytes', value: String(bytes) }];
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }],
  });
  await admin.disconnect();
}

describe('an outcome that the brokers refuse in every form', () => {
  it('is billed, marked, and published by a command once they accept it, each event once', async () => {
    expect((await run('outcomes', 'list')).stderr).toBe('all outcomes are published\n');
    await limit(world.topics.responses, 200);
    await world.publish([request('r-1')]);
    await history.until(({ costs }) => costs.length === 1);
    expect(await run('outcomes', 'list')).toMatchObject({
      code: 0,
      stdout: 'request      partition\ndefault/r-1          0\n',
    });
    // Its request is redelivered without any of its output.
    expect(history.responses).toEqual([]);

    const refused = await run('outcomes', 'publish');
    expect(refused.code).toBe(1);
    await limit(world.topics.responses, 1_048_588);
    expect(await run('outcomes', 'publish')).toMatchObject({
      code: 0,
      stdout: 'default/r-1  2 events published\n',
      stderr: '1 outcomes published\n',
    });
    await history.until(({ responses, generated }) => responses.length === 1 && generated.length === 1);
    expect(history.responses[0]?.value).toMatchObject({ requestId: 'r-1', status: 'COMPLETED' });
    expect(history.costs).toHaveLength(1);
    expect(history.responses[0]?.value.costEventId).toBe(history.costs[0]?.value.eventId);
    expect((await run('outcomes', 'publish')).stderr).toBe('0 outcomes published\n');

    // The partition continues.
    await world.publish([request('r-2')]);
    await history.until(({ responses }) => responses.length === 2);
  }, 120_000);
});
