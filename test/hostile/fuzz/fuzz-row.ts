import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report, TargetName } from './target.ts';

export interface Row {
  readonly target: TargetName;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  /** Maximum number of findings, after which the rest is not tried. */
  readonly mostFindings: number;
  readonly onProgress: (done: number, findings: number) => void;
}

/** Findings of one kind: the first positions, and their number. */
export interface FoundKind {
  readonly places: number[];
  readonly example: string;
  count: number;
}

export interface RowResult {
  readonly counts: Map<string, number>;
  readonly found: Map<string, FoundKind>;
  /** Number of inputs tried. */
  readonly tried: number;
  readonly seconds: number;
}

const CHILD = fileURLToPath(new URL('fuzz-child.ts', import.meta.url));
/** A process without a step for this long hangs. */
const STANDS_AFTER_MS = 20_000;
const LOOK_EVERY_MS = 500;
const PLACES_KEPT = 5;
const STDERR_KEPT = 300;

/** Tries every input of a row. If a process dies or hangs, another one continues after the input that caused it. */
export async function fuzzRow(row: Row): Promise<RowResult> {
  const began = performance.now();
  const counts = new Map<string, number>();
  const found = new Map<string, FoundKind>();
  const folder = mkdtempSync(join(tmpdir(), 'completion-bus-fuzz-'));
  const file = join(folder, 'index');
  let next = row.from;
  let findings = 0;
  const note = (name: string, index: number, example: string) => {
    findings += 1;
    const kind = found.get(name) ?? { places: [], example, count: 0 };
    kind.count += 1;
    if (kind.places.length < PLACES_KEPT) kind.places.push(index);
    found.set(name, kind);
  };
  try {
    while (next < row.to && findings < row.mostFindings) {
      const end = await runChild({ ...row, from: next }, file, (report) => {
        if (report.kind === 'finding') note(report.name, report.index, report.message);
        if (report.kind !== 'outcomes') return true;
        for (const [outcome, count] of Object.entries(report.counts))
          counts.set(outcome, (counts.get(outcome) ?? 0) + count);
        row.onProgress(placeIn(file, next) + 1 - row.from, findings);
        return findings < row.mostFindings;
      });
      const reached = placeIn(file, next);
      if (end.kind === 'stood') note('hang', reached, `nothing for ${STANDS_AFTER_MS / 1_000} s`);
      if (end.kind === 'died') note('crash', reached, end.how);
      next = end.kind === 'done' ? row.to : reached + 1;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { counts, found, tried: next - row.from, seconds: (performance.now() - began) / 1_000 };
}

type End = { readonly kind: 'done' | 'stood' | 'enough' } | { readonly kind: 'died'; readonly how: string };

async function runChild(row: Row, file: string, onReport: (report: Report) => boolean): Promise<End> {
  const { target, seed, from, to } = row;
  const child = fork(CHILD, [target, String(seed), String(from), String(to), file], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let end: End | null = null;
  let errors = '';
  child.stderr?.on('data', (text) => {
    errors = `${errors}${text}`.slice(-4_000);
  });
  child.on('message', (report: Report) => {
    if (report.kind === 'done') end = { kind: 'done' };
    else if (!onReport(report)) {
      end ??= { kind: 'enough' };
      child.kill('SIGKILL');
    }
  });
  let seen = -1;
  let since = performance.now();
  const watch = setInterval(() => {
    const reached = placeIn(file, from);
    if (reached !== seen) {
      seen = reached;
      since = performance.now();
    } else if (performance.now() - since > STANDS_AFTER_MS) {
      end ??= { kind: 'stood' };
      child.kill('SIGKILL');
    }
  }, LOOK_EVERY_MS);
  const stop = () => child.kill('SIGKILL');
  process.once('exit', stop);
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  process.off('exit', stop);
  clearInterval(watch);
  const reported = errors.split('\n').find((line) => /error|fatal|#/i.test(line)) ?? errors;
  return (
    end ?? { kind: 'died', how: `ended with ${signal ?? code}: ${reported.trim().slice(0, STDERR_KEPT)}` }
  );
}

/** The last position that the process wrote, or the given one if it wrote none. */
function placeIn(file: string, otherwise: number): number {
  try {
    const bytes = readFileSync(file);
    return bytes.length === 8 ? bytes.readDoubleLE() : otherwise;
  } catch {
    return otherwise;
  }
}
