import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { metrics } from '@opentelemetry/api';
import { runCommandLine } from '../../src/cli/command-line.ts';

/** Runs a command in this process and gives back what it wrote. */
export async function runCommand(env: Readonly<Record<string, string>>, args: readonly string[]) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) =>
    new PassThrough().on('data', (text: Buffer) => {
      written[name] += text.toString();
    });
  const code = await runCommandLine({
    args,
    env,
    version: '1.2.3',
    telemetry: { meter: metrics.getMeter('test'), metricsHandler: () => undefined, shutdown: async () => {} },
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    readFile: (path) => readFileSync(path, 'utf8'),
    onSignal: () => undefined,
    onUncaught: () => undefined,
    exitNow: () => undefined,
  });
  return { code, ...written };
}
