/**
 * `npm run fuzz [-- --records N] [--answers N] [--through-kafka N] [--seed S] [--at INDEX]`: pushes random records
 * and random provider answers through the service's own code, and some of the records through a broker and a worker. Each must have
 * exactly one readable outcome. The last line is `N passed, N failed`. `--at` repeats a single input.
 */
import { parseArgs } from 'node:util';
import { ensureStack } from '../../scripts/stack/stack.ts';
import { fuzzRow, type RowResult } from './fuzz/fuzz-row.ts';
import type { TargetName } from './fuzz/target.ts';
import { throughKafka } from './fuzz/through-kafka.ts';

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '50000' },
    answers: { type: 'string', default: '5000' },
    'through-kafka': { type: 'string', default: '0' },
    seed: { type: 'string' },
    at: { type: 'string' },
    'max-findings': { type: 'string', default: '100' },
  },
});
const records = whole('records', values.records);
const answers = whole('answers', values.answers);
const kafka = whole('through-kafka', values['through-kafka']);
const seed = whole('seed', values.seed ?? String(Math.floor(Math.random() * 1_000_000_000)));
const at = values.at === undefined ? null : whole('at', values.at);
const mostFindings = whole('max-findings', values['max-findings']);

const SHOW_EVERY_MS = 10_000;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
say(`seed ${seed}`);
let passed = 0;
let failed = 0;
await fuzz('records', records);
await fuzz('answers', answers);
if (kafka > 0 && at === null) {
  const { kafkaBrokers, mongodbUrl } = await ensureStack();
  process.env['KAFKA_BROKERS'] = kafkaBrokers.join(',');
  process.env['MONGODB_URL'] = mongodbUrl;
  judge('through Kafka', await throughKafka(seed, kafka, say));
}
say(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

async function fuzz(target: TargetName, count: number): Promise<void> {
  if (count === 0) return;
  const [from, to] = at === null ? [0, count] : [at, at + 1];
  const began = performance.now();
  let shown = began;
  const result = await fuzzRow({
    target,
    seed,
    from,
    to,
    mostFindings,
    onProgress: (done, findings) => {
      const now = performance.now();
      if (now - shown < SHOW_EVERY_MS) return;
      shown = now;
      say(
        `${target}: ${done} of ${count}, ${Math.round((done * 1_000) / (now - began))}/s, ${findings} findings`,
      );
    },
  });
  judge(target, result);
}

/** Prints each outcome, and each kind of finding with the command that repeats it. An untried input has not passed. */
function judge(name: string, { counts, found, tried, seconds }: RowResult): void {
  const findings = [...found.values()].reduce((sum, { count }) => sum + count, 0);
  say('');
  say(`${name}: ${tried} in ${seconds.toFixed(1)} s, ${Math.round(tried / seconds)}/s; ${findings} findings`);
  for (const [outcome, count] of [...counts].sort(([, one], [, other]) => other - one))
    say(`  ${String(count).padStart(9)}  ${outcome}`);
  for (const [kind, { places, example, count }] of found) {
    say(`  FOUND ${count} times: ${kind}; e.g. at ${places.join(', ')}`);
    say(`    ${example.split('\n').slice(0, 4).join('\n    ').slice(0, 800)}`);
    const other = name === 'records' ? '--answers 0' : '--records 0';
    if (name !== 'through Kafka') say(`    again: npm run fuzz -- ${other} --seed ${seed} --at ${places[0]}`);
  }
  failed += findings;
  passed += Math.max(0, tried - findings);
}

function whole(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`--${option}: ${text} is not a whole number`);
  return value;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
