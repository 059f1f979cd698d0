import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OutputRecords } from '../../src/pipeline/outcome/output-records.ts';
import type { InboundRecord } from '../../src/ports/kafka.ts';
import type { History } from '../support/history.ts';
import { runCommand } from '../support/run-command.ts';
import { request, World } from '../support/world.ts';

let world: World;
let history: History;

beforeAll(async () => {
  world = await World.create({ partitions: 2 });
  await world.startWorker();
  history = await world.readHistory();
});
afterAll(() => world?.close());

const run = (...args: string[]) => runCommand(world.env, args);
const cells = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ {2,}/));

/** A dead letter as the service writes it. */
async function letter(code: string, value: Buffer | null, headers: InboundRecord['headers'] = {}) {
  const outputs = new OutputRecords(world.topics, world.config.kafka.groupId);
  const source = { topic: world.topics.requests, partition: 0, offset: 900, timestamp: 1 };
  const record: InboundRecord = { ...source, key: Buffer.from('c-1'), value, headers };
  const { topic, ...written } = outputs.dead(record, { code, message: `It was ${code}.` });
  await world.sendTo(topic, [written]);
}

const avro = (requestId: string) => world.codec.encode('ChatRequest', request(requestId).request);
const json = Buffer.from('{"messages":[{"role":"user","content":"Hello"}]}');

describe('dead letters', () => {
  it('are listed with their origin and reason, and without their content', async () => {
    expect(await run('dead', 'list')).toEqual({ code: 0, stdout: '', stderr: 'there are no dead letters\n' });
    expect((await run('dead', 'list', '--json')).stdout).toBe('');

    // The service's own dead letter, and a request that was answered before it was quarantined as poison.
    await world.publishRaw(Buffer.from('top secret'), { key: 'c-1', partition: 0 });
    await world.publish([request('p-1')]);
    await history.until(({ dead, responses }) => dead.length === 1 && responses.length === 1);
    await letter('unknown_fingerprint', avro('r-1'));
    await letter('poison', avro('p-1'));
    await letter('too_large', json);

    const { code, stdout } = await run('dead', 'list');
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/secret|Hello/);
    expect(cells(stdout)).toEqual([
      ['0/0', expect.any(String), 'wrong_framing', `${world.topics.requests}/0/0`, 'c-1', expect.any(String)],
      [
        '0/2',
        expect.any(String),
        'unknown_fingerprint',
        `${world.topics.requests}/0/900`,
        'c-1',
        'It was unknown_fingerprint.',
      ],
      ['0/3', expect.any(String), 'poison', `${world.topics.requests}/0/900`, 'c-1', 'It was poison.'],
      ['0/4', expect.any(String), 'too_large', `${world.topics.requests}/0/900`, 'c-1', 'It was too_large.'],
    ]);

    const chosen = await run('dead', 'list', '--code', 'poison', '--code', 'too_large', '--json');
    expect(
      chosen.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toEqual(['0/3', '0/4']);
    expect((await run('dead', 'list', '--to', '2020-01-01')).stderr).toBe('there are no dead letters\n');
    expect(cells((await run('dead', 'list', '--from', '2020-01-01')).stdout)).toHaveLength(4);
  });

  it('are replayed into one answer and one bill each, however often they are replayed', async () => {
    const before = history.requests.length;
    const dry = await run('dead', 'replay', '--all', '--dry-run');
    expect(dry.stderr).toMatch(/^3 would be published, 0 known already, 1 not published\n$/);

    const first = await run('dead', 'replay', '--all');
    expect(first).toMatchObject({ code: 0, stderr: '3 published, 0 known already, 1 not published\n' });
    const listed = cells(first.stdout);
    expect(listed).toEqual([
      ['0/0', 'not published', expect.stringMatching(/^it still cannot be read: wrong_framing: /)],
      ['0/2', 'published', `default/r-1 to ${world.topics.requests}`],
      ['0/3', 'published', `default/p-1-replay-0-3 to ${world.topics.requests}`],
      ['0/4', 'published', expect.stringMatching(/^default\/[0-9a-f-]{36} to /)],
    ]);
    await history.untilAnswered(4);
    const ids = [
      'p-1',
      'r-1',
      'p-1-replay-0-3',
      listed[3]?.[2]?.slice('default/'.length, -` to ${world.topics.requests}`.length),
    ];
    expect(history.responses.map(({ value }) => [value.requestId, value.status])).toEqual(
      ids.map((id) => [id, 'COMPLETED']),
    );
    expect(new Set(history.costs.map(({ value }) => value.requestId))).toEqual(new Set(ids));
    // JSON requests are not among these.
    expect(history.requests.slice(before).map(({ source }) => String(source.headers['replay-of']))).toEqual(
      ['0/2', '0/3'].map((id) => `${world.topics.dead}/${id}`),
    );

    const again = await run('dead', 'replay', '--all');
    expect(again.stderr).toMatch(/0 published, 3 known already, 1 not published\n$/);
    expect(history.requests).toHaveLength(before + 2);
  });

  it('are replayed again when the ledger has no outcome of the replay', async () => {
    const published = history.requests.length;
    await world.ledgerRows().updateOne({ _id: 'default r-1' }, { $set: { 'outcome.remembered': false } });
    expect((await run('dead', 'replay', '0/2')).stderr).toMatch(
      /1 published, 0 known already, 0 not published\n$/,
    );
    await history.until(({ requests, responses }) => requests.length > published && responses.length === 5);
    expect(history.responses.filter(({ value }) => value.requestId === 'r-1')).toHaveLength(2);
  });

  it('are named when they cannot be replayed', async () => {
    expect(await run('dead', 'replay', '0/2')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\n0\/2 +known +default\/r-1 is answered, or about to be\n$/),
    });
    expect(await run('dead', 'replay', '0/0', '1/99')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/\n1\/99 +not published +there is no such letter in .*\.dead\n$/),
      stderr: '0 published, 0 known already, 2 not published\n',
    });
    expect(await run('dead', 'replay')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('say which letters, as "dead list" names them (3/17), or --all'),
    });
    expect(await run('dead', 'replay', 'three')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('It is a partition and an offset'),
    });
  });
});
