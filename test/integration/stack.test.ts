import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../scripts/stack/ports.ts';
import { commandLineOf } from '../../scripts/stack/processes.ts';
import { missingForKafkaProcess, missingForMongoProcess } from '../../scripts/stack/requirements.ts';
import { readState, type StackState, writeState } from '../../scripts/stack/stack-state.ts';

const checkout = resolve(import.meta.dirname, '../..');
const bootstrap = join(checkout, 'scripts/run.mjs');

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

// Where Docker is the only way, there are no local processes to inspect.
const waysWithoutDocker =
  [...(await missingForKafkaProcess()), ...(await missingForMongoProcess())].length === 0
    ? ['local processes']
    : [];

// A docker without an engine, found before the real one.
const withoutDocker = await mkdtemp(join(tmpdir(), 'completion-bus-programs-'));
await writeFile(join(withoutDocker, 'docker'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
afterAll(() => rm(withoutDocker, { recursive: true, force: true }));

/** Runs a stack command on its own stack folder, as if there were no Docker engine. */
function stack(directory: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const { STACK_KAFKA_PORT: _kafka, STACK_MONGODB_PORT: _mongodb, ...inherited } = process.env;
  const path = `${withoutDocker}${delimiter}${process.env['PATH']}`;
  return new Promise((resolveOutcome) => {
    execFile(
      process.execPath,
      ['--disable-warning=TimeoutNegativeWarning', join(checkout, 'scripts/stack.ts'), ...args],
      { cwd: checkout, env: { ...inherited, PATH: path, STACK_DIR: directory, ...env } },
      (error, stdout, stderr) =>
        resolveOutcome({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
    );
  });
}

function addressesIn(printed: string): { brokers: string[]; mongodbUrl: string } {
  const match = /^KAFKA_BROKERS=(\S+)\nMONGODB_URL=(\S+)\n$/.exec(printed);
  return { brokers: match?.[1]?.split(',') ?? [], mongodbUrl: match?.[2] ?? '' };
}

async function runningPids(state: StackState): Promise<number[]> {
  const pids = [state.kafka?.pid, state.mongodb?.pid].filter((pid) => pid !== undefined);
  const lines = await Promise.all(pids.map(commandLineOf));
  return pids.filter((_, index) => lines[index] !== undefined);
}

async function occupy(port: number): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe.each(waysWithoutDocker)('a stack of %s', { timeout: 180_000 }, () => {
  let directory: string;
  let first: Outcome;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'completion-bus-stack-'));
    first = await stack(directory, ['up']);
  }, 180_000);

  afterAll(async () => {
    await stack(directory, ['down', '--purge']);
    await rm(directory, { recursive: true, force: true });
  }, 60_000);

  it('starts and prints the addresses at which it answers real clients', async () => {
    expect(first.stderr).toContain('The stack is up');
    expect(first.code).toBe(0);
    const { brokers, mongodbUrl } = addressesIn(first.stdout);

    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    expect((await admin.describeCluster()).brokers).toHaveLength(1);
    await admin.disconnect();

    const mongo = new MongoClient(mongodbUrl);
    const session = mongo.startSession();
    await session.withTransaction(() =>
      mongo.db('trial').collection('things').insertOne({ a: 1 }, { session }),
    );
    expect(await mongo.db('trial').collection('things').countDocuments()).toBe(1);
    await session.endSession();
    await mongo.close();
  });

  it('prints nothing but NAME=value lines for env', async () => {
    const printed = await stack(directory, ['env']);
    expect(printed).toEqual({ code: 0, stdout: first.stdout, stderr: '' });
  });

  it('leaves running servers alone on a second up', async () => {
    const before = await readState(directory);
    const second = await stack(directory, ['up']);
    expect(second.stdout).toBe(first.stdout);
    expect(second.stderr).not.toContain('Starting');
    expect(await readState(directory)).toEqual(before);
    expect(await runningPids(before)).toHaveLength(2);
  });

  it('shows in its status what runs, where, and as which process', async () => {
    const { kafka, mongodb, kafkaPort, mongodbPort } = await readState(directory);
    const { code, stdout } = await stack(directory, ['status']);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^Kafka +running +127.0.0.1:${kafkaPort} +process ${kafka?.pid}$`, 'm'),
    );
    expect(stdout).toMatch(
      new RegExp(`^MongoDB +running +127.0.0.1:${mongodbPort} +process ${mongodb?.pid}$`, 'm'),
    );
  });

  it('refuses to move a running server to another port', async () => {
    const { code, stderr } = await stack(directory, ['up'], { STACK_KAFKA_PORT: String(await freePort()) });
    expect(code).toBe(1);
    expect(stderr).toContain('npm run stack -- down');
  });

  it('restarts only what died, once, when two commands notice at the same time', async () => {
    const before = await readState(directory);
    process.kill(before.mongodb?.pid ?? Number.NaN, 'SIGKILL');
    await expect.poll(() => runningPids(before)).toHaveLength(1);
    expect((await stack(directory, ['status'])).code).toBe(1);

    const [one, two] = await Promise.all([stack(directory, ['up']), stack(directory, ['up'])]);
    expect([one.code, two.code]).toEqual([0, 0]);
    const starts = `${one.stderr}${two.stderr}`.match(/Starting MongoDB on 127\.0\.0\.1:\d+ …/g);
    expect(starts).toHaveLength(1);
    const after = await readState(directory);
    expect(after.kafka).toEqual(before.kafka);
    expect(after.mongodb?.pid).not.toBe(before.mongodb?.pid);
  });

  it('runs next to a second stack, and stopping one does not affect the other', async () => {
    const neighbour = await mkdtemp(join(tmpdir(), 'completion-bus-stack-'));
    try {
      const up = await stack(neighbour, ['up']);
      expect(up.code).toBe(0);
      const [own, other] = [await readState(directory), await readState(neighbour)];
      expect(other.kafkaPort).not.toBe(own.kafkaPort);
      expect(other.mongodbPort).not.toBe(own.mongodbPort);

      expect((await stack(neighbour, ['down'])).code).toBe(0);
      expect(await runningPids(other)).toEqual([]);
      expect(await runningPids(own)).toHaveLength(2);
      expect(await stack(neighbour, ['env'])).toMatchObject({ code: 1, stdout: '' });
    } finally {
      await stack(neighbour, ['down', '--purge']);
      await rm(neighbour, { recursive: true, force: true });
    }
  });

  it('keeps its data and its cluster across a stop, on another port if the old one is taken', async () => {
    const before = await readState(directory);
    expect((await stack(directory, ['down'])).code).toBe(0);
    expect(await runningPids(before)).toEqual([]);

    const squatter = await occupy(before.mongodbPort ?? 0);
    try {
      const { code, stdout } = await stack(directory, ['up']);
      expect(code).toBe(0);
      const after = await readState(directory);
      expect(after.clusterId).toBe(before.clusterId);
      expect(after.kafkaPort).toBe(before.kafkaPort);
      expect(after.mongodbPort).not.toBe(before.mongodbPort);
      const mongo = new MongoClient(addressesIn(stdout).mongodbUrl);
      expect(await mongo.db('trial').collection('things').countDocuments()).toBe(1);
      await mongo.close();
    } finally {
      squatter.close();
    }
  });

  it('leaves no process behind, and with --purge no data', async () => {
    const before = await readState(directory);
    expect((await stack(directory, ['down', '--purge'])).code).toBe(0);
    expect(await runningPids(before)).toEqual([]);
    expect(await readState(directory)).toEqual({});
    expect((await stack(directory, ['down'])).code).toBe(0);
  });
});

describe('a stack that cannot or must not act', () => {
  let directory: string;
  let programs: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'completion-bus-stack-'));
    programs = join(directory, 'programs');
    await mkdir(programs);
    await symlink(process.execPath, join(programs, 'node'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('refuses a requested port that is taken', async () => {
    const port = await freePort();
    const squatter = await occupy(port);
    const asked = { STACK_KAFKA_PORT: String(port), STACK_MONGODB_PORT: String(port) };
    const { code, stderr } = await stack(directory, ['up'], asked);
    squatter.close();
    expect(code).toBe(1);
    expect(stderr).toContain(`=${port}: port ${port} of 127.0.0.1 is taken by another program.`);
  });

  it('names both ways and what each is missing when neither works', async () => {
    const run = spawn(process.execPath, [join(checkout, 'scripts/stack.ts'), 'up'], {
      env: { PATH: programs, STACK_DIR: directory },
    });
    let output = '';
    run.stderr.on('data', (data) => {
      output += data;
    });
    const [code] = await once(run, 'close');
    expect(code).toBe(1);
    expect(output).toContain('1. Docker with its compose plugin. Missing: docker is not installed.');
    expect(output).toMatch(/2\. Local processes: .* Missing: java is not installed/);
  });

  it('never stops a process that only reuses the id of one it once started', async () => {
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await once(bystander, 'spawn');
    const record = {
      pid: bystander.pid ?? Number.NaN,
      marker: `kafka.Kafka ${directory}/kafka/server.properties`,
    };
    await writeState(directory, { mode: 'processes', kafkaPort: 9092, kafka: record });

    expect((await stack(directory, ['down'])).code).toBe(0);
    expect(await commandLineOf(record.pid)).toContain('setInterval');
    bystander.kill();
  });

  it('asks Docker for containers under its own project name if an engine answers', async () => {
    // A docker that records its arguments and has no images.
    const notes = join(directory, 'notes');
    const script = `#!/bin/sh\necho "$*" >> ${notes}\ncase "$*" in *" pull "*) echo no network >&2; exit 1;; esac\n`;
    await writeFile(join(programs, 'docker'), script);
    await chmod(join(programs, 'docker'), 0o755);
    const env = { PATH: programs, STACK_DIR: directory };
    const run = spawn('/bin/sh', ['-c', `exec "${process.execPath}" scripts/stack.ts up`], {
      cwd: checkout,
      env,
    });
    let output = '';
    run.stderr.on('data', (data) => {
      output += data;
    });
    const [code] = await once(run, 'close');
    expect(code).toBe(1);
    expect(await readFile(notes, 'utf8')).toMatch(
      /compose -f \S+compose\.yaml -p completion-bus-[0-9a-f]{10} pull --quiet --policy missing/,
    );
    expect(output).toContain('Missing: the engine cannot get the images');
    expect(output).toContain('2. Local processes');
  });
});

describe('the bootstrap of every command', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'completion-bus-run-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('passes arguments on and exits with the script’s exit code', async () => {
    const script = join(directory, 'arguments.ts');
    await writeFile(
      script,
      'const rest: string[] = process.argv.slice(2); console.log(rest); process.exitCode = 7;',
    );
    const run = spawn(process.execPath, [bootstrap, '--no-install', script, 'a b', '--help']);
    let printed = '';
    run.stdout.on('data', (data) => {
      printed += data;
    });
    const [code] = await once(run, 'close');
    expect(printed.trim()).toBe("[ 'a b', '--help' ]");
    expect(code).toBe(7);
  });

  it('forwards SIGTERM and waits for the script to exit', async () => {
    const script = join(directory, 'signal.ts');
    await writeFile(
      script,
      "process.on('SIGTERM', () => process.exit(5)); setInterval(() => {}, 1000); console.log('ready');",
    );
    const run = spawn(process.execPath, [bootstrap, '--no-install', script]);
    await once(run.stdout, 'data');
    run.kill('SIGTERM');
    const [code] = await once(run, 'close');
    expect(code).toBe(5);
  });
});
