#!/usr/bin/env node
import { createReadStream, readFileSync } from 'node:fs';
import { holdSignals } from './cli/serve/hold-signals.ts';

// Before anything else is loaded, so that no signal is lost; other commands end at once, as is usual.
const onSignal = process.argv[2] === 'serve' ? holdSignals(process) : () => undefined;

/** The package's description lies beside src/ and dist/. */
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

// Tracing has to be there before anything that is traced: everything else is imported afterwards.
const { startTelemetry } = await import('./telemetry/start.ts');
const telemetry = startTelemetry({
  serviceName: 'completion-bus',
  serviceVersion: version,
  env: process.env,
});
const { logWritten } = await import('./runtime/logger.ts');
const { runCommandLine } = await import('./cli/command-line.ts');

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a command's output has seen enough of it, as `head` does.
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

process.exitCode = await runCommandLine({
  args: process.argv.slice(2),
  env: process.env,
  version,
  telemetry,
  stdout: process.stdout,
  stderr: process.stderr,
  readFile: (path) => readFileSync(path, 'utf8'),
  openFile: (path) => (path === '-' ? process.stdin : createReadStream(path)),
  isTerminal: process.stdin.isTTY === true,
  onSignal,
  onUncaught: (listener) => {
    process.on('uncaughtException', listener);
    process.on('unhandledRejection', listener);
  },
  exitNow: (code) => process.exit(code),
});
await telemetry.shutdown();
await logWritten();
// What was printed into a pipe may still be on its way.
for (const stream of [process.stdout, process.stderr])
  await new Promise((resolve) => stream.write('', resolve));
// kafkajs leaves timers behind that would keep the process alive for a while.
process.exit();
