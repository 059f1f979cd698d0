import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Big } from 'big.js';
import type { Admin } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import type { CommandLine } from '../../src/cli/options/tool.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { runCommand } from '../support/run-command.ts';
import type { Script } from '../support/stand-in/script.ts';
import { silent, World } from '../support/world.ts';

let world: World;
let admin: Admin;

beforeAll(async () => {
  world = await World.create({
    partitions: 2,
    env: { LOG_LEVEL: 'silent', AI_OPENAI_RETRY_DELAY: '0' },
  });
  admin = createKafka(world.config.kafka, silent, PATIENT_RETRIES).admin();
  await admin.connect();
});
afterAll(async () => {
  await admin?.disconnect();
  await world?.close();
});

const run = (args: readonly string[], options: Partial<CommandLine> = {}) =>
  runCommand(world.env, args, options);

const lines = (text: string) => text.split('\n').filter((line) => line !== '');

/** A price of gpt-4 that starts on a distant day. */
const priceFile = (components: { input: string; output: string }) =>
  JSON.stringify([
    {
      provider: 'openai',
      model: 'gpt-4',
      currency: 'USD',
      effectiveFrom: '2099-01-01',
      components,
      source: 'https://example.com/pricing',
    },
  ]);

describe('topics, models and prices', () => {
  it('topics create keeps existing topics, and creates missing ones', async () => {
    expect(await run(['topics', 'create'])).toEqual({ code: 0, stdout: '', stderr: 'all topics exist\n' });
    const other = `${world.config.topics.prefix}-b.requests`;
    const env = { ...world.env, CHAT_REQUEST_TOPICS: `${world.topics.requests},${other}=acme` };
    expect(await run(['topics', 'create'], { env })).toMatchObject({
      code: 0,
      stdout: `created ${other}\n`,
    });
    await admin.deleteTopics({ topics: [other] });
  });

  it('models import and list show what ships with the service, and a second import changes nothing', async () => {
    // The test world has imported everything already, without shutdown dates.
    await run(['models', 'import']);
    const imported = await run(['models', 'import']);
    expect(imported.stdout).toMatch(/^0 added, 0 changed, \d+ unchanged, 0 refused\n$/);
    await world.importModels();
    const { code, stdout } = await run(['models', 'list']);
    expect(code).toBe(0);
    expect(lines(stdout)).toContainEqual(expect.stringMatching(/^openai\/gpt-4 +\w+ +(\S+ +)?8192 +\d+ +/));
  });

  it('models import reads a file, and list shows what is unknown about a model', async () => {
    const model = {
      provider: 'openai',
      id: 'gpt-new',
      contextWindow: null,
      maxOutputTokens: null,
      maxTokensParameter: 'max_tokens',
      refusedParameters: [],
      capabilities: ['chat'],
    };
    const readFile = () => JSON.stringify([model]);
    const imported = await run(['models', 'import', 'more.json'], { readFile });
    expect(imported).toMatchObject({ code: 0, stdout: '1 added, 0 changed, 0 unchanged, 0 refused\n' });
    const { stdout } = await run(['models', 'list']);
    expect(lines(stdout)).toContainEqual(expect.stringMatching(/^openai\/gpt-new +active +chat$/));
  });

  it('prices import without a file imports what ships with the service', async () => {
    const { code, stdout } = await run(['prices', 'import']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^0 added, 0 changed, \d+ unchanged, 0 refused\n$/);
  });

  it('prices import reads a file, previews the changes, and list shows every version', async () => {
    const text = priceFile({ input: '1.5', output: '2.25' });
    const readFile = (path: string) => (path === 'next.json' ? text : readFileSync(path, 'utf8'));
    const before = await run(['prices', 'list', 'gpt-4']);
    const announced = [
      '0 added, 1 changed, 0 unchanged, 0 refused',
      '  openai/gpt-4@2099-01-01T00:00:00.000Z: input 30 → 1.5, output 60 → 2.25',
      '',
    ].join('\n');
    const dry = await run(['prices', 'import', 'next.json', '--dry-run'], { readFile });
    const would = 'would add 0, change 1, leave 0 unchanged, refuse 0\n';
    expect(dry).toEqual({ code: 0, stdout: would, stderr: '' });
    const detailed = await run(['prices', 'import', 'next.json', '--dry-run', '--verbose'], { readFile });
    expect(detailed.stdout.split('\n').slice(1)).toEqual(announced.split('\n').slice(1));
    expect(await run(['prices', 'list', 'gpt-4'])).toEqual(before);

    expect(await run(['prices', 'import', 'next.json', '--verbose'], { readFile })).toMatchObject({
      stdout: announced,
    });
    const after = lines((await run(['prices', 'list', 'gpt-4'])).stdout);
    expect(after).toHaveLength(lines(before.stdout).length + 1);
    expect(after[0]).toMatch(/^model +since +until +input +output +currency/);
    expect(after).toContainEqual(
      expect.stringMatching(/^openai\/gpt-4 +2099-01-01T00:00:00\.000Z +1\.5 +2\.25 +USD per million/),
    );
    // Without a name, list shows the prices of all models. For an unknown name, it shows none.
    expect(lines((await run(['prices', 'list'])).stdout).length).toBeGreaterThan(after.length);
    expect(await run(['prices', 'list', 'gpt-nowhere'])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: expect.stringContaining('there is no price of gpt-nowhere'),
    });
  });

  it('prices import reads LiteLLM’s file, after which costs calculate prices every case exactly', async () => {
    const file = (name: string) => fileURLToPath(new URL(`../fixtures/prices/${name}`, import.meta.url));
    const imported = await run(['prices', 'import', file('litellm-prices.json'), '--verbose']);
    // Some of its entries cannot be used.
    expect(imported.code).toBe(1);
    expect(imported.stderr).toContain('refused gemini/gemini-exp-1206: ');
    expect(imported.stdout).toContain('  keys that were not used, and how many models have them:\n');
    expect(imported.stdout).toMatch(/^ {2}input_cost_per_token_ultrafast \(\d+\)$/m);
    expect(imported.stdout).not.toContain('regional_processing_uplift');

    const cases = lines(readFileSync(file('cost-cases.jsonl'), 'utf8'));
    const { code, stdout } = await run(['costs', 'calculate', '--usage', file('cost-cases.jsonl')]);
    expect(code).toBe(0);
    expect(lines(stdout).map((line) => (JSON.parse(line) as { totalCost: string }).totalCost)).toEqual(
      cases.map((line) => new Big((JSON.parse(line) as { expected_usd: string }).expected_usd).toFixed()),
    );
  });

  it('prices set adds a version of one model by flags, and is refused if a version starts at that time', async () => {
    const set = (input: string, ...more: string[]) =>
      run([
        'prices',
        'set',
        'gpt-own',
        '--input',
        input,
        '--output',
        '2',
        '--effective-from',
        '2025-01-01',
        ...more,
      ]);
    expect(
      await set('1', '--cached-input', '0.10', '--web-search', '0.000000000001', '--dry-run'),
    ).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('cachedInput none → 0.1'),
    });
    expect((await run(['prices', 'list', '--model', 'gpt-own'])).stdout).toBe('');
    expect(await set('1', '--cached-input', '0.10', '--web-search', '0.000000000001')).toMatchObject({
      code: 0,
    });
    expect(await set('3')).toMatchObject({ code: 1, stderr: expect.stringContaining('never overwritten') });
    expect(await set('x')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--input.*'x'.*such as 2\.5/),
    });
    expect(await set('0.1234567')).toMatchObject({ code: 2, stderr: expect.stringContaining('6 after it') });

    const listed = lines((await run(['prices', 'list', 'gpt-own', '--json'])).stdout);
    expect(listed.map((line) => JSON.parse(line) as object)).toMatchObject([
      {
        id: 'openai/gpt-own@2025-01-01T00:00:00.000Z',
        components: { input: '1', output: '2', cachedInput: '0.1', webSearch: '0.000000000001' },
      },
    ]);
    const exported = await run(['prices', 'export']);
    expect(JSON.parse(exported.stdout)).toContainEqual(
      expect.objectContaining({ model: 'gpt-own', effectiveFrom: '2025-01-01T00:00:00.000Z' }),
    );
  });

  it('prices set keeps what it does not name, and prices correct replaces a wrong version', async () => {
    const set = (...flags: string[]) =>
      run(['prices', 'set', 'gpt-kept', '--effective-from', '2025-01-01', ...flags]);
    await set('--input', '1', '--output', '2', '--cached-input', '0.1', '--web-search', '0.01');
    const later = await run(['prices', 'set', 'gpt-kept', '--input', '3', '--effective-from', '2025-02-01']);
    expect(later).toMatchObject({ code: 0, stdout: expect.stringContaining('input 1 → 3\n') });
    expect(later.stdout).not.toContain('cachedInput');
    expect(
      (await run(['prices', 'set', 'gpt-kept', '--input', '3.0', '--effective-from', '2025-03-01'])).stdout,
    ).toContain('1 unchanged');

    const id = 'openai/gpt-kept@2025-01-01T00:00:00.000Z';
    expect(await run(['prices', 'correct', id, '--output', '2.5'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`${id}#2: output 2 → 2.5`),
    });
    expect(await run(['prices', 'correct', id, '--output', '4'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('correct that one'),
    });
    expect(await run(['prices', 'correct', 'gpt-kept', '--web-search', '0.02'])).toMatchObject({ code: 0 });
    const listed = lines((await run(['prices', 'list', 'gpt-kept', '--json'])).stdout);
    const kept = { cachedInput: '0.1' };
    expect(listed.map((line) => JSON.parse(line) as object)).toMatchObject([
      { id, components: { input: '1', output: '2', webSearch: '0.01', ...kept } },
      { id: `${id}#2`, supersedes: id, components: { input: '1', output: '2.5', ...kept } },
      { components: { input: '3', output: '2', webSearch: '0.01', ...kept } },
      { components: { input: '3', output: '2', webSearch: '0.02', ...kept } },
    ]);
    const wrong = lines((await run(['prices', 'list', 'gpt-kept'])).stdout).filter((line) =>
      line.endsWith('  corrected'),
    );
    expect(wrong).toHaveLength(2);
  });

  it('estimate counts a text and prices it with the prices in force in the database', async () => {
    const { code, stdout, stderr } = await run(['estimate', 'Say hello.', '-m', 'gpt-4-0613', '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      model: 'gpt-4-0613',
      encoding: 'cl100k_base',
      inputTokens: { messages: 3, overhead: 7, total: 10 },
      lowestCost: '0.0003',
      currency: 'USD',
    });
  });

  it('an import names every refused entry and the reason', async () => {
    const { code, stdout, stderr } = await run(['prices', 'import', 'other.json'], {
      readFile: () => priceFile({ input: '9', output: '9' }),
    });
    expect(code).toBe(1);
    expect(lines(stdout)[0]).toBe('0 added, 0 changed, 0 unchanged, 1 refused');
    expect(stderr).toMatch(/^refused openai\/gpt-4.*: \S.*\n$/);
  });
});

