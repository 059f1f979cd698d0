/**
 * `npm run test:faults [-- --quick] [--times N] [--only NAME,NAME] [--seed S]`: injects faults into a service under
 * load, each the given number of times, and checks everything that became visible. See docs/faults.md. The last line is `N passed, N failed`.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Fault } from './fault.ts';
import { brokerFaults } from './faults/broker-faults.ts';
import { dependencyFaults } from './faults/dependency-faults.ts';
import { logFaults } from './faults/log-faults.ts';
import { otherFaults } from './faults/other-faults.ts';
import { spendFaults } from './faults/spend-faults.ts';
import { workerFaults } from './faults/worker-faults.ts';
import { Laboratory } from './laboratory.ts';
import { type Repetition, repeatFault } from './repeat-fault.ts';

const TIMES = 20;
const REPORTS = '.stack/faults';
const SHOWN_BREACHES = 10;

const all: readonly Fault[] = [
  ...workerFaults,
  ...spendFaults,
  ...logFaults,
  ...otherFaults,
  ...dependencyFaults,
  ...brokerFaults,
];
const { values } = parseArgs({
  options: {
    times: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    seed: { type: 'string' },
  },
});
const times = Number(values.times ?? (values.quick ? 1 : TIMES));
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000_000));
const faults = chosen(values.only);
if (!Number.isInteger(times) || times < 1)
  throw new Error(`--times: ${values.times} is not a number of repetitions`);
if (!Number.isInteger(seed)) throw new Error(`--seed: ${values.seed} is not a whole number`);

// Brokers, database and workers are stopped when this process exits.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
const laboratory = new Laboratory();
const results: Repetition[] = [];
try {
  for (const fault of faults) {
    await laboratory.keepOnly([fault.cluster, ...(fault.alsoNeeds ?? [])]);
    for (let index = 0; index < times; index += 1) {
      const repetition = await repeatFault(fault, seed + index, laboratory);
      results.push(repetition);
      await report(repetition, index);
    }
  }
} finally {
  await laboratory.close();
}
table();
const failed = results.filter(({ breaches }) => breaches.length > 0).length;
say(`${results.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 || results.length === 0 ? 1 : 0);

function chosen(only: string | undefined): readonly Fault[] {
  if (only === undefined) return all;
  return only.split(',').map((name) => {
    const fault = all.find((candidate) => candidate.name === name);
    if (fault === undefined)
      throw new Error(
        `--only: there is no fault '${name}'; there are ${all.map((one) => one.name).join(', ')}`,
      );
    return fault;
  });
}

async function report(repetition: Repetition, index: number): Promise<void> {
  const { fault, name, requests, calls, restarts, leaseLosses, seconds, breaches, notes } = repetition;
  const verdict = breaches.length === 0 ? 'ok' : `${breaches.length} BREACHES`;
  say(
    `${fault} ${index + 1}/${times} seed ${repetition.seed} (${name}): ${requests} requests, ${calls} calls, ` +
      `${restarts > 0 ? `${restarts} restarts, ` : ''}${leaseLosses > 0 ? `${leaseLosses} leases lost, ` : ''}${seconds.toFixed(0)} s: ${verdict}`,
  );
  if (breaches.length === 0) return;
  for (const breach of breaches.slice(0, SHOWN_BREACHES)) say(`    ${breach}`);
  if (breaches.length > SHOWN_BREACHES) say(`    and ${breaches.length - SHOWN_BREACHES} more`);
  await mkdir(REPORTS, { recursive: true });
  const file = `${REPORTS}/${fault}-${repetition.seed}-${name}.txt`;
  await writeFile(file, `${[...breaches, '', ...notes].join('\n')}\n`);
  say(`    all of it: ${file}; logs: .stack/logs/workers/${name}-*.log`);
  say(`    again: npm run test:faults -- --only ${fault} --times 1 --seed ${repetition.seed}`);
}

function table(): void {
  say('');
  say(row(['fault', 'times', 'requests', 'calls', 'restarts', 'breaches', 'what']));
  for (const { name, what } of faults) {
    const own = results.filter(({ fault }) => fault === name);
    const sum = (of: (repetition: Repetition) => number) =>
      String(own.reduce((total, repetition) => total + of(repetition), 0));
    say(
      row([
        name,
        String(own.length),
        sum(({ requests }) => requests),
        sum(({ calls }) => calls),
        sum(({ restarts }) => restarts),
        sum(({ breaches }) => breaches.length),
        what,
      ]),
    );
  }
  say('');
}

function row([name = '', ...rest]: readonly string[]): string {
  const what = rest.pop() ?? '';
  return `${name.padEnd(20)}${rest.map((cell) => cell.padStart(10)).join('')}  ${what}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
