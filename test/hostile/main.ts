/**
 * `npm run test:hostile [-- --minutes M] [--short] [--seed S] [--only KIND,KIND] [--rate N] [--hostile-rate N] [--max-rss-mib N] [--each]`: nine tenants
 * with ordinary conversations, first alone, then next to a tenth that sends every hostile record and provokes every hostile answer. The nine
 * must not notice it. Starts the stack if it is down. With `--each`, the tenth runs alone and sends one record of each kind, to measure
 * what each costs the worker. The last line is `N passed, N failed`.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { ensureStack } from '../../scripts/stack/stack.ts';
import { costOfEach } from './run/cost-of-each.ts';
import { hostileRun, type RunResult } from './run/hostile-run.ts';
import type { Latency } from './run/latency.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    short: { type: 'boolean', default: false },
    seed: { type: 'string' },
    only: { type: 'string' },
    each: { type: 'boolean', default: false },
    rate: { type: 'string', default: '50' },
    'hostile-rate': { type: 'string', default: '2.5' },
    'max-rss-mib': { type: 'string', default: '1024' },
  },
});
const seed = number('seed', values.seed ?? String(Math.floor(Math.random() * 1_000_000_000)));
const hostileMs = values.short ? 45_000 : number('minutes', values.minutes) * 60_000;
const calmMs = values.short ? 20_000 : 60_000;
const mostMemory = number('max-rss-mib', values['max-rss-mib']) * 2 ** 20;
const MOST_SLOWER = 2;
const SHOWN_BREACHES = 8;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
say(`seed ${seed}`);
const { kafkaBrokers, mongodbUrl } = await ensureStack();
process.env['KAFKA_BROKERS'] = kafkaBrokers.join(',');
process.env['MONGODB_URL'] = mongodbUrl;
if (values.each) await showEach();
const result = await hostileRun({
  seed,
  calmMs,
  hostileMs,
  perSecond: number('rate', values.rate),
  hostilePerSecond: number('hostile-rate', values['hostile-rate']),
  only: values.only ?? null,
  env: {},
  say,
});
report(result);

/** The most expensive first. */
async function showEach(): Promise<never> {
  const costs = await costOfEach(seed, values.only ?? '', say);
  say('');
  say('processor ms   until outcome ms   memory MiB   kind');
  for (const { kind, processorMs, tookMs, memory } of costs.toSorted(
    (one, other) => other.processorMs - one.processorMs,
  )) {
    const took = tookMs === null ? 'never' : String(Math.round(tookMs));
    const cells = [
      String(processorMs).padStart(12),
      took.padStart(19),
      String(Math.round(memory / 2 ** 20)).padStart(13),
    ];
    say(`${cells.join('')}   ${kind}`);
  }
  const failed = costs.filter(({ tookMs }) => tookMs === null).length;
  say(`${costs.length - failed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

function report(run: RunResult): void {
  const { calm, troubled, neighbours, hostile, refused } = run;
  const ratio = troubled.p99 / calm.p99;
  const checks: readonly (readonly [string, readonly string[]])[] = [
    ['the nine: each request completed, once', neighbours.outcomes],
    ['the nine: in order per key', neighbours.order],
    ['the nine: chunks complete', neighbours.chunks],
    ['the nine: exact bills', neighbours.bills],
    ['the nine: no dead letters', neighbours.dead],
    ['the tenth: one outcome for each record', hostile.outcomes],
    ['the tenth: each call on one bill', hostile.bills],
    ["the tenth: on nobody else's account", hostile.others],
    ['every output can be read', run.unreadable],
    ['the worker never ended', run.ends],
    ['the worker ended with 0 after SIGTERM', run.exitCode === 0 ? [] : [`it ended with ${run.exitCode}`]],
    [
      `memory below ${mebibytes(mostMemory)}`,
      run.mostMemory <= mostMemory ? [] : [`it had ${mebibytes(run.mostMemory)}`],
    ],
    [`/livez and /readyz answered 200 (${run.asked} times asked)`, run.unwell],
    // The short form has too few requests for a percentile, so the percentile is printed but not checked.
    [
      `p99 at most ${MOST_SLOWER} times the calm one${values.short ? ' (not judged in the short form)' : ''}`,
      values.short || ratio <= MOST_SLOWER
        ? []
        : [`${ratio.toFixed(2)} times: ${Math.round(calm.p99)} ms, then ${Math.round(troubled.p99)} ms`],
    ],
  ];
  say('');
  say(
    `${run.published} requests of the nine, ${run.hostilePublished} records of the tenth, ${run.calls} provider calls`,
  );
  for (const [kind, count] of refused) say(`the broker itself refused ${kind} ${count} times`);
  say('');
  say('latency of the nine   requests  unanswered   p50 ms   p99 ms   max ms');
  say(latencyRow('calm', calm));
  say(latencyRow('with the tenth', troubled));
  say(
    `p99 ratio ${ratio.toFixed(2)}; memory ${mebibytes(run.calmMemory)} when calm, ${mebibytes(run.mostMemory)} at most`,
  );
  say(
    `processor: calm ${run.calmUse.worker} % of a core by the worker, ${run.calmUse.machine} % by everything; ` +
      `with the tenth ${run.hostileUse.worker} %, ${run.hostileUse.machine} % (this machine has ${cpus().length}00 %)`,
  );
  for (const line of run.eventLoop) say(line);
  say('');
  for (const [name, breaches] of checks) {
    say(
      `${breaches.length === 0 ? 'ok  ' : 'FAIL'} ${name}${breaches.length > 0 ? `: ${breaches.length}` : ''}`,
    );
    for (const breach of breaches.slice(0, SHOWN_BREACHES)) say(`       ${breach}`);
    if (breaches === hostile.outcomes && breaches.length > 0)
      say(`       of these kinds: ${kindsOf(breaches)}`);
  }
  const failed = checks.filter(([, breaches]) => breaches.length > 0).length;
  say(`${checks.length - failed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

/** For `--only`: the kinds named in breaches, the most frequent first. */
function kindsOf(breaches: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const breach of breaches) {
    const kind = breach.split(':', 1)[0] ?? '';
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  return sorted.map(([kind, count]) => `${kind} ${count}`).join(', ');
}

function latencyRow(name: string, { count, missing, p50, p99, max }: Latency): string {
  const cells = [count, missing, p50, p99, max].map((value) => String(Math.round(value)));
  const widths = [10, 12, 9, 9, 9];
  return `${name.padEnd(20)}${cells.map((cell, at) => cell.padStart(widths[at] ?? 9)).join('')}`;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

function number(option: string, text: string): number {
  const value = Number(text);
  if (!(value >= 0)) throw new Error(`--${option}: ${text} is not a number`);
  return value;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
