/** `npm run check`: types, lint, generated code, import directions, folders, dead code, Markdown, prose and links. Reports every result. */
import { spawnSync } from 'node:child_process';

interface Check {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** Returns why the output is wrong although the command exited with 0, or null when it is right. */
  readonly objection?: (output: string) => string | null;
}

const checks: readonly Check[] = [
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'lint and format', command: ['biome', 'check', '--error-on-warnings', '.'] },
  { name: 'generated records', command: ['node', 'scripts/generate-records.ts', '--check'] },
  {
    name: 'import directions',
    command: ['depcruise', '--config', '.dependency-cruiser.cjs', 'src'],
    objection: (output) => (/\b[1-9]\d* modules/.test(output) ? null : 'it checked no modules'),
  },
  { name: 'sizes of folders', command: ['node', 'scripts/check-folders.ts'] },
  { name: 'dead code', command: ['knip'] },
  { name: 'Markdown', command: ['markdownlint-cli2'] },
  { name: 'prose and links', command: ['node', 'scripts/check-prose.ts'] },
];

const failed = checks.filter((check) => !passes(check));
console.log(
  failed.length === 0 ? 'all checks passed' : `failed: ${failed.map(({ name }) => name).join(', ')}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

function passes({ name, command: [program, ...args], objection }: Check): boolean {
  const path = `node_modules/.bin:${process.env['PATH'] ?? ''}`;
  const result = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, PATH: path } });
  const output = `${result.stdout}${result.stderr}`;
  const problem = result.status === 0 ? (objection?.(output) ?? null) : `exit code ${result.status}`;
  console.log(problem === null ? `ok   ${name}` : `FAIL ${name}: ${problem}\n${output}`);
  return problem === null;
}
