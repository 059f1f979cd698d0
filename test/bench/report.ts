import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { table } from '../../scripts/quickstart/table.ts';
import type { Section } from './support/bench-context.ts';
import type { Machine } from './support/machine.ts';

/** The figures compared between runs. Null when their section was skipped or has no result. */
export const HEADLINES = [
  'vsKafkajsLoop',
  'vsOpenaiSdk',
  'vsUndici',
  'addedLatencyRatioP50',
  'rssMiB10000Streams',
  'requestsPerTransaction',
  'settleP99Ms',
  'backlogRssGrowthMiB',
  'lanesOpenMs',
  'lanesIdleCores',
] as const;

export interface Report {
  readonly startedAt: string;
  readonly durationSeconds: number;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly sections: Readonly<Record<string, Section>>;
}

/** A section as a table with its notes below. */
export function sectionText({ title, columns, rows, notes }: Section): string {
  const described = columns.map((name, index) => ({
    title: name,
    ...(isNumeric(rows, index) && { align: 'right' as const }),
  }));
  return [title, '', ...table(described, rows), '', ...notes.map((note) => `  ${note}`), '', ''].join('\n');
}

/** Writes `<time>.json` and `latest.json`. @returns the first one's path */
export function writeReport(report: Report, directory: string): string {
  mkdirSync(directory, { recursive: true });
  const headlines = Object.values(report.sections).map(({ headline }) => headline);
  const json = {
    ...Object.fromEntries(HEADLINES.map((name) => [name, null])),
    ...Object.assign({}, ...headlines),
    ...report,
  };
  const text = `${JSON.stringify(json, null, 2)}\n`;
  const file = join(directory, `${report.startedAt.replaceAll(':', '-')}.json`);
  writeFileSync(file, text);
  writeFileSync(join(directory, 'latest.json'), text);
  return file;
}

export function machineText(machine: Machine): string {
  const { cpu, cores, memoryGiB, node, kafka, mongod, packages, loadBefore } = machine;
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  return [
    `${cpu}, ${cores} cores, ${memoryGiB} GiB; Node ${node}, Kafka ${kafka}, mongod ${mongod}, ${versions.join(', ')}`,
    `Broker, database, stand-in, service and measuring share these cores. Load before: ${loadBefore}.`,
    '',
    '',
  ].join('\n');
}

function isNumeric(rows: readonly (readonly string[])[], index: number): boolean {
  return rows.every((row) => /^$|^-?[\d.]+( x)?$/.test(row[index] ?? ''));
}
