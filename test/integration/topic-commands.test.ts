import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { runCommand } from '../support/run-command.ts';
import { silent, World } from '../support/world.ts';

let world: World;

beforeEach(async () => {
  world = await World.create({ partitions: 2 });
});
afterEach(() => world?.close());

const run = (...args: string[]) => runCommand(world.env, args);

/** Changes the topic as Kafka's own tools do. */
async function growRequestsAlone(count: number): Promise<void> {
  const admin = createKafka(world.config.kafka, silent, PATIENT_RETRIES).admin();
  await admin.connect();
  await admin.createPartitions({ topicPartitions: [{ topic: world.topics.requests, count }] });
  await admin.disconnect();
}

const hello = Buffer.from('{"messages":[{"role":"user","content":"Hello"}]}');

describe('topics', () => {
  it('of which only the request topic has grown: the worker names the fix, which answers the waiting requests', async () => {
    const worker = await world.startWorker();
    await growRequestsAlone(3);
    await world.publishRaw(hello, { partition: 2 });
    await worker.logged('has no partition 2, only 2 partitions');
    expect(worker.log.some((line) => line.includes('completion-bus topics create'))).toBe(true);

    const checked = await run('topics', 'check');
    expect(checked.code).toBe(1);
    expect(checked.stderr).toContain(
      `${world.topics.costs} has 2 partitions and ${world.topics.requests} has 3`,
    );

    const repaired = await run('topics', 'create');
    expect(repaired).toMatchObject({ code: 0, stderr: '' });
    expect(repaired.stdout).toContain(`${world.topics.costs}: from 2 to 3 partitions\n`);
    // Its reader knows only the partitions that exist when it starts.
    const history = await world.readHistory();
    await history.until(({ responses }) => responses.length === 1);
    expect(history.responses[0]?.source.partition).toBe(2);
    expect(await run('topics', 'check')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^topic +partitions\n(.*\n)*\S+\.requests +3\n/),
    });
  }, 150_000);

  it('cannot have more replicas than brokers, and the error names the setting', async () => {
    const env = {
      ...world.env,
      CHAT_TOPIC_PREFIX: `${world.config.topics.prefix}-r`,
      CHAT_TOPIC_REPLICATION: '7',
    };
    const { code, stdout, stderr } = await runCommand(env, ['topics', 'create']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^CHAT_TOPIC_REPLICATION is 7, but (one broker is|\d brokers are) running: set it to at most \d, or start more brokers\n$/,
    );
  });

  it('grow while a worker runs, and it answers in the new partitions', async () => {
    await world.startWorker();
    const grown = await run('topics', 'grow', '4');
    expect(grown).toMatchObject({ code: 0, stderr: '' });
    const { responses, responseGenerated, costs, dead, requests } = world.topics;
    expect(grown.stdout.trimEnd().split('\n')).toEqual(
      [responses, responseGenerated, costs, dead, requests].map(
        (topic) => `${topic}: from 2 to 4 partitions`,
      ),
    );
    await world.publishRaw(hello, { partition: 3 });
    await world.publishRaw(Buffer.from('no request'), { partition: 2 });
    const history = await world.readHistory();
    await history.until(
      ({ responses: answers, dead: letters }) => answers.length === 1 && letters.length === 1,
    );

    expect(await run('topics', 'grow', '4')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'all of them have 4 partitions\n',
    });
    expect(await run('topics', 'grow', '3')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`${requests} has 4 partitions, and Kafka cannot remove partitions`),
    });
    expect(await run('topics', 'grow', 'many')).toMatchObject({ code: 2 });
    expect((await run('topics', 'grow', '--help')).stdout).toContain('<partitions>');
  }, 150_000);
});
