import { parseArgs } from 'node:util';

export const SECTIONS = ['throughput', 'latency', 'memory', 'settling', 'growth', 'lanes'] as const;
export type SectionName = (typeof SECTIONS)[number];

export interface BenchOptions {
  /** Checks that everything works, in under 4 minutes. */
  readonly quick: boolean;
  readonly only: readonly SectionName[];
  /** Profiles the service's CPU time instead of running the sections. */
  readonly profile: boolean;
}

export const USAGE = `npm run bench [-- OPTIONS]

  --quick            shorter and smaller, to see that it works (under 4 minutes; in full under 25)
  --only NAMES       of ${SECTIONS.join(',')}
  --profile          profile the service's CPU time under the load of "throughput"
`;

/** @throws TypeError that names the invalid option */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: SECTIONS.join(',') },
      profile: { type: 'boolean', default: false },
    },
  });
  const only = values.only.split(',');
  const unknown = only.filter((name) => !SECTIONS.some((section) => section === name));
  if (unknown.length > 0) throw new TypeError(`--only ${unknown.join(',')}: there is no such section`);
  return { ...values, only: SECTIONS.filter((section) => only.includes(section)) };
}
