/**
 * Fuzzes a part of a row in a separate process, so that an input that aborts or blocks the process affects only this one.
 * Before each input it writes its position to a file, which the watching process reads if this one dies or hangs.
 *
 *   fuzz-child.ts TARGET SEED FROM TO INDEX_FILE
 */
import { openSync, writeSync } from 'node:fs';
import { Finding, type Report, TARGETS, type TargetModule, type TargetName } from './target.ts';

const REPORT_EVERY = 500;
/** More CPU time than any input may take, with room for a busy machine and garbage collection. */
const MOST_CPU_MS = 1_000;

const [name = '', seed = '', from = '', to = '', file = ''] = process.argv.slice(2);
const module = (await import(TARGETS[name as TargetName])) as TargetModule;
const target = await module.createTarget(Number(seed));
const place = openSync(file, 'w');
const bytes = Buffer.alloc(8);
let counts: Record<string, number> = {};
let index = Number(from);

process.on('uncaughtException', (error) => {
  finding('thrown outside of the call', error.stack ?? error.message);
  process.send?.({ kind: 'outcomes', counts } satisfies Report, () => process.exit(1));
});

for (; index < Number(to); index += 1) {
  bytes.writeDoubleLE(index);
  writeSync(place, bytes, 0, 8, 0);
  const before = process.cpuUsage();
  try {
    count(await target.run(index));
  } catch (error) {
    count('finding');
    if (error instanceof Finding) finding(error.name, error.message);
    else finding('thrown', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const { user, system } = process.cpuUsage(before);
  if (user + system > MOST_CPU_MS * 1_000)
    finding('slow', `${Math.round((user + system) / 1_000)} ms of processor time`);
  if ((index + 1) % REPORT_EVERY === 0) report();
}
report();
await target.close();
process.send?.({ kind: 'done' } satisfies Report, () => process.exit(0));

function count(outcome: string): void {
  counts[outcome] = (counts[outcome] ?? 0) + 1;
}

function report(): void {
  process.send?.({ kind: 'outcomes', counts } satisfies Report);
  counts = {};
}

function finding(kind: string, message: string): void {
  process.send?.({ kind: 'finding', index, name: kind, message } satisfies Report);
}
