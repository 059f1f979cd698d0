import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { table } from '../../scripts/quickstart/table.ts';
import { inThroughputWorld, runService } from './sections/throughput.ts';
import { type BenchContext, coresText } from './support/bench-context.ts';
import { readProfile } from './support/cpu-profile.ts';
import { perSecond } from './support/measure.ts';

const TOP_FUNCTIONS = 25;
const TOP_GROUPS = 25;
/** Excludes module loading, connecting and the compiler's warm-up. */
const START_MS = 5_000;
/** Microseconds between samples. */
const SAMPLE_INTERVAL = 500;

/** Runs the service under the load of `throughput` with V8's profiler, and reports where its CPU time went. */
export async function profile(context: BenchContext, directory: string): Promise<string> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const nodeOptions = ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-interval=${SAMPLE_INTERVAL}`];
  const { window, cores } = await inThroughputWorld((bench) => runService(bench, context, { nodeOptions }));

  // Worker threads have their own profiles. The main thread's profile is the longest.
  const [main] = readdirSync(directory)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => ({ name, ...readProfile(join(directory, name), START_MS) }))
    .sort((one, other) => other.busyMs - one.busyMs);
  if (main === undefined) throw new Error('the service wrote no profile, because it did not stop in time');
  const figures = (milliseconds: number) => [
    milliseconds.toFixed(0),
    `${((milliseconds * 100) / main.busyMs).toFixed(1)} %`,
  ];
  const groups = main.groups
    .slice(0, TOP_GROUPS)
    .map(({ group, milliseconds }) => [group, ...figures(milliseconds)]);
  const functions = main.functions
    .slice(0, TOP_FUNCTIONS)
    .sort((one, other) => one.file.localeCompare(other.file) || other.milliseconds - one.milliseconds)
    .map(({ name, file, line, milliseconds }) => [
      `${file}${line > 0 ? `:${line}` : ''}`,
      name,
      ...figures(milliseconds),
    ]);
  return [
    `${perSecond(window.responses, window.elapsedMs)} requests/s under the profiler (which costs some); cores: ${coresText(cores)}`,
    `${main.name}: ${main.busyMs.toFixed(0)} ms busy after the first ${START_MS} ms`,
    '',
    ...table(
      [
        { title: 'for what (Node and V8 counted to their nearest caller)' },
        { title: 'ms', align: 'right' },
        { title: '', align: 'right' },
      ],
      groups,
    ),
    '',
    `The ${TOP_FUNCTIONS} functions with the longest self time, by file`,
    ...table(
      [
        { title: 'file' },
        { title: 'function' },
        { title: 'self ms', align: 'right' },
        { title: '', align: 'right' },
      ],
      functions,
    ),
    '',
  ].join('\n');
}
