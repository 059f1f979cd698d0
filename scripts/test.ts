/**
 * `npm test [-- PATHS] [-- --coverage]`: starts the stack if it is not running, then runs all tests against it. A skipped
 * test is a failure, because a missing broker or database must not look like success. The last line is `N passed, N failed`.
 */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { ensureStack } from './stack/stack.ts';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly success: boolean;
}

const REPORT = '.stack/test-report.json';

const { kafkaBrokers, mongodbUrl } = await ensureStack();
rmSync(REPORT, { force: true });
const args = [
  'node_modules/vitest/vitest.mjs',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile=${REPORT}`,
  ...process.argv.slice(2),
];
const child = spawn(process.execPath, args, {
  stdio: 'inherit',
  env: {
    ...process.env,
    KAFKA_BROKERS: kafkaBrokers.join(','),
    MONGODB_URL: mongodbUrl,
    // Some tests use unpatched kafkajs, which sets timers with negative delays. That is harmless, but Node warns each time.
    NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --disable-warning=TimeoutNegativeWarning`,
  },
});
const code = await new Promise<number>((resolve) => child.once('exit', (status) => resolve(status ?? 1)));

const report = readReport();
const skipped = report.numPendingTests + report.numTodoTests;
if (skipped > 0) console.log(`${skipped} tests were skipped, but every test must run`);
const failed = report.numFailedTests + skipped;
console.log(`${report.numPassedTests} passed, ${failed} failed`);
process.exitCode = code !== 0 ? code : failed > 0 || report.numPassedTests === 0 ? 1 : 0;

function readReport(): Report {
  try {
    return JSON.parse(readFileSync(REPORT, 'utf8')) as Report;
  } catch {
    return { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0, success: false };
  }
}