describe('serve and chat', () => {
  let signal: (name: string) => void = () => undefined;
  let served: ReturnType<typeof run>;
  const exits: number[] = [];

  beforeAll(async () => {
    const started = Promise.withResolvers<void>();
    served = run(['serve'], {
      onSignal: (listener) => {
        signal = listener;
        started.resolve();
      },
      exitNow: (code) => exits.push(code),
    });
    await Promise.race([
      started.promise,
      served.then(({ stderr }) => Promise.reject(new Error(`serve ended: ${stderr}`))),
    ]);
  });

  const say = (script: Script | Script[], ...options: string[]) =>
    run(['chat', JSON.stringify({ standIn: script }), '--timeout', '60', ...options]);

  it('prints the answer and its cost, to the last decimal', async () => {
    const script = { text: 'Hello, world!', promptTokens: 100, completionTokens: 50 };
    const { code, stdout, stderr } = await say(script, '--model', 'gpt-4');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Hello, world!\n' });
    const notes = stderr.split('\n').filter((line) => !line.startsWith('warning: model: '));
    expect(notes.slice(1)).toEqual([
      'cost 0.006 USD (100 tokens in, 50 out)',
      '  input: 100 tokens x 30 / 1000000 = 0.003',
      '  output: 50 tokens x 60 / 1000000 = 0.003',
      '',
    ]);
    expect(stderr).toMatch(/^request [0-9a-f-]{36}\n/);
  });

  it('sends the given system message, model and conversation', async () => {
    await world.standIn.reset();
    const history = await world.readHistory();
    const script = { text: 'Yes.' };
    const answer = await say(script, '-m', 'gpt-4o', '-s', 'Be brief.', '-c', 'conversation-7');
    expect(answer.code).toBe(0);
    const [call] = await world.standIn.calls();
    expect(call?.model).toBe('gpt-4o');
    const isOurs = ({ conversationId }: { conversationId: string | null }) =>
      conversationId === 'conversation-7';
    await history.until(({ responses, sent }) =>
      [...responses, ...sent]
        .map(({ value }) => value)
        .every(() => responses.some(({ value }) => isOurs(value))),
    );
    const response = history.responses.find(({ value }) => isOurs(value));
    expect(String(response?.source.key)).toBe('conversation-7');
    expect(history.sent.find(({ value }) => isOurs(value))?.value.messageCount).toBe(2);
  });

  it('prints tool calls', async () => {
    const { code, stdout } = await say({ toolCalls: [{ name: 'weather', arguments: { city: 'Graz' } }] });
    expect(code).toBe(0);
    expect(stdout).toContain('[calls weather({"city":"Graz"})]\n');
  });

  it('reports that a broken stream restarts, and prints the whole answer after it', async () => {
    const text = 'one two three four five';
    const { code, stdout, stderr } = await say([{ text, cutAfterTokens: 3 }, { text }]);
    expect(code).toBe(0);
    expect(stderr).toContain('[the stream broke; restarting]\n');
    expect(stdout).toMatch(/^one.*\none two three four five\n$/);
  });

  it('exits with 1 for a failure, and prints its code', async () => {
    const error = { message: 'Incorrect API key provided: sk-abcdefgh12345678.', code: 'invalid_api_key' };
    const { code, stdout, stderr } = await say({ status: 401, error });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /\nFAILED: invalid_credentials: .+\nopenai says: Incorrect API key provided: sk-…5678\n$/,
    );
  });

  it('says that an answer was cut at its limit, and what was warned of', async () => {
    const { code, stdout, stderr } = await say({ text: 'Half an ans', finishReason: 'length' });
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Half an ans\n' });
    expect(stderr).toContain('the answer was cut at its limit (finish reason length)');
  });

  it('shows what a terminal would act on instead of printing it', async () => {
    const { stdout } = await say({ text: 'a\u001b[31mb\u202ec\nd' });
    expect(stdout).toBe('a\\x1b[31mb\\u202ec\nd\n');
  });

  it('takes a request from a file and from standard input, with what the flags change', async () => {
    await world.standIn.reset();
    const script = (text: string) => JSON.stringify({ standIn: { text } });
    const file = JSON.stringify({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: script('From a file.') }],
    });
    async function* openFile(path: string) {
      yield Buffer.from(path === '-' ? `${script('From a pipe.')}\n` : file);
    }
    const more = ['--timeout', '60', '--tenant', 'acme', '--max-tokens', '77', '--temperature', '0.25'];
    const fromFile = await run(['chat', '-f', 'request.json', ...more], { openFile });
    expect(fromFile).toMatchObject({ code: 0, stdout: 'From a file.\n' });
    const piped = await run(['chat', '-m', 'gpt-4o', '--timeout', '60'], { openFile, isTerminal: false });
    expect(piped).toMatchObject({ code: 0, stdout: 'From a pipe.\n' });
    const [first] = await world.standIn.calls();
    expect(first).toMatchObject({ model: 'gpt-4o', parameters: expect.arrayContaining(['temperature']) });
  });

  it('prints one JSON document on request', async () => {
    const { code, stdout } = await say(
      { text: 'Hi', promptTokens: 10, completionTokens: 5 },
      '-m',
      'gpt-4',
      '--json',
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      response: {
        status: 'COMPLETED',
        choices: [{ content: 'Hi' }],
        createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
      },
      cost: { totalCost: '0.0006', currency: 'USD' },
    });
  });

  it('publishes to the topic that the service reads', async () => {
    const env = { ...world.env, CHAT_REQUEST_TOPICS: `${world.topics.requests}` };
    const args = ['chat', JSON.stringify({ standIn: { text: 'Hi' } }), '--timeout', '60'];
    expect(await run(args, { env })).toMatchObject({ code: 0, stdout: 'Hi\n' });
  });

  it('exits with 0 on a stop signal, and at once on a second one', async () => {
    signal('SIGTERM');
    // Forwarded by a parent that received it as well.
    signal('SIGTERM');
    expect(exits).toEqual([]);
    signal('SIGINT');
    expect(exits).toEqual([1]);
    // A later one counts as the second signal.
    vi.spyOn(systemClock, 'monotonic').mockReturnValueOnce(Number.POSITIVE_INFINITY);
    signal('SIGTERM');
    expect(exits).toEqual([1, 1]);
    expect(await served).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('a missing dependency', () => {
  const oneLine = (text: string) => expect(lines(text)).toHaveLength(1);

  it('chat reports in time that the service does not answer', async () => {
    const { code, stderr } = await run(['chat', 'Hello', '--timeout', '0.3']);
    expect(code).toBe(1);
    const [request = '', came] = lines(stderr);
    expect(came).toContain('nothing arrived within 0.3 s; is the service running (completion-bus serve)');
    expect(came).toContain(`The request stays in ${world.topics.requests}`);
    expect(came).toContain(request.replace('request ', ''));
  });

  it.each([['serve'], ['chat', 'Hello']])('%s names missing topics', async (...args) => {
    const group = `${world.config.kafka.groupId}-other`;
    const env = { ...world.env, CHAT_TOPIC_PREFIX: `${group}`, KAFKA_GROUP_ID: group };
    const { code, stderr } = await run(
      args.filter((arg) => arg !== undefined),
      { env },
    );
    expect(code).toBe(1);
    oneLine(stderr);
    expect(stderr).toContain(`${group}.responses`);
    expect(stderr).toContain('create them with: completion-bus topics create');
  });

  it('an unavailable database is named, without its password', async () => {
    const MONGODB_URL = 'mongodb://admin:secret@127.0.0.1:1/?replicaSet=rs0&serverSelectionTimeoutMS=50';
    for (const args of [['models', 'list'], ['serve']]) {
      const { code, stderr } = await run(args, { env: { ...world.env, MONGODB_URL } });
      expect(code).toBe(1);
      oneLine(stderr);
      expect(stderr).toContain('MongoDB could not be reached');
      expect(stderr).toContain('MONGODB_URL');
      expect(stderr).not.toContain('secret');
    }
  });

  it('a port in use is named with its setting', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const env = { ...world.env, HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port) };
    const { code, stderr } = await run(['serve'], { env });
    taken.close();
    expect(code).toBe(1);
    oneLine(stderr);
    expect(stderr).toContain(`HTTP_PORT: port ${port} of 127.0.0.1 is in use`);
  });

  it('every command that needs a broker names a port that is not a broker', async () => {
    const quiet = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(quiet, 'listening');
    const env = { ...world.env, KAFKA_BROKERS: `127.0.0.1:${(quiet.address() as AddressInfo).port}` };
    for (const args of [
      ['topics', 'check'],
      ['chat', 'Hello'],
      ['dead', 'list'],
      ['outcomes', 'publish'],
      ['costs', 'reprice'],
    ]) {
      const { code, stdout, stderr } = await run(args, { env });
      expect({ args, code, stdout }).toEqual({ args, code: 1, stdout: '' });
      oneLine(stderr);
      expect(stderr).toContain('KAFKA_BROKERS');
      expect(stderr).toContain('advertised.listeners');
    }
    quiet.close();
  }, 60_000);

  it('an unavailable broker is named', async () => {
    const { code, stderr } = await run(['topics', 'create'], {
      env: { ...world.env, KAFKA_BROKERS: '127.0.0.1:1' },
    });
    expect(code).toBe(1);
    oneLine(stderr);
    expect(stderr).toContain('no Kafka broker could be reached');
    expect(stderr).toContain('KAFKA_BROKERS');
  });

  it('an unexpected error ends the service with 1, after the requests in flight', async () => {
    const exits: number[] = [];
    const started = Promise.withResolvers<void>();
    let uncaught: (error: unknown) => void = () => undefined;
    const ended = run(['serve'], {
      onUncaught: (listener) => {
        uncaught = listener;
      },
      onSignal: () => started.resolve(),
      exitNow: (code) => exits.push(code),
    });
    await started.promise;
    uncaught(new TypeError('a bug'));
    expect(await ended).toMatchObject({ code: 1 });
    expect(exits).toEqual([]);
    const group = world.config.kafka.groupId;
    const stateOf = async () => (await admin.describeGroups([group])).groups[0]?.state;
    await expect.poll(stateOf, { interval: 50, timeout: 30_000 }).toBe('Empty');
  });
});
