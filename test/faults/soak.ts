/**
 * `npm run soak -- [--minutes 15] [--seed S] [--out FILE]`: a steady load with a random fault every few seconds. One
 * worker lives through all of it, and its resources must not grow. Then every guarantee is checked, as in `npm run test:faults`.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { signalBroker } from './broker-process.ts';
import type { Fault } from './fault.ts';
import type { FaultRun } from './fault-run.ts';
import { type Trend, trends } from './flatness.ts';
import { Laboratory } from './laboratory.ts';
import { type Repetition, repeatFault } from './repeat-fault.ts';
import type { Sample } from './sampler.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '15' },
    seed: { type: 'string' },
    out: { type: 'string' },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000_000));
if (!(minutes >= 1)) throw new Error(`--minutes: ${values.minutes} is not at least 1`);

const RATE_PER_SECOND = 20;
const WARM_UP_SHARE = 0.2;
/** The last part has load but no faults, so that the end is comparable with the start. */
const QUIET_MS = Math.min(45_000, minutes * 10_000);

const directory = await mkdtemp(join(tmpdir(), 'completion-bus-soak-'));
const harm = new Map<string, number>();
let watched = 0;

const soak: Fault = {
  name: 'soak',
  what: 'a steady load and random faults',
  // Use replicas, because a single broker may lose the end of a transaction (docs/faults.md).
  cluster: 'three',
  rate: RATE_PER_SECOND,
  allows: { lostCalls: true },
  startMayFail: true,
  timeoutMs: minutes * 60_000 + 120_000,
  env: {
    LEASE_MS: '6000',
    SOAK_SAMPLES: directory,
    NODE_OPTIONS: `--import ${new URL('sampler.ts', import.meta.url).href}`,
  },
  disturb: async (run) => {
    const [first] = run.workers;
    watched = first?.pid ?? 0;
    const endsAt = Date.now() + minutes * 60_000;
    while (Date.now() < endsAt - QUIET_MS) {
      await run.pause(6_000, 16_000);
      const [name, act] = run.random.pick(faults);
      harm.set(name, (harm.get(name) ?? 0) + 1);
      run.note(name);
      await act(run);
    }
    await wait(Math.max(0, endsAt - Date.now()));
  },
};

/** The worker that faults may target. */
function other(run: FaultRun): FaultRun['workers'][number] {
  return run.random.pick(run.workers.filter(({ pid }) => pid !== watched));
}

const faults: readonly (readonly [string, (run: FaultRun) => Promise<void>])[] = [
  [
    'the other worker is killed',
    async (run) => {
      await run.kill(other(run));
      run.spawn();
    },
  ],
  [
    'the other worker is frozen',
    async (run) => {
      const frozen = other(run);
      run.freeze(frozen);
      await run.pause(7_000, 10_000);
      run.thaw(frozen);
    },
  ],
  [
    'the other worker is replaced',
    async (run) => {
      const old = other(run);
      await run.spawn().ready;
      await run.stop(old);
    },
  ],
  [
    'MongoDB is killed',
    async (run) => {
      const mongo = await run.laboratory.mongo();
      await mongo.kill();
      await run.pause(0, 2_000);
      await mongo.start();
    },
  ],
  [
    'a broker is killed',
    async ({ cluster, random }) => {
      const node = random.pick(cluster.nodes);
      await node.kill();
      await node.start();
      await cluster.whenInSync();
    },
  ],
  [
    'a broker stands still',
    async (run) => {
      const { id } = run.random.pick(run.cluster.nodes);
      await signalBroker(run.cluster.directory, id, 'SIGSTOP');
      await run.pause(1_000, 6_000);
      await signalBroker(run.cluster.directory, id, 'SIGCONT');
      await run.cluster.whenInSync();
    },
  ],
  [
    'the provider stands still',
    async (run) => {
      process.kill(run.world.standIn.pid, 'SIGSTOP');
      await run.pause(300, 900);
      process.kill(run.world.standIn.pid, 'SIGCONT');
    },
  ],
];

// Brokers, database and workers are stopped when this process exits.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
const laboratory = new Laboratory();
let repetition: Repetition;
try {
  repetition = await repeatFault(soak, seed, laboratory);
} finally {
  await laboratory.close();
}
const samples = await readSamples();
await rm(directory, { recursive: true, force: true });
const judged = trends(samples, minutes * 60_000 * WARM_UP_SHARE);
const text = report(repetition, samples, judged);
process.stdout.write(text);
if (values.out !== undefined) await writeFile(values.out, text);
const problems = [...repetition.breaches, ...judged.filter(({ isFlat }) => !isFlat)];
if (repetition.breaches.length > 0) process.stdout.write(`${repetition.notes.join('\n')}\n`);
process.stdout.write(problems.length === 0 ? '1 passed, 0 failed\n' : '0 passed, 1 failed\n');
process.exit(problems.length === 0 ? 0 : 1);

async function readSamples(): Promise<Sample[]> {
  const lines = (await readFile(join(directory, `${watched}.jsonl`), 'utf8')).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Sample);
}

function report(result: Repetition, all: readonly Sample[], judgement: readonly Trend[]): string {
  const { requests, calls, restarts, leaseLosses, breaches } = result;
  const processor = `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`;
  const began = all[0]?.at ?? 0;
  const every = Math.max(1, Math.floor(all.length / 15));
  return `${[
    '# Last soak',
    '',
    `\`npm run soak -- --minutes ${minutes} --seed ${result.seed}\``,
    '',
    `- Load: ${requests} requests (${RATE_PER_SECOND}/s), ${calls} provider calls.`,
    `- Machine: Node ${process.version}, Linux ${release()}, ${processor}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB.`,
    `- Leases lost: ${leaseLosses}. Workers that exited on their own: ${restarts}.`,
    '',
    breaches.length === 0
      ? 'Guarantees G1 to G9: no breach.'
      : `Breaches:\n\n${breaches.map((breach) => `- ${breach}`).join('\n')}`,
    '',
    '| fault | times |',
    '| --- | ---: |',
    ...[...harm].map(([name, count]) => `| ${name} | ${count} |`),
    '',
    'The figures are of the worker that ran through all of it, after a garbage collection. The first',
    `${WARM_UP_SHARE * 100} % of the time is left out. Memory shows medians. The other measures vary with load, so they show`,
    'lower quartiles.',
    '',
    '| measure | first third | last third | most | slope per hour | verdict |',
    '| --- | ---: | ---: | ---: | ---: | --- |',
    ...judgement.map(({ measure, early, late, most, perHour, isFlat }) => {
      const cells = [early, late, most, perHour].map((value) => shown(measure, value));
      return `| ${measure} | ${cells.join(' | ')} | ${isFlat ? 'flat' : 'GROWS'} |`;
    }),
    '',
    '| minute | rss | heapUsed | external | descriptors | sockets | timers |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...all
      .filter((_, index) => index % every === 0)
      .map(({ at, ...sample }) => {
        const { rss, heapUsed, external, descriptors, sockets, timers } = sample;
        const memory = [rss, heapUsed, external].map((value) => shown('rss', value));
        return `| ${((at - began) / 60_000).toFixed(1)} | ${[...memory, descriptors, sockets, timers].join(' | ')} |`;
      }),
  ].join('\n')}\n`;
}

function shown(measure: Trend['measure'], value: number): string {
  const isMemory = measure === 'rss' || measure === 'heapUsed' || measure === 'external';
  return isMemory ? `${(value / 2 ** 20).toFixed(1)} MiB` : value.toFixed(0);
}
