import { createReadStream, readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { metrics } from '@opentelemetry/api';
import { runCommandLine } from '../../src/cli/command-line.ts';
import type { CommandLine } from '../../src/cli/options/tool.ts';
import type { Environment } from '../../src/config/load-config.ts';

/** Runs a command in this process and returns its output. */
export async function runCommand(
  env: Environment,
  args: readonly string[],
  options: Partial<CommandLine> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
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
    openFile: (path) => createReadStream(path),
    onSignal: () => undefined,
    onUncaught: () => undefined,
    exitNow: () => undefined,
    ...options,
  });
  return { code, ...written };
}
